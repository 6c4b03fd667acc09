"""The drill of wall clocks that jump (operations.md, fault matrix)."""

import mmap
import pathlib
import shutil
import struct
import subprocess
import threading
import time

import drilling
import servers
from fault_drill import FaultDrill
from regions import DURABLE, EAST, REGIONS, Regions, peer

HOUR = 3600
JUMP_SECONDS = 5
AHEAD_SECONDS = 10


class ClockJump(FaultDrill):
    """The wall clock of one worker jumps an hour ahead, back, an hour behind, and back; then that of the other region's
    Redis does, then that of PostgreSQL.
    """

    name = "clock-jump"
    summary = "the clock of a worker, of a Redis, of PostgreSQL jumps an hour ahead and behind (needs a C compiler)"
    scale = "5 s after each jump stand for a clock that stays wrong: they outlast the lease (2.4 s)"

    def __init__(self, *words, **settings):
        super().__init__(*words, **settings)
        self.worker_region = self.random.choice(REGIONS)
        self.redis_region = peer(self.worker_region)

    def stage(self):
        library = compile_library(self.folder)
        self.clocks = {name: Clock(self.folder / f"clock-{name}", library) for name in ("worker", "redis", "postgres")}
        return ClockRegions(self)

    def disturb(self):
        with LagWatch(self.regions.workers) as watch:
            self.holders = {region: self.holder(region) for region in REGIONS}
            for name, region in (("worker", self.worker_region), ("redis", self.redis_region), ("postgres", EAST)):
                for seconds in (HOUR, 0, -HOUR, 0):
                    self.jump(name, region, seconds)
        for name in sorted(watch.negative):
            self.require(False, f"negative: {name}")
        self.figures["longestLagSeconds"] = watch.longest

    def jump(self, name, region, seconds):
        self.say(f"{name} of {region} is {seconds} s ahead")
        before = self.visible_seconds()
        self.clocks[name].set(seconds)
        until = time.monotonic() + JUMP_SECONDS
        slowest = {"events": 0.0, "changes": 0.0}
        while time.monotonic() < until:
            for one in REGIONS:
                slowest["events"] = max(slowest["events"], self.regions.wait_moving(one, time.monotonic_ns(), 10))
            took = self.regions.wait_visible(self.regions.make_mark(), time.monotonic_ns(), seconds=10)
            slowest["changes"] = max(slowest["changes"], took)
        self.moving += slowest.values()
        if name == "worker" and seconds == HOUR and self.visible_seconds() - before < HOUR / 2:
            raise servers.ServerFailure(f"the worker of {region} does not live by the clock of the drill")
        if name != "worker" and abs(self.ahead(name, region) - seconds) > 5:
            raise servers.ServerFailure(f"{name} of {region} does not live by the clock of the drill")
        if name == "redis" and seconds == HOUR:
            self.figures["aheadSaidSeconds"] = self.regions.wait_state(
                peer(region), f"clock {region}", ["ahead"], time.monotonic_ns(), AHEAD_SECONDS)
        for one in REGIONS:
            self.require(self.holder(one) == self.holders[one], f"{one}: the lease stays where it was")
            self.require(self.regions.state(one, "lease") == "holding", f"{one}: the worker holds its lease")
        self.rounds.append({"fault": f"{name} {seconds:+} s", "region": region,
                            **{f"slowest {what}": round(took, 3) for what, took in slowest.items()}})

    def ahead(self, name, region):
        """By how many seconds a server is ahead, by its own word."""
        if name == "redis":
            return int(self.regions.redis[region].ask("TIME")[0]) - time.time()
        return float(self.regions.postgres.sql("SELECT extract(epoch FROM clock_timestamp())")) - time.time()

    def visible_seconds(self):
        """What the worker has measured from commit to sight, added up: by its clock and that of PostgreSQL."""
        return self.regions.sample(self.worker_region, "commit_to_visible_seconds_sum") or 0

    def holder(self, region):
        return self.regions.redis[region].ask("GET", "rs:{_}:worker").split(" ")[0]


class ClockRegions(Regions):
    """Two regions, in which one worker, the other region's Redis and PostgreSQL live by clocks of the drill."""

    def start_redis(self):
        self.redis = {}
        for name in REGIONS:
            redis = servers.Redis(self.drill.folder, name, DURABLE)
            if name == self.drill.redis_region:
                redis.environment = self.drill.clocks["redis"].environment
            self.redis[name] = self.drill.start(redis)

    def start_postgres(self):
        self.postgres = servers.Postgres(self.drill.folder)
        self.postgres.environment = self.drill.clocks["postgres"].environment
        self.drill.start(self.postgres)

    def start_worker(self, name):
        worker = servers.Worker(self.drill.folder, self.drill.program, self.files[name])
        if name == self.drill.worker_region:
            worker.environment = self.drill.clocks["worker"].environment
        return self.drill.start(worker)


class Clock:
    """A wall clock that can be set while programs run that live by it."""

    def __init__(self, path, library):
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(path)}

    def set(self, seconds):
        """So many seconds ahead of the true one, from now on."""
        self._page[:] = struct.pack("q", seconds)


class LagWatch:
    """Looks at every lag that workers export, without pause, for the length of its block."""

    def __init__(self, workers):
        self.workers = workers
        self.negative = set()
        self.longest = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.1):
            for region, worker in self.workers.items():
                for name, value in worker.metrics().items():
                    family = name.partition("{")[0]
                    if value < 0 and family != "regionsync_clock_ahead_seconds":
                        self.negative.add(f"{name} of {region}")
                    if family.endswith("lag_seconds"):
                        self.longest[f"{name} {region}"] = max(round(value, 3), self.longest.get(f"{name} {region}", 0))


def compile_library(folder):
    """The path of wall_clock.c, compiled."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        raise drilling.Skipped("clocks are set by a small library, and there is neither cc nor clang to compile it")
    library = folder / "wall_clock.so"
    source = pathlib.Path(__file__).with_name("wall_clock.c")
    words = [compiler, "-O2", "-shared", "-fPIC", "-o", library, source]
    answer = subprocess.run(words, capture_output=True, text=True)
    if answer.returncode != 0:
        raise drilling.Skipped(f"wall_clock.c cannot be compiled here: {answer.stderr.strip()}")
    return library


DRILLS = [ClockJump]
