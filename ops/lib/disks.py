"""A disk that is small enough to be filled: what a fault of storage needs."""

import contextlib
import os
import subprocess

import servers

# The mount ends with this process, however that ends: its parent's death sends it TERM.
SCRIPT = """mount -t tmpfs -o "size=$1,mode=711" regionsync-drill "$2" || exit 1
trap 'umount -l "$2"; kill $!; exit 0' TERM
sleep infinity & wait"""


def obstacle():
    """Why there can be no such disk here; None where there can."""
    if os.geteuid() != 0:
        return "a disk small enough to be filled (tmpfs) needs root"
    probe = 'mount -t tmpfs -o size=1m regionsync-drill "$1"'
    if subprocess.run(["unshare", "-m", "sh", "-c", probe, "probe", "/mnt"], capture_output=True).returncode != 0:
        return "no tmpfs can be mounted here"
    return None


class SmallDisk(servers.Program):
    """A tmpfs of so many MiB, mounted as long as this runs; `disk / name` is a path on it."""

    def __init__(self, folder, mebibytes):
        super().__init__(folder, "disk")
        self.mebibytes = mebibytes
        self.path = folder / "disk"
        self.path.mkdir()
        self.ballast = self.path / "ballast"

    def command(self):
        return ["sh", "-c", SCRIPT, "disk", f"{self.mebibytes}m", self.path]

    def is_ready(self):
        return os.path.ismount(self.path)

    def __truediv__(self, name):
        return self.path / name

    def fill(self):
        """Takes all that is free."""
        chunk = bytes(1 << 16)
        with open(self.ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(chunk)

    def clear(self):
        self.ballast.unlink(missing_ok=True)
