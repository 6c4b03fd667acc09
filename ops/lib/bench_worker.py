"""`ops/bench worker`: the worker's memory with a backlog, idle CPU, time to start, and a thousand tenants."""

import contextlib
import time

from figures import Figures, print_result, progress
from servers import Folder, Postgres, Redis, Worker, region_files, wait_until

TENANT = 101
STREAM = f"rs:{{{TENANT}}}:voice:us-east"


class WorkerBench:
    """Two parts, each with servers of its own: one tenant, then a thousand of them."""

    def __init__(self, programs, load, rounds, quick):
        self.program = programs / "regionsync"
        self.load = load
        self.rounds = rounds
        self.backlog = 20_000 if quick else 1_000_000
        self.idle_seconds = 2 if quick else 20
        self.seconds = 2 if quick else 20
        self.tenants = 1000
        self.figures = Figures()

    def run(self):
        with contextlib.ExitStack() as stack:
            self.one_tenant(stack)
        with contextlib.ExitStack() as stack:
            self.many_tenants(stack)
        self.tell()

    def regions(self, stack, folder, tenants):
        """Servers for two whole regions, and their workers, not started yet."""
        servers = {region: stack.enter_context(Redis(folder, region)) for region in ("us-east", "eu-west")}
        postgres = stack.enter_context(Postgres(folder))
        files = region_files(folder, servers, postgres, tenants=tenants)
        postgres.migrate(self.program, files["us-east"])
        workers = [Worker(folder, self.program, file) for file in files.values()]
        for worker in workers:
            stack.callback(worker.stop)
        return list(servers.values()), workers

    @staticmethod
    def start_both(workers):
        """Starts those of both regions that do not run; returns when entries flow both ways."""
        for worker, peer in zip(workers, ("eu-west", "us-east")):
            if worker.process is None:
                worker.start()
            worker.wait_working(f"mirror {peer}")

    # One tenant.

    def one_tenant(self, stack):
        folder = stack.enter_context(Folder("bench-worker"))
        (east, west), workers = self.regions(stack, folder, [TENANT])
        for number in range(self.rounds):
            say = lambda what: progress(f"round {number + 1} of {self.rounds}: {what}")
            say("start")
            self.start(workers[0], east, west)
            say("backlog")
            self.hold_backlog(workers[0], east, west)
            say("idle")
            self.start_both(workers)
            time.sleep(2)
            self.figures.add("idle, of one core", max(self.core_percent(workers, self.idle_seconds)), "%", 2, ("<=", 2))
            for worker in workers:
                worker.stop()

    def start(self, worker, east, west):
        """From the start of the process until its first event stands in the other region."""
        east.ask("XADD", STREAM, "*", "event", "EventUserEvent", "key", "0", "data", "{}")
        length = east.ask("XLEN", STREAM)
        with self.load.watch(west, "XLEN", STREAM, at_least=length, poll_microseconds=500) as watching:
            began = time.monotonic_ns()
            worker.start(wait=False)
            mirrored = watching.result()["atNs"]
        self.figures.add("start to first event mirrored", (mirrored - began) / 1e6, "ms", 0, ("<=", 1000))
        worker.wait_ready()

    def hold_backlog(self, worker, east, west):
        """A backlog grows while the peer's Redis is gone; then it comes back and takes all of it."""
        worker.stop()
        worker.start()
        worker.wait_working("mirror eu-west")
        west.stop(save=True)
        self.load.fill(east, STREAM, self.backlog)
        time.sleep(1)
        waiting = worker.resident_mib()
        west.start()
        length = east.ask("XLEN", STREAM)
        with self.load.watch(west, "XLEN", STREAM, at_least=length) as watching:
            seconds = watching.result()["seconds"]
        self.figures.add("resident while the peer is gone", waiting, "MiB", 1)
        self.figures.add("resident at most, with backlog", worker.peak_resident_mib(), "MiB", 1, ("<=", 128))
        self.figures.add("backlog drained", self.backlog / seconds, "entries/s", 0)
        # The last entry stays: it is the cursor of mirror and projection, which must have come that far.
        [[last, _]] = east.ask("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        cursor = lambda: east.ask("HGET", f"rs:{{{TENANT}}}:projection", "voice:us-east")
        wait_until("the projection reaching the end", lambda: cursor() == last, 300, 0.05)
        for redis in (east, west):
            redis.ask("XTRIM", STREAM, "MAXLEN", 1)

    # Many tenants.

    def many_tenants(self, stack):
        folder = stack.enter_context(Folder("bench-tenants"))
        first, half, last = TENANT, TENANT + self.tenants // 2, TENANT + self.tenants - 1
        native = []
        for region, tenants in (("us-east", (first, half - 1)), ("eu-west", (half, last))):
            primary = stack.enter_context(Redis(folder, f"primary-{region}"))
            replica = stack.enter_context(Redis(folder, f"replica-{region}", replica_of=primary))
            native.append((primary, replica, region, *tenants))
        (east, west), workers = self.regions(stack, folder, range(first, last + 1))
        ours = [(east, west, "us-east", first, half - 1), (west, east, "eu-west", half, last)]
        self.start_both(workers)
        progress(f"warming up with {self.tenants} tenants")
        for lanes in (native, ours):
            self.load.lag(lanes, 2000, 1, warm_up=3)
        for number in range(self.rounds):
            progress(f"round {number + 1} of {self.rounds}: {self.tenants} tenants")
            self.tenants_round(number, native, ours, workers, (east, west))

    def tenants_round(self, number, native, ours, workers, servers):
        add = self.figures.add
        time.sleep(2)
        add("tenants: idle, of one core", max(self.core_percent(workers, self.idle_seconds)), "%", 2, ("<=", 5))
        lag = {}

        def measure_native():
            lag["native"] = self.load.lag(native, 2000, self.seconds)["lag"]

        def measure_ours():
            with self.load.lag_begun(ours, 2000, self.seconds) as running:
                time.sleep(2)  # its warm-up
                worker_percent, redis_percent = self.shares(workers, servers)
                lag["ours"] = running.result()["lag"]
            add("tenants: worker, of one core", worker_percent, "%", 1, ("<=", 60))
            add("tenants: Redis, readers of the bench included", redis_percent, "%", 1)

        for measure in (measure_native, measure_ours) if number % 2 == 0 else (measure_ours, measure_native):
            measure()
        with self.load.lag_begun(ours, 2000, self.seconds, write_only=True) as running:
            time.sleep(2)
            _, redis_percent = self.shares(workers, servers)
            running.result()
        add("tenants: Redis, of one core", redis_percent, "%", 1, ("<=", 40))
        for side in ("native", "ours"):
            add(f"tenants: lag p50 {side}", lag[side]["p50Ms"], "ms", 3)
            add(f"tenants: lag p99 {side}", lag[side]["p99Ms"], "ms", 3)
        add("tenants: lag p99 added", lag["ours"]["p99Ms"] - lag["native"]["p99Ms"], "ms", 3, ("<=", 10))

    def shares(self, workers, servers):
        """What the busiest worker and the busiest Redis take of a core while the load runs."""
        shares = self.core_percent([*workers, *servers], self.seconds * 0.9)
        return max(shares[:len(workers)]), max(shares[len(workers):])

    @staticmethod
    def core_percent(programs, seconds):
        """What each of the programs takes of one core over so many seconds."""
        before, began = [one.cpu_seconds() for one in programs], time.monotonic()
        time.sleep(seconds)
        after, took = [one.cpu_seconds() for one in programs], time.monotonic() - began
        return [100 * (end - begin) / took for begin, end in zip(before, after)]

    def tell(self):
        self.figures.print_table(f"worker: {self.rounds} rounds, a backlog of {self.backlog:,} entries")
        median = self.figures.median
        print_result({
            "bench": "worker", "residentMiBWithBacklog": median("resident at most, with backlog"),
            "idleCorePercent": median("idle, of one core"), "startMs": median("start to first event mirrored"),
            "tenants": self.tenants, "tenantsAddedP99Ms": median("tenants: lag p99 added"),
            "tenantsWorkerCorePercent": median("tenants: worker, of one core"),
            "tenantsRedisCorePercent": median("tenants: Redis, of one core"),
        })
