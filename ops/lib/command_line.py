"""What the commands in ops/ take on their command line, for argparse: `type=command_line.program`."""

import argparse
import pathlib
import subprocess


def program(text):
    """A regionsync that can be run, as an absolute path."""
    path = pathlib.Path(text).resolve()
    try:
        answer = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        answer = None
    if answer is None or answer.returncode != 0:
        raise argparse.ArgumentTypeError(f"{text} is no program that can be run")
    return path


def seed(text):
    """A number of 64 bits, none below 0."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to 2^64 - 1")
    return number
