"""Drills of one shape: two regions under load, faults, and at the end everything compared with the ledger."""

import abc
import contextlib
import time

import drilling
from alert_watch import AlertWatch
from high_water import HighWater
from reading import Reading
from regions import EAST, REGIONS, Regions, seconds_until

MISTAKES = ("duplicated", "reordered", "altered", "invented")


class FaultDrill(drilling.Drill):
    """Sets the stage, breaks something in `disturb`, drains, compares, reports. In its report `rtoSeconds` is the
    longest time from the end of a fault until all moved again that it had stopped.
    """

    events_per_second = 300
    changes_per_second = 10
    persons = 50
    scale = None  # what a long fault stands for, in words
    worker_mebibytes = 256  # what a worker may have resident at most
    retained_mebibytes = 1024  # how much WAL a slot may keep at most

    def __init__(self, *words, **settings):
        super().__init__(*words, **settings)
        self.moving = []
        self.figures = {}
        self.rounds = []

    def perform(self):
        self.regions = self.stage()
        watch = AlertWatch(self, self.regions.workers, self.expected_alerts) if self.expected_alerts else None
        self.mark("under load")
        with HighWater(self.workers, lambda: self.regions.postgres) as self.high_water:
            self.disturb()
        self.judge_bounds()
        if watch:
            watch.wait_fired()
        self.say("draining, comparing with the ledger")
        found = self.regions.verify()
        self.mark("verified")
        counts = self.judge(found)
        alerts = {"alerts": self.judge_alerts(watch)} if watch else {}
        return {
            "name": self.name, "pass": not self.broken, "broken": self.broken, "seed": self.seed,
            "versions": self.versions(self.regions.postgres, self.regions.redis[EAST]), "load": self.load,
            **({"scale": self.scale} if self.scale else {}),
            "times": {name: round(seconds, 3) for name, seconds in self.times.items()}, "rounds": self.rounds,
            "rtoSeconds": longest(self.moving), "promises": self.promises, **counts, **alerts,
            "figures": self.figures,
            "checkers": {"during": found["events"], "drift": found["provisioning"]["drift"],
                         "transactions": found["provisioning"]["transactions"]},
        }

    @property
    def load(self):
        return {"eventsPerSecondPerRegion": self.events_per_second, "transactionsPerSecond": self.changes_per_second}

    # What subclasses fill in.

    def stage(self):
        return Regions(self)

    @abc.abstractmethod
    def disturb(self):
        """Does what is drilled, and ends when it has passed."""

    def workers(self):
        """All that run now."""
        return list(self.regions.workers.values())

    def judge_bounds(self):
        """Memory and WAL stayed bounded, as far as anybody looked."""
        resident, retained = self.high_water.resident, self.high_water.retained
        for name, mebibytes in resident.items():
            self.require(mebibytes <= self.worker_mebibytes,
                         f"{name} takes at most {self.worker_mebibytes} MiB, not {mebibytes:.0f}")
        self.require(retained is None or retained <= self.retained_mebibytes << 20,
                     f"a slot keeps at most {self.retained_mebibytes} MiB of WAL, not {retained} bytes")
        self.figures["peakResidentMiB"] = {name: round(mebibytes, 1) for name, mebibytes in resident.items()}
        self.figures["retainedWALBytes"] = retained

    def judge(self, found):
        """Requires of what `verify` found what the drill promises; returns what is lost, duplicated and reordered."""
        events = found["events"]
        self.require(events["lost"] == 0, f"{events['lost']} events lost")
        self.require_right(found)
        self.require(self.broken or found["ok"], f"all is equal: {found}")
        return {word: events[word] for word in ("lost", "duplicated", "reordered")}

    def require_right(self, found):
        """What holds whatever was lost: no mistakes in what is there, and provisioning is whole."""
        events, provisioning = found["events"], found["provisioning"]
        for word in MISTAKES:
            self.require(events[word] == 0, f"{events[word]} events {word}")
        self.require(events["trimmed"] == 0, f"{events['trimmed']} events trimmed")
        self.require(provisioning["drift"] == 0, f"{provisioning['drift']} objects differ from PostgreSQL")
        for word in ("transactionsLost", "transactionsDuplicated"):
            self.require(provisioning[word] == 0, f"{word}: {provisioning[word]}")
        for region in provisioning["regions"]:
            self.require(region["ledgerDrift"] == 0,
                         f"{region['region']}: {region['ledgerDrift']} objects are not as the ledger has them")

    # Steps.

    def expect_moving(self, since, regions=REGIONS, limit=2):
        """Events move again in these regions, within `limit` seconds behind `since` (ns) if that is given; how long it
        took in the slowest.
        """
        before = {region: self.regions.appended(region) for region in regions}
        took = seconds_until({
            f"{region}: events moving": lambda region=region: self.regions.appended(region) > before[region]
            for region in regions}, since)
        if limit:
            for what, seconds in took.items():
                self.promise(what, seconds, limit)
        self.moving += took.values()
        return longest(took.values())

    @contextlib.contextmanager
    def reading(self, skills, stale):
        """Skills of the drill's own, which do not change, are read in both regions for the length of the block, and never
        in vain; with `stale` the caches must be marked so at some time.
        """
        with Reading(self.regions.redis, map(self.regions.skill_key, skills)) as reading:
            yield
        for region, found in reading.found.items():
            for word in ("misses", "changed", "errors"):
                self.require(found[word] == 0, f"{region}: {found[word]} of {found['reads']} reads: {word}")
            self.require(found["stale"] > 0 or not stale, f"{region}: the cache was marked stale meanwhile")
        self.figures["readers"] = reading.found

    def stay(self, least, most=None):
        """Waits, if `most` is given for a random time."""
        time.sleep(max(0, least if most is None else self.random.uniform(least, most)))


def longest(seconds):
    return round(max(seconds), 3) if seconds else None
