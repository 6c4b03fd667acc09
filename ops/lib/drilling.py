"""What all drills share: a stage with regions and load, a clock of what happened when, a verdict, a report."""

import abc
import json
import random
import subprocess
import sys
import time
import types

import servers
from generating import Generator


class Refused(Exception):
    """Preflight refused: nothing was tried."""


class Skipped(Exception):
    """It cannot be tried here; the text says what it needs."""


class Broken(Exception):
    """An invariant did not hold; the text says which."""


class Drill(abc.ABC):
    """A drill. Subclasses name it, say in a line what it shows, and run it.

    Without `deadlines` promises of time are reported and not judged: for machines that are busy with something else.
    """

    name = ""
    summary = ""
    obstacle = None  # why it cannot be tried anywhere yet
    expected_alerts = ()  # those that must fire, with region and peer: see AlertWatch

    def __init__(self, seed, program, folder, deadlines=True):
        self.seed = seed
        self.deadlines = deadlines
        self.random = random.Random(f"{self.name} {seed}")
        self.program = program
        self.folder = folder
        self.started = []
        self.times = {}
        self.promises = []
        self.broken = []
        self.began = time.monotonic()

    def run(self):
        """Does everything and returns the report; stops all that was started."""
        try:
            return self.perform()
        finally:
            for program in reversed(self.started):
                program.stop()

    @abc.abstractmethod
    def perform(self):
        """The drill itself; returns the report."""

    # For subclasses.

    def start(self, program):
        self.started.append(program)
        program.start()
        return program

    def say(self, text):
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def mark(self, name):
        """Notes that something happened now, in seconds since the drill began."""
        self.times[name] = time.monotonic() - self.began
        self.say(f"{name} at {self.times[name]:.2f} s")

    def since(self, first, second):
        """Seconds between two marks; None where one is missing."""
        if first not in self.times or second not in self.times:
            return None
        return round(self.times[second] - self.times[first], 3)

    def require(self, holds, what):
        """Keeps in mind that an invariant broke; the drill goes on, since the rest is worth knowing."""
        if not holds:
            self.broken.append(what)
            self.say(f"BROKEN: {what}")

    def promise(self, what, seconds, limit):
        """Notes that something took so many seconds and how many it may take; returns them, rounded."""
        seconds = round(seconds, 3)
        kept = seconds < limit
        self.promises.append({"promise": what, "seconds": seconds, "limit": limit, "kept": kept})
        self.say(f"{what} within {seconds:.2f} s, promised {limit} s")
        if self.deadlines:
            self.require(kept, f"{what} within {limit} s, not {seconds:.2f}")
        return seconds

    def judge_alerts(self, watch):
        """What an AlertWatch saw, for the report; where time is judged, what it missed breaks the drill."""
        found = watch.report()
        if self.deadlines:
            self.require(not found.get("missed"), f"alerts did not fire: {', '.join(found.get('missed', []))}")
        return found

    def command(self, *words):
        """Runs regionsync; returns exit code and what it printed. Its standard error goes to commands.log."""
        with open(self.folder / "commands.log", "ab") as log:
            answer = subprocess.run([str(word) for word in (self.program, *words)], stdout=subprocess.PIPE, stderr=log,
                                    text=True, cwd=self.folder.path)
        return answer.returncode, answer.stdout

    def verify(self, *words):
        """`regionsync verify --json` as a dictionary; it is kept in verify.json, too."""
        code, text = self.command("verify", "--json", *words)
        with open(self.folder / "verify.json", "a") as file:
            file.write(text)
        if code not in (0, 1):
            raise servers.ServerFailure(f"verify could not look (exit {code}), see {self.folder / 'commands.log'}")
        return json.loads(text)

    def generator(self, files, name="generate", options=(), **arguments):
        settings = {"tenants": 2, "persons": 200, "events_per_second": 300, "changes_per_second": 20,
                    "seed": self.seed, **arguments}
        return Generator(self.folder, self.program, files, types.SimpleNamespace(**settings), name, options)

    def versions(self, postgres, redis):
        _, text = self.command("--version")
        return {"regionsync": text.strip(), "postgres": postgres.sql("SHOW server_version"),
                "redis": redis.info("server")["redis_version"]}


def line(report):
    """What the last line of `ops/drill` says of a drill; lost and reordered are absent where nothing was compared."""
    return {key: report[key] for key in
            ("name", "pass", "seed", "lost", "duplicated", "reordered", "rtoSeconds") if key in report}
