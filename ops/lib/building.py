"""Builds the release programs that the commands in ops/ run; installs the Debian packages they need."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class BuildFailure(Exception):
    """A package could not be installed or the build failed; what it said stands on standard error."""


def ensure_packages(*lists):
    """Installs what is missing of the lists in packages.sh; where none is named, of those for building and servers."""
    words = " ".join(f'"${{{name}[@]}}"' for name in lists or ("build_packages", "server_packages"))
    script = f"source ops/lib/packages.sh && ensure_packages {words}"
    if subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT).returncode != 0:
        raise BuildFailure("Debian packages are missing and could not be installed")


def build_release():
    """Builds in release mode and returns the folder with the programs. REGIONSYNC_SCRATCH names another scratch path."""
    print("building release (the first time takes ten minutes or more on two cores)", file=sys.stderr, flush=True)
    # SwiftPM reports progress on standard output, which belongs to our result.
    if subprocess.run(_command(), cwd=ROOT, stdout=sys.stderr).returncode != 0:
        raise BuildFailure("the release build failed")
    return release_programs()


def release_programs():
    """The folder with the release programs as they were built last."""
    answer = subprocess.run(_command() + ["--show-bin-path"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if answer.returncode != 0:
        raise BuildFailure("swift build --show-bin-path failed")
    return pathlib.Path(answer.stdout.strip())


def _command():
    scratch = os.environ.get("REGIONSYNC_SCRATCH")
    return ["swift", "build", "-c", "release"] + (["--scratch-path", scratch] if scratch else [])
