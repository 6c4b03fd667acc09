"""`ops/bench mirror`: our mirror against Redis' native replication, catch-up and lag."""

import contextlib

from figures import Figures, print_result, progress
from servers import Folder, Redis, ServerFailure, Worker, region_files, wait_until

TENANT = 101
STREAM = f"rs:{{{TENANT}}}:voice:us-east"

# The primary keeps everything for a replica that stands still, however long that takes: no full resync.
PATIENT_PRIMARY = ["--client-output-buffer-limit", "replica 0 0 0", "--repl-timeout", "600"]


class MirrorBench:
    """One pair of servers for each side: a primary and its replica; us-east, a worker and eu-west."""

    def __init__(self, programs, load, rounds, quick):
        self.programs = programs
        self.load = load
        self.rounds = rounds
        self.entries = 20_000 if quick else 500_000
        self.seconds = 2 if quick else 20
        self.figures = Figures()

    def run(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(Folder("bench-mirror"))
            self.primary = stack.enter_context(Redis(folder, "primary", PATIENT_PRIMARY))
            self.replica = stack.enter_context(Redis(folder, "replica", ["--repl-timeout", "600"], self.primary))
            self.east = stack.enter_context(Redis(folder, "us-east"))
            self.west = stack.enter_context(Redis(folder, "eu-west"))
            files = region_files(folder, {"us-east": self.east, "eu-west": self.west}, tenants=[TENANT])
            # Replication does not project either; and a projection still at work would slow the side measured next.
            self.worker = stack.enter_context(
                Worker(folder, self.programs / "regionsync", files["us-east"], ["--without-projection"]))
            self.worker.wait_working("mirror eu-west")
            full_resyncs = self.primary.info("stats")["sync_full"]
            self.warm_up()
            for number in range(self.rounds):
                self.round(number)
            if self.primary.info("stats")["sync_full"] != full_resyncs:
                raise ServerFailure("native replication resynced in full: its figures are of something else")
        self.tell()

    def warm_up(self):
        """A little of both, so that code, memory and connections of both sides are warm."""
        progress("warming up")
        for side in (self.native_catch_up, self.our_catch_up):
            side(self.entries // 10)

    def round(self, number):
        sides = [("native", self.native_catch_up, (self.primary, self.replica)),
                 ("ours", self.our_catch_up, (self.east, self.west))]
        if number % 2:
            sides.reverse()  # neither side always goes first
        speed, lag = {}, {}
        for name, catch_up, _ in sides:
            progress(f"round {number + 1} of {self.rounds}: catch-up, {name}")
            before = self.worker.cpu_seconds()
            speed[name] = catch_up(self.entries)
            if name == "ours":
                cpu = self.worker.cpu_seconds() - before
        for name, _, servers in sides:
            progress(f"round {number + 1} of {self.rounds}: lag, {name}")
            lag[name] = self.load.lag([(*servers, "us-east", TENANT, TENANT)], 2000, self.seconds)
            self.shorten(*servers)
        self.note(speed, cpu, lag)

    def note(self, speed, cpu, lag):
        add = self.figures.add
        add("catch-up native", speed["native"], "entries/s", 0)
        add("catch-up ours", speed["ours"], "entries/s", 0)
        add("catch-up ours ÷ native", speed["ours"] / speed["native"], "", 2, (">=", 0.6))
        add("worker CPU a million entries", cpu / self.entries * 1e6, "s", 2, ("<=", 1.5))
        for name in ("native", "ours"):
            add(f"lag p50 {name}", lag[name]["lag"]["p50Ms"], "ms", 3)
            add(f"lag p99 {name}", lag[name]["lag"]["p99Ms"], "ms", 3)
            add(f"writer late p99 {name}", lag[name]["lateP99Ms"], "ms", 3)
        add("lag p50 ours ÷ native", lag["ours"]["lag"]["p50Ms"] / lag["native"]["lag"]["p50Ms"], "", 2, ("<=", 3))
        add("lag p99 added", lag["ours"]["lag"]["p99Ms"] - lag["native"]["lag"]["p99Ms"], "ms", 3, ("<=", 5))

    def native_catch_up(self, entries):
        return self.catch_up(self.replica, self.primary, self.replica, entries)

    def our_catch_up(self, entries):
        return self.catch_up(self.worker, self.east, self.west, entries)

    def catch_up(self, follower, source, target, entries):
        """Stops the follower, writes, continues it. Returns entries a second from then until the copy is complete."""
        length = target.ask("XLEN", STREAM)
        follower.pause()
        try:
            self.load.fill(source, STREAM, entries)
        except BaseException:
            follower.resume()
            raise
        with self.load.watch(target, "XLEN", STREAM, at_least=length + entries, resume=follower.pid) as watching:
            seconds = watching.result()["seconds"]
        self.require_same_end(source, target)
        self.shorten(source, target)
        return entries / seconds

    def require_same_end(self, source, target):
        last = [server.ask("XREVRANGE", STREAM, "+", "-", "COUNT", 1)[0] for server in (source, target)]
        if last[0] != last[1]:
            raise ServerFailure(f"the copy ends with {last[1][0]}, the stream with {last[0][0]}")

    def shorten(self, source, target):
        """Keeps the last entry, the mirror's cursor, so that rounds do not pile up in memory."""
        wait_until("the copy being complete", lambda: source.ask("XLEN", STREAM) == target.ask("XLEN", STREAM))
        source.ask("XTRIM", STREAM, "MAXLEN", 1)
        if target.replica_of:
            wait_until("the replica trimming", lambda: target.ask("XLEN", STREAM) == 1)
        else:
            target.ask("XTRIM", STREAM, "MAXLEN", 1)

    def tell(self):
        self.figures.print_table(
            f"mirror against native replication: {self.rounds} rounds of {self.entries:,} entries and"
            f" {self.seconds} s at 2,000 events/s")
        median = self.figures.median
        print_result({
            "bench": "mirror", "catchUpRatio": median("catch-up ours ÷ native"),
            "lagP50Ratio": median("lag p50 ours ÷ native"), "addedP99Ms": median("lag p99 added"),
            "workerCPUSecondsPerMillion": median("worker CPU a million entries"),
        })
