"""A way to another network namespace on which packets are late and some are lost: what a TCP proxy cannot imitate.

Needs root, for the namespace and two TUN devices. Nothing of it outlives the processes started here.
"""

import argparse
import ctypes
import fcntl
import heapq
import os
import pathlib
import random
import select
import struct
import subprocess
import sys
import time

import servers
from servers import ServerFailure

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_WITHOUT_HEADER = 0x1001


def obstacle():
    """Why there can be no such way here; None where there can."""
    if os.geteuid() != 0:
        return "a network namespace with TUN devices needs root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        return "network namespaces are not allowed here"
    return None


class FarNamespace(servers.Program):
    """A network namespace, held by a process that sleeps, and two ways into it, both ends with addresses of their own:
    `direct`, a veth pair, and `far`, through the forwarder."""

    def __init__(self, folder, delay_ms, loss, seed):
        super().__init__(folder, "namespace")
        number = os.getpid() % 64
        self.direct = (f"198.18.{number}.1", f"198.18.{number}.2")
        self.far = (f"198.18.{number}.5", f"198.18.{number}.6")
        self.suffix = f"{os.getpid() % 100_000}"
        self.forwarder = _Forwarder(folder, self, delay_ms, loss, seed)

    def command(self):
        return ["unshare", "-n", "sleep", "infinity"]

    def is_ready(self):
        return os.readlink(f"/proc/{self.pid}/ns/net") != os.readlink("/proc/self/ns/net")

    def start(self, wait=True):
        super().start(wait)
        here, there = f"rsv{self.suffix}", "rsv"
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.pid)
        _ip("addr", "add", f"{self.direct[0]}/30", "dev", here)
        _ip("link", "set", here, "up")
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{self.direct[1]}/30", "dev", there),
                      ("link", "set", there, "up")):
            _ip(*words, inside=self.pid)
        self.forwarder.start()
        return self

    def stop(self, number=None):
        self.forwarder.stop()
        if self.process is not None:
            # Connections that are not quite closed can keep the namespace, and with it our end of the pair, for minutes.
            subprocess.run(["ip", "link", "delete", f"rsv{self.suffix}"], capture_output=True)
        return super().stop(number)

    def entering(self):
        """The words that run a command in the namespace."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]


class FarRedis(servers.Redis):
    """A Redis server in a far namespace. Its `host` is the direct address; `far_host` is that of the long way."""

    def __init__(self, folder, name, namespace, settings=()):
        super().__init__(folder, name, ["--protected-mode", "no", *settings])
        self.namespace = namespace
        self.host = namespace.direct[1]
        self.far_host = namespace.far[1]

    def command(self):
        # Of two --bind the last one counts.
        return [*self.namespace.entering(), *super().command(), "--bind", self.host, self.far_host]


class _Forwarder(servers.Program):
    """Carries packets between two TUN devices: this module, run as a program."""

    def __init__(self, folder, namespace, delay_ms, loss, seed):
        super().__init__(folder, "forwarder")
        self.namespace = namespace
        self.marker = folder / "forwarder.ready"
        self.words = ["--delay-ms", delay_ms, "--loss", loss, "--seed", seed, "--ready", self.marker]

    def command(self):
        here, there = self.namespace.far
        return [sys.executable, __file__, "--namespace", self.namespace.pid, "--device",
                f"rst{self.namespace.suffix}", "--here", here, "--there", there, *self.words]

    def is_ready(self):
        return self.marker.exists()


def _ip(*words, inside=None):
    command = ["nsenter", f"--net=/proc/{inside}/ns/net", "--"] if inside else []
    command += ["ip", *(str(word) for word in words)]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        raise ServerFailure(f"{' '.join(command)}: {answer.stderr.strip()}")


def _open_tun(name):
    """A TUN device of the namespace that this thread is in; it lives as long as the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_WITHOUT_HEADER))
    return descriptor


def _enter(namespace_file):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace_file.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _forward(ends, delay, loss, chance):
    """Every packet that comes out of one end goes into the other one, late or never."""
    waiting, number = [], 0
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(ends, [], [], timeout)
        now = time.monotonic()
        for end in readable:
            packet = os.read(end, 65536)
            if chance.random() >= loss:
                number += 1
                heapq.heappush(waiting, (now + delay, number, ends[1 - ends.index(end)], packet))
        while waiting and waiting[0][0] <= now:
            _, _, end, packet = heapq.heappop(waiting)
            try:
                os.write(end, packet)
            except BlockingIOError:
                pass  # a full device loses packets, too


def main():
    parser = argparse.ArgumentParser(description=_forward.__doc__)
    for name, kind in (("namespace", int), ("device", str), ("here", str), ("there", str), ("delay-ms", float),
                       ("loss", float), ("seed", int), ("ready", pathlib.Path)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    arguments = parser.parse_args()
    ends = [_open_tun(arguments.device)]
    with open("/proc/self/ns/net") as own, open(f"/proc/{arguments.namespace}/ns/net") as other:
        _enter(other)
        ends.append(_open_tun("rst"))
        _enter(own)
    for address, device, inside in ((arguments.here, arguments.device, None),
                                    (arguments.there, "rst", arguments.namespace)):
        _ip("addr", "add", f"{address}/30", "dev", device, inside=inside)
        _ip("link", "set", device, "up", inside=inside)
    arguments.ready.touch()
    _forward(ends, arguments.delay_ms / 1000, arguments.loss, random.Random(arguments.seed))


if __name__ == "__main__":
    main()
