"""`ops/bench faults`: what a cut, a long way and lost packets cost the mirror; how long a region's death and a lost slot
are felt.

The link leads through a proxy of ours, and for the packets through a namespace of its own, where there is root.
"""

import contextlib
import time

from bench_diff import DiffBench
from drill_region_kill import RegionKill
from figures import Figures, print_result, progress
import lossy
from servers import Folder, Redis, ServerFailure, Worker, region_files, wait_until
from wan import Proxy

TENANT = 101
STREAM = f"rs:{{{TENANT}}}:voice:us-east"
CUT_RATE = 5_000
FAR_RATE = 20_000
LOSSY_RATE = 200
WINDOW_BYTES = 8 << 20
LOSS = 0.02

# Figures by their names in the result.
NAMES = {
    "linkDownKnownSeconds": "link-down known after", "firstEventAfterHealSeconds": "first event after heal",
    "catchUpRatio": "catch-up ÷ live rate", "resentWindows": "sent again",
    "farEventsPerSecond": "events/s at a round trip of 200 ms", "farLagP50Ms": "lag p50 at a round trip of 200 ms",
    "farLagP99Ms": "lag p99 at a round trip of 200 ms", "lossyEventsPerSecond": "events/s with 2 % loss",
    "lossyLagP99Ms": "lag p99 with 2 % loss", "failoverSeconds": "region failover: serving after the decision",
}

# One page of a stream: its last ID, how many entries, and a digest of them. ARGV: where to begin.
PAGE = """local page = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 2000)
if #page == 0 then return {'', 0, ''} end
return {page[#page][1], #page, redis.sha1hex(cmsgpack.pack(page))}"""


class FaultsBench:
    """us-east, a worker, a proxy, eu-west. The worker does not project: the mirror alone is the question."""

    def __init__(self, programs, load, rounds, quick):
        self.programs = programs
        self.load = load
        self.quick = quick
        self.rounds = min(rounds, 3)
        self.cut_seconds = 5 if quick else 60
        self.seconds = 3 if quick else 20
        self.cut_rate = 500 if quick else CUT_RATE
        self.far_rate = 1_000 if quick else FAR_RATE
        self.lossy_seconds = 5 if quick else 60
        self.figures = Figures()
        self.compared = 0  # entries that both streams were found to hold, in the same order

    def run(self):
        self.run_proxied()
        self.obstacle = lossy.obstacle()
        if self.obstacle:
            progress(f"lost packets: skipped, {self.obstacle}")
        else:
            for number in range(self.rounds):
                progress(f"round {number + 1} of {self.rounds}: lost packets")
                self.lose_packets(number + 1)
        for number in range(1 if self.quick else self.rounds):
            progress(f"round {number + 1} of {self.rounds}: a region dies")
            self.fail_over(number + 1)
        self.diff = DiffBench(self.programs, self.load, self.rounds, self.quick, self.figures)
        self.diff.measure()
        self.tell()

    def run_proxied(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(Folder("bench-faults"))
            self.east = stack.enter_context(Redis(folder, "us-east"))
            self.west = stack.enter_context(Redis(folder, "eu-west"))
            self.link = stack.enter_context(Proxy(self.programs / "regionsync-load", self.west))
            files = region_files(
                folder, {"us-east": self.east, "eu-west": self.west}, tenants=[TENANT],
                change=lambda file: file.set("peers.redis.port", self.link.port))
            self.worker = stack.enter_context(
                Worker(folder, self.programs / "regionsync", files["us-east"], ["--without-projection"]))
            self.worker.wait_working("mirror eu-west")
            progress("warming up")
            self.load.lag([(self.east, self.west, "us-east", TENANT, TENANT)], self.cut_rate, 2)
            for number in range(self.rounds):
                progress(f"round {number + 1} of {self.rounds}: cut")
                self.cut()
                progress(f"round {number + 1} of {self.rounds}: far")
                self.far()

    # A cut of a minute.

    def cut(self):
        bytes_an_entry = self.sent_bytes() / self.appended()
        sent, appended = self.sent_bytes(), self.appended()
        lane = [(self.east, self.west, "us-east", TENANT, TENANT)]
        total = self.cut_seconds + 2 * self.seconds
        with self.load.lag_begun(lane, self.cut_rate, total, warm_up=0, write_only=True) as writing:
            time.sleep(self.seconds / 2)
            since = self.link.cut()["atNs"]
            wait_until("the link known to be down", lambda: self.sample("link_up") == 0)
            self.figures.add("link-down known after", (time.monotonic_ns() - since) / 1e9, "s", 2, ("<=", 3))
            time.sleep(max(0, self.cut_seconds - (time.monotonic_ns() - since) / 1e9))
            length = self.west.ask("XLEN", STREAM)
            with self.load.watch(self.west, "XLEN", STREAM, at_least=length + 1, poll_microseconds=500) as first:
                healed = self.link.heal()["atNs"]
                began = first.result()["atNs"]
            self.figures.add("first event after heal", (began - healed) / 1e9, "s", 3, ("<=", 2))
            # Caught up: no more behind than what is written in 50 ms.
            behind = lambda: self.east.ask("XLEN", STREAM) - self.west.ask("XLEN", STREAM)
            wait_until("catching up", lambda: behind() <= self.cut_rate // 20, 600, 0.005)
            seconds = (time.monotonic_ns() - began) / 1e9
            caught_up = (self.west.ask("XLEN", STREAM) - length) / seconds
            written = writing.result()["sent"]
        wait_until("the copy being complete", lambda: behind() == 0, 60)
        self.figures.add("catch-up", caught_up, "entries/s", 0)
        self.figures.add("catch-up ÷ live rate", caught_up / self.cut_rate, "", 1, (">=", 5))
        # The probes of the control journal, a few a second, are smaller than events; they count as if they were not.
        wait_until("the last answers", lambda: self.appended() - appended >= written)
        resent = self.sent_bytes() - sent - (self.appended() - appended) * bytes_an_entry
        self.figures.add("sent again", max(0, resent) / WINDOW_BYTES, "windows", 3, ("<=", 1))
        self.require_same(self.east, self.west, written)

    # A long way.

    def far(self):
        self.link.delay(100)
        time.sleep(2)
        result, achieved = self.lag(self.east, self.west, self.far_rate, self.seconds)
        self.link.delay(0)
        self.figures.add("events/s at a round trip of 200 ms", achieved, "", 0, (">=", self.far_rate))
        self.figures.add("lag p50 at a round trip of 200 ms", result["lag"]["p50Ms"], "ms", 1, ("<=", 105))
        self.figures.add("lag p99 at a round trip of 200 ms", result["lag"]["p99Ms"], "ms", 1)
        self.figures.add("writer late p99", result["lateP99Ms"], "ms", 2)
        self.require_same(self.east, self.west, result["sent"])

    def lag(self, east, west, rate, seconds):
        """What regionsync-load says of the lag, and how many entries a second arrived. A fiftieth more is written than
        must arrive: the ends of what is counted are ragged where packets are lost."""
        warm_up = 3
        lane = [(east, west, "us-east", TENANT, TENANT)]
        with self.load.lag_begun(lane, rate + rate // 50, seconds, warm_up) as running:
            time.sleep(warm_up)
            before, began = west.ask("XLEN", STREAM), time.monotonic()
            time.sleep(seconds - 1)
            achieved = (west.ask("XLEN", STREAM) - before) / (time.monotonic() - began)
            return running.result(), achieved

    # Lost packets.

    def lose_packets(self, seed):
        """200 events/s over a round trip of 200 ms on which one packet of fifty is lost, each way."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(Folder("bench-loss"))
            namespace = stack.enter_context(lossy.FarNamespace(folder, 100, LOSS, seed))
            east = stack.enter_context(Redis(folder, "us-east"))
            west = stack.enter_context(lossy.FarRedis(folder, "eu-west", namespace))
            files = region_files(
                folder, {"us-east": east, "eu-west": west}, tenants=[TENANT],
                change=lambda file: file.set("peers.redis.host", west.far_host))
            worker = stack.enter_context(
                Worker(folder, self.programs / "regionsync", files["us-east"], ["--without-projection"]))
            worker.wait_working("mirror eu-west")
            result, achieved = self.lag(east, west, LOSSY_RATE, self.lossy_seconds)
            self.figures.add("events/s with 2 % loss", achieved, "", 0, (">=", LOSSY_RATE))
            self.figures.add("lag p50 with 2 % loss", result["lag"]["p50Ms"], "ms", 1)
            self.figures.add("lag p99 with 2 % loss", result["lag"]["p99Ms"], "ms", 1, ("<=", 450))
            self.require_same(east, west, result["sent"])

    # A region that dies.

    def fail_over(self, seed):
        with Folder("bench-failover") as folder:
            report = RegionKill(seed, (self.programs / "regionsync").resolve(), folder, deadlines=False).run()
        if not report["pass"]:
            raise ServerFailure(f"the drill region-kill with seed {seed} failed: {report['broken']}")
        self.figures.add("region failover: serving after the decision", report["rtoSeconds"], "s", 2, ("<=", 5))

    # Figures.

    def sample(self, name):
        return self.worker.metrics().get(f'regionsync_mirror_{name}{{peer="eu-west"}}')

    def sent_bytes(self):
        return self.sample("sent_bytes_total")

    def appended(self):
        return sum(value for name, value in self.worker.metrics().items()
                   if name.startswith("regionsync_mirror_appended_total{"))

    def require_same(self, east, west, written):
        """Nothing lost, repeated or reordered: both streams hold the same entries in the same order, all written."""
        wait_until("the copy being complete", lambda: east.ask("XLEN", STREAM) == west.ask("XLEN", STREAM))
        count, begin = 0, "-"
        while True:
            pages = [server.ask("EVAL", PAGE, 1, STREAM, begin) for server in (east, west)]
            if pages[0] != pages[1]:
                raise ServerFailure(f"the copy differs behind {begin}")
            last, number, _ = pages[0]
            if number == 0:
                break
            count += number
            begin = f"({last}"
        if count < written:
            raise ServerFailure(f"{written} entries were acknowledged, the stream holds {count}")
        self.compared += count
        for server in (east, west):
            server.ask("XTRIM", STREAM, "MAXLEN", 1)

    def tell(self):
        self.figures.print_table(
            f"a link that is cut for {self.cut_seconds} s at {self.cut_rate:,} events/s; {self.far_rate:,} events/s at"
            f" a round trip of 200 ms; {self.rounds} rounds; 0 lost, repeated or reordered.\n"
            f"A region killed under load; a slot lost with {self.diff.objects:,} objects, {self.diff.drifted} drifted")
        # Whatever was lost, repeated or reordered would have ended this in `require_same`.
        mistakes = {word: 0 for word in ("lost", "duplicated", "reordered")}
        print_result({
            "bench": "faults", **mistakes, "comparedEntries": self.compared,
            **{key: self.figures.median(name) if name in self.figures else None for key, name in NAMES.items()},
            "lossySkipped": self.obstacle, "diff": self.diff.result(),
            "targets": {**{word: {"target": "== 0", "met": True} for word in mistakes}, **self.figures.targets(NAMES)},
        })
