"""Clients that behave, beside those that do not: what they get, and how soon. Each is a process of its own, so that
nothing that a drill does itself makes it wait, and takes from the kernel when an answer came.
"""

import json
import pathlib
import select
import statistics
import subprocess
import sys
import time

from raw_resp import RawConnection
from servers import ServerFailure
from timed_resp import TimedConnection

# Who asks what: each port of the worker, and the region's Redis, which shows what the machine allows at the moment.
ASKED = ("config", "voice", "redis")
PAUSE = 0.02


class WellBehaved:
    """Asks both ports of a worker and its Redis again and again, and follows a tenant's stream, for the length of its
    block. `servers` are their ports by name, `key` what Redis calls the `stream`.

    Behind the block `answers` has the Answers of each, `followed` the IDs that came behind `began`, `errors` what went
    wrong.
    """

    def __init__(self, servers, tenant, stream, key):
        self.servers = servers
        self.words = {"config": ("CFG.GET", tenant, "tenant", tenant), "voice": ("XLEN", stream),
                      "redis": ("XLEN", key), "follow": (stream,)}
        self.errors = []

    def __enter__(self):
        self._processes = {role: self._start(role) for role in self.words}
        firsts = {role: self._line(process) for role, process in self._processes.items()}
        self.began = firsts["follow"]
        return self

    def __exit__(self, kind, error, trace):
        found = {role: self._end(process) for role, process in self._processes.items()}
        self.followed = found["follow"]
        self.answers = {role: Answers(found[role]) for role in ASKED}
        self.errors += [f"who asks {role} got no answer" for role in ASKED if not found[role]]

    def _start(self, role):
        port = self.servers["voice" if role == "follow" else role]
        words = [sys.executable, "-B", pathlib.Path(__file__).resolve(), role, port, *self.words[role]]
        return subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                start_new_session=True)  # Ctrl-C is for us, and ends their input

    @staticmethod
    def _line(process):
        """What a client says first: that it has begun."""
        if not (line := process.stdout.readline()):
            raise ServerFailure("a client could not begin")
        return json.loads(line)

    def _end(self, process):
        """What a client found; it ends when its input does."""
        output, _ = process.communicate()
        found = json.loads(output.splitlines()[-1])
        if found["error"]:
            self.errors.append(found["error"])
        return found["found"]


class Answers:
    """How long answers took, in seconds; `found` is [when, delay, how late it was read] of each."""

    def __init__(self, found):
        self.count = len(found)
        self.at, self.slowest, _ = max(found, key=lambda one: one[1], default=(0, 0, 0))
        self.median = statistics.median(one[1] for one in found) if found else 0
        self.latest_read = max((one[2] for one in found), default=0)

    def figures(self, began):
        """For a report; `began` is when its drill did, by the monotonic clock."""
        return {"answers": self.count, "medianMs": round(1000 * self.median, 2),
                "slowestMs": round(1000 * self.slowest, 1), "slowestAt": round(self.at - began, 1),
                "readLateMs": round(1000 * self.latest_read, 1)}


def is_over():
    """Whether the drill has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def say(value):
    print(json.dumps(value), flush=True)


def ask(port, words, found):
    connection = TimedConnection(port)
    connection.ask("PING")
    say("begun")
    while not is_over():
        found.append([time.monotonic(), *connection.timed(*words)])
        time.sleep(PAUSE)


def follow(port, words, followed):
    connection, [stream] = RawConnection(port), words
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


def main(role, port, *words):
    found, problem = [], None
    try:
        (follow if role == "follow" else ask)(int(port), words, found)
    except (OSError, RuntimeError, LookupError, TypeError) as error:
        problem = f"{'who follows' if role == 'follow' else f'who asks {role}'}: {error}"
        say(None)  # where somebody waits for it to begin
        select.select([sys.stdin], [], [])
    say({"found": found, "error": problem})


if __name__ == "__main__":
    main(*sys.argv[1:])
