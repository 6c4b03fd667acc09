"""Drills of a peer's Redis as a link meets it: refusing in the middle of a pipeline, or away for long (operations.md).
"""

import abc
import time

import servers
from fault_drill import FaultDrill
from load import Load
from regions import REGIONS, peer, seconds_since

WORKER_MIB = 128


class PeerDrill(FaultDrill):
    """Something is wrong with the Redis of one region, drawn by the seed; the other region must not suffer."""

    def __init__(self, *words, **settings):
        super().__init__(*words, **settings)
        self.victim = self.random.choice(REGIONS)
        self.other = peer(self.victim)

    def disturb(self):
        before, began = self.produced(), time.monotonic()
        self.trouble()
        seconds = time.monotonic() - began
        after = self.produced()
        rate = (after["acknowledged"] - before["acknowledged"]) / seconds
        self.require(after["refusals"] == before["refusals"], f"{self.other} refused no event of its own")
        # The report is up to a second old at both ends.
        self.require(rate * seconds >= self.events_per_second * (seconds - 2),
                     f"{self.other} took {rate:.0f} of {self.events_per_second} events/s of its own meanwhile")
        peak = self.regions.workers[self.other].peak_resident_mib()
        self.require(peak <= WORKER_MIB, f"{self.other}: worker of at most {WORKER_MIB} MiB, not {peak:.0f}")
        self.figures.update({"victim": self.victim, "otherEventsPerSecond": round(rate), "workerMiB": round(peak)})

    @abc.abstractmethod
    def trouble(self):
        """Ends when the trouble has ended, and all moves again."""

    def produced(self):
        """What the traffic says of its events in the region that nothing is wrong with."""
        [found] = [one for one in self.regions.traffic.numbers()["regions"] if one["region"] == self.other]
        return found

    def expect_all_moving(self, since, limit=2):
        """Events of both regions, and a change."""
        mark = self.regions.make_mark()
        seconds = self.expect_moving(since, [self.other], limit)
        self.expect_moving(since, [self.victim], limit=None)
        self.figures["visibleSeconds"] = round(self.regions.wait_visible(mark, since), 3)
        return seconds


class PeerFlapping(PeerDrill):
    """Writes are refused and taken by turns, faster than anybody can settle, under pipelines that are full."""

    seconds = 10

    def trouble(self):
        redis = self.regions.redis[self.victim]
        end, times = time.monotonic() + self.seconds, 0
        while time.monotonic() < end:
            self.refuse(redis)
            times += 1
            self.stay(0.02, 0.8)
            self.accept(redis)
            self.stay(0.02, 1.2)
        since = time.monotonic_ns()
        moving = self.expect_all_moving(since)
        self.rounds.append({"fault": self.name, "region": self.victim, "times": times, "movingSeconds": moving})

    @abc.abstractmethod
    def refuse(self, redis):
        """From now on this Redis refuses writes."""

    @abc.abstractmethod
    def accept(self, redis):
        """From now on it takes them again."""


class PeerReadonly(PeerFlapping):
    name = "peer-readonly"
    summary = "a region's Redis becomes a replica and a primary again by turns of 20 ms to 1.2 s for 10 s (READONLY)"

    def refuse(self, redis):
        # Nobody answers on port 9: it keeps what it has.
        redis.ask("REPLICAOF", "127.0.0.1", 9)

    def accept(self, redis):
        redis.ask("REPLICAOF", "NO", "ONE")


class PeerOOM(PeerFlapping):
    name = "peer-oom"
    summary = "a region's Redis is at its maxmemory and not by turns of 20 ms to 1.2 s for 10 s (OOM)"

    def refuse(self, redis):
        redis.ask("CONFIG", "SET", "maxmemory", 1)

    def accept(self, redis):
        redis.ask("CONFIG", "SET", "maxmemory", 0)


class PeerNoReplicas(PeerFlapping):
    name = "peer-noreplicas"
    summary = "a region's Redis lacks replicas it needs and not by turns of 20 ms to 1.2 s for 10 s (NOREPLICAS)"

    def refuse(self, redis):
        redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)

    def accept(self, redis):
        redis.ask("CONFIG", "SET", "min-replicas-to-write", 0)


class PeerAway(PeerDrill):
    """Down for so long that a great backlog has gathered."""

    name = "peer-away"
    summary = "a region's Redis is down for an hour, scaled; caught up at 5 times the live rate, memory bounded"
    scale = "10 s of absence and 60,000 entries written meanwhile stand for an hour"
    away_seconds = 10
    entries = 60_000

    @property
    def expected_alerts(self):
        return [f"RegionsyncRedisUnusable {self.victim}", f"RegionsyncLinkDown {self.other} {self.victim}"]

    def trouble(self):
        redis, source = self.regions.redis[self.victim], self.regions.redis[self.other]
        redis.stop()
        since = time.monotonic_ns()
        key = self.regions.quiet_journal(self.other)
        Load(self.program.parent / "regionsync-load").fill(source, key, self.entries)
        self.stay(self.away_seconds - seconds_since(since))
        redis.start()
        since = time.monotonic_ns()
        moving = self.expect_all_moving(since, limit=None)
        servers.wait_until(f"{self.other}: backlog caught up",
                           lambda: source.ask("XLEN", key) == redis.ask("XLEN", key), 120, pause=0.05)
        # Five times the live rate, which comes on top of the backlog.
        limit = self.entries / (4 * self.events_per_second)
        caught_up = self.promise(f"{self.other}: {self.entries} entries caught up", seconds_since(since), limit)
        ratio = self.entries / caught_up / self.events_per_second + 1
        self.rounds.append({"fault": "away", "region": self.victim, "movingSeconds": moving,
                            "caughtUpSeconds": caught_up, "catchUpRatio": round(ratio, 1)})


DRILLS = [PeerReadonly, PeerOOM, PeerNoReplicas, PeerAway]
