"""What the tests of this folder have in common: the program, given by REGIONSYNC, and Python's `redis`."""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))

import python_packages

python_packages.use()


def program():
    """The regionsync to test."""
    path = os.environ.get("REGIONSYNC")
    if not path:
        raise SystemExit("REGIONSYNC must name the regionsync to test")
    return pathlib.Path(path).resolve()
