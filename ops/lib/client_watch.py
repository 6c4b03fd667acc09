"""Clients that behave, beside those that do not: what they get, and how soon. Each is a process of its own, so that nothing
that a drill does itself makes it wait.
"""

import json
import pathlib
import select
import statistics
import subprocess
import sys
import time

from raw_resp import RawConnection


class WellBehaved:
    """Asks both ports of a worker again and again, and follows a tenant's stream, for the length of its block.

    Behind that, `slowest` is the longest that an answer took, in seconds; `followed` the IDs that came behind `began`;
    `errors` what went wrong.
    """

    def __init__(self, ports, tenant, stream):
        self.words = [ports["config"], ports["voice"], tenant, stream]
        self.errors = []

    def __enter__(self):
        self._asking, self._following = (self._start(role) for role in ("ask", "follow"))
        self.began = self._line(self._following)
        self._line(self._asking)
        return self

    def __exit__(self, kind, error, trace):
        self.delays, self.followed = (self._end(process) for process in (self._asking, self._following))

    @property
    def slowest(self):
        return max(self.delays)

    @property
    def median(self):
        return statistics.median(self.delays)

    def _start(self, role):
        words = [sys.executable, "-B", pathlib.Path(__file__).resolve(), role, *self.words]
        return subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def _line(process):
        return json.loads(process.stdout.readline())

    def _end(self, process):
        """What a client found; it ends when its input does."""
        output, _ = process.communicate()
        found = json.loads(output.splitlines()[-1])
        if found["error"]:
            self.errors.append(found["error"])
        return found["found"]


def is_over():
    """Whether the drill has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def say(value):
    print(json.dumps(value), flush=True)


def ask(config, voice, tenant, stream, delays):
    config, voice = RawConnection(config), RawConnection(voice)
    say("ready")
    while not is_over():
        began = time.monotonic()
        config.ask("CFG.GET", tenant, "tenant", tenant)
        voice.ask("XLEN", stream)
        delays.append(time.monotonic() - began)
        time.sleep(0.02)


def follow(config, voice, tenant, stream, followed):
    connection = RawConnection(voice)
    last = connection.ask("XREVRANGE", stream, "+", "-", "COUNT", 1)
    cursor = last[0][0] if last else "0-0"
    say(cursor)
    while True:
        is_last = is_over()
        answer = connection.ask("XREAD", "COUNT", 1000, "BLOCK", 100, "STREAMS", stream, cursor)
        if answer:
            [[_, entries]] = answer
            followed += [entry[0] for entry in entries]
            cursor = followed[-1]
        elif is_last:
            break


def main(role, config, voice, tenant, stream):
    found, problem = [], None
    try:
        {"ask": ask, "follow": follow}[role](int(config), int(voice), tenant, stream, found)
    except (OSError, RuntimeError, LookupError, TypeError) as error:
        problem = f"who was to {role}: {error}"
        select.select([sys.stdin], [], [])
    say({"found": found, "error": problem})


if __name__ == "__main__":
    main(*sys.argv[1:])
