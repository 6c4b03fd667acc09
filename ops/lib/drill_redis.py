"""Drills of a region's own Redis: restarted, without its files, with a shorter file, emptied (operations.md)."""

import abc
import shutil
import signal
import subprocess
import time

import kept_events
import servers
from fault_drill import FaultDrill
from kept_events import KeptEvents
from regions import EAST, REGIONS, peer, seconds_until

DETECTED_SECONDS = 5
QUIET_EVENTS = 20
QUIET_SECONDS = 5  # after which workers have counted all that came of a fault
LOSSES = ("born-again", "tail-lost", "cursor-missing")


class RedisRestart(FaultDrill):
    """Stopped in order or killed, away for a moment or longer than the lease, and back with its append-only file."""

    name = "redis-restart"
    summary = "a region's Redis is stopped or killed, and comes back with its append-only file; five times"

    def disturb(self):
        places = [*REGIONS, *REGIONS, self.random.choice(REGIONS)]
        for number, region in enumerate(places):
            redis = self.regions.redis[region]
            end = signal.SIGKILL if number % 2 else signal.SIGTERM
            away = self.random.choice([0, self.random.uniform(0.1, 1), self.random.uniform(2.5, 4)])
            self.say(f"Redis of {region} gets {end.name} and is away for {away:.1f} s")
            redis.stop(end)
            self.stay(away)
            redis.start()
            since = time.monotonic_ns()
            mark = self.regions.make_mark()
            moving = self.expect_moving(since, [region], limit=None)
            visible = round(self.regions.wait_visible(mark, since), 3)
            self.rounds.append({"fault": end.name, "region": region, "awaySeconds": round(away, 2),
                                "movingSeconds": moving, "visibleSeconds": visible})
            self.stay(0.5, 1.5)


class RedisLoss(FaultDrill):
    """A Redis comes back with less than it had acknowledged. What its peer holds heals it or is kept aside; what had
    not left the region is lost, and nothing else is.
    """

    def __init__(self, *words, **settings):
        super().__init__(*words, **settings)
        self.faulted = {region: [] for region in REGIONS}  # what was lost when, by region: see `note`
        self.closed = {}  # by journal: what closed copies held after each fault; the next one may take them

    def disturb(self):
        for region, quiet in self.faults():
            self.regions.write_quietly(region, QUIET_EVENTS)
            self.stay(2, 3)
            self.lose(region, quiet)

    def faults(self):
        """(region, whether nobody writes until all is mended), one after the other."""
        return [(region, self.random.random() < 0.5) for region in self.random.sample(REGIONS, 2)]

    def lose(self, region, quiet):
        """Lets the region's Redis lose something; returns when all that comes of it has settled."""
        before = self.counts()
        if quiet:
            self.regions.traffic.pause()
        self.mark(f"injected in {region}")
        self.inject(region)
        since = time.monotonic_ns()
        took = seconds_until({"known": lambda: self.is_known(before)}, since)
        detected = self.promise(f"{region}: known", took["known"], DETECTED_SECONDS)
        self.wait_healed(region, self.regions.quiet_journal(region))
        if quiet:
            for key in kept_events.journals(self.regions.redis[region], region, topics=["voice"]):
                self.wait_healed(region, key)
            self.regions.traffic.resume()
        moving = self.expect_moving(since, [region], limit=None)
        visible = round(self.regions.wait_visible(self.regions.make_mark(), since), 3)
        whole = round(self.regions.wait_whole(region, since), 3)
        after = self.settle(region)
        self.rounds.append({
            "fault": self.name, "region": region, "written": "when healed" if quiet else "at once",
            "detectedSeconds": detected, "movingSeconds": moving, "visibleSeconds": visible,
            "cacheWholeSeconds": whole, **{name: int(after[name] - before[name]) for name in after}})

    @abc.abstractmethod
    def inject(self, region):
        """Takes from the region's Redis what it is to lose; it runs again afterwards."""

    # What becomes of it.

    def wait_healed(self, region, key):
        """A journal that nobody writes to ends as both regions have it."""
        lengths = lambda: {self.regions.redis[place].ask("XLEN", key) for place in REGIONS}
        servers.wait_until(f"{region}: {key} healed", lambda: len(lengths()) == 1 and 0 not in lengths())

    def settle(self, region):
        """Waits until the workers count nothing more; keeps in mind what was set aside. Returns the counts."""
        counts, deadline = self.counts(), time.monotonic() + QUIET_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if (now := self.counts()) != counts:
                counts, deadline = now, time.monotonic() + QUIET_SECONDS
        self.keep_closed(region)
        return counts

    def keep_closed(self, region):
        """Keeps in mind what was set aside of a region's journals."""
        redis = self.regions.redis[peer(region)]
        for key in kept_events.journals(redis, region):
            for copy in kept_events.closed_copies(redis, key):
                self.closed.setdefault(key, set()).update(kept_events.entry_ids(redis, copy))

    # What is known of it.

    def counts(self):
        """What the workers have counted: entries healed, journals forked, entries lost, snapshots."""
        regions = self.regions
        return {
            "healed": sum(regions.total(one, "mirror_healed_total") for one in REGIONS),
            "forks": sum(regions.total(one, "mirror_forks_total") for one in REGIONS),
            "lost": sum(regions.sample(one, f'mirror_lost_total{{cause="{cause}"}}') or 0
                        for one in REGIONS for cause in LOSSES),
            "resnapshots": regions.total(EAST, "capture_resnapshots_total"),
        }

    def is_known(self, before):
        after = self.counts()
        return any(after[name] > before[name] for name in ("healed", "forks"))

    def note(self, region, milliseconds=None):
        """Keeps in mind what the peer has of the region's journals; that must never be lost. The region loses what it
        has at this time by its Redis' clock, now if none is given.
        """
        held = kept_events.last_ids(self.regions.redis[peer(region)], region)
        self.faulted[region].append((held, milliseconds or int(time.time() * 1000)))

    # The verdict.

    def judge(self, found):
        self.require_right(found)
        for region in REGIONS:
            self.keep_closed(region)
        kept = {region: KeptEvents(self.regions.traffic.ledger, region, self.regions.redis[region],
                                   self.regions.redis[peer(region)], self.closed) for region in REGIONS}
        count = lambda name: sum(kept_events.count(getattr(one, name)) for one in kept.values())
        lost, closed_only, nowhere = count("missing"), count("closed_only"), count("nowhere")
        counted = self.counts()["lost"]
        self.require(counted == closed_only,
                     f"closed copies alone hold {closed_only} entries, the workers counted {counted:.0f}")
        # A region's journal and its copy lack the same: verify counts both.
        self.require(found["events"]["lost"] == 2 * lost,
                     f"verify finds {found['events']['lost']} events lost, {lost} are not in their journal")
        for one in found["journals"]:
            wrong = {word: one[word] for word in ("missing", "behind", "reordered", "duplicated", "altered", "invented")
                     if one[word]}
            self.require(not wrong, f"{one['journal']} and its copy in {one['region']} differ: {wrong}")
        for region, one in kept.items():
            for key, entries in one.nowhere.items():
                gone = [entry for entry in entries if not self.had_not_left(region, one, key, entry)]
                self.require(not gone, f"{key}: {len(gone)} entries are nowhere that {peer(region)} had")
        return {"lost": lost, "duplicated": found["events"]["duplicated"], "reordered": found["events"]["reordered"],
                "loss": {"keptInClosedCopies": lost - nowhere, "neverLeftTheRegion": nowhere,
                         "countedByWorkers": counted}}

    def had_not_left(self, region, kept, key, entry):
        """Whether the peer had nothing as new as this entry when one of the faults came, as far as anybody knows."""
        known = kept.own[key] | kept.copy[key] | kept.closed[key]
        return any(entry > held.get(key, (0, 0)) and entry[0] <= lost
                   and not any(entry < one and one[0] < lost for one in known)
                   for held, lost in self.faulted[region])


class RedisLost(RedisLoss):
    """Killed, and back without its files: empty, another server."""

    name = "redis-lost"
    summary = "a region's Redis is killed and comes back without its files, in both regions; rebuilt, healed or forked"

    def inject(self, region):
        redis = self.regions.redis[region]
        redis.kill()
        self.stay(0.5)  # what was on its way to the peer arrives
        self.note(region)
        shutil.rmtree(redis.data)
        redis.data.mkdir()
        redis.start()


class RedisCut(RedisLoss):
    """Killed, and back with an append-only file that lacks its end."""

    name = "redis-aof-cut"
    summary = "the end of a region's append-only file is cut off while it is killed, three times; healed or forked"

    def faults(self):
        quiet = [True, False, self.random.random() < 0.5]
        return list(zip([*self.random.sample(REGIONS, 2), self.random.choice(REGIONS)], quiet))

    def disturb(self):
        self.calm = {region: self.file(region).stat().st_size for region in REGIONS}
        super().disturb()

    def inject(self, region):
        redis = self.regions.redis[region]
        redis.kill()
        self.stay(0.5)
        self.note(region)
        file = self.file(region)
        size = file.stat().st_size
        # Not into what came of the fault before: each is to be the only one.
        cut = min(self.random.randint(100_000, 1_500_000), size - self.calm[region])
        self.say(f"{cut} of {size} bytes are cut off {file.name} of {region}")
        with open(file, "r+b") as end:
            end.truncate(size - cut)
        # As the runbook says: Redis 7.0 by itself leaves half of a transaction in the file, and carries it out at the next
        # start but one, beside the whole one that the link has sent again by then.
        subprocess.run(["redis-check-aof", "--fix", file.parent / "appendonly.aof.manifest"], input="y\n", text=True,
                       check=True, capture_output=True)
        redis.start()

    def settle(self, region):
        counts = super().settle(region)
        self.calm = {region: self.file(region).stat().st_size for region in REGIONS}
        return counts

    def file(self, region):
        [path] = (self.regions.redis[region].data / "appendonlydir").glob("*.incr.aof")
        return path


class RedisFlush(RedisLoss):
    """FLUSHALL, while everybody is connected."""

    name = "redis-flush"
    summary = "FLUSHALL in a region's Redis under load, in both regions; rebuilt, healed or forked"

    def inject(self, region):
        redis = self.regions.redis[region]
        redis.ask("MULTI")
        redis.ask("TIME")
        redis.ask("FLUSHALL")
        [(seconds, microseconds), _] = redis.ask("EXEC")
        self.note(region, int(seconds) * 1000 + int(microseconds) // 1000)


DRILLS = [RedisRestart, RedisLost, RedisCut, RedisFlush]
