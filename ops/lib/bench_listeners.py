"""`ops/bench listeners`: the RESP ports against redis-server: reads, fan-out, delivery, WAIT, tokens, idle clients."""

import contextlib
import csv
import resource
import statistics
import subprocess
import time

from figures import Figures, print_result, progress
from open_files import allow_files
from raw_resp import RawConnection
from servers import Folder, Postgres, Redis, ServerFailure, Worker, region_files, wait_until

EAST, WEST = "us-east", "eu-west"
STREAM = "bench-fan-out"
CLIENTS = 50


class ListenersBench:
    """Two whole regions; what stands beside them is the region's own Redis, asked the same."""

    def __init__(self, programs, load, rounds, quick):
        self.program = programs / "regionsync"
        self.load = load
        self.rounds = rounds
        self.requests = 5_000 if quick else 200_000
        self.seconds = 2 if quick else 10
        self.readers = 20 if quick else 200
        self.idle = 500 if quick else 10_000
        self.samples = 50 if quick else 500
        self.figures = Figures()

    def run(self):
        allow_files(self.idle + 1_000)
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(Folder("bench-listeners"))
            self.redis = {name: stack.enter_context(Redis(folder, name)) for name in (EAST, WEST)}
            self.native = stack.enter_context(Redis(folder, "native"))
            self.postgres = stack.enter_context(Postgres(folder))
            files = region_files(folder, self.redis, self.postgres, change=self.change, listeners=True)
            self.postgres.migrate(self.program, files[EAST])
            self.workers = {name: stack.enter_context(Worker(folder, self.program, files[name]))
                            for name in (EAST, WEST)}
            for name, peer in ((EAST, WEST), (WEST, EAST)):
                self.workers[name].wait_working(f"mirror {peer}", "projection provisioning")
                self.workers[name].wait_listening()
            self.make_object()
            for number in range(self.rounds):
                self.round(number)
        self.tell()

    def change(self, file):
        file.add("listeners.limits", "{clients: 11000, clientsPerSource: 11000}")

    def make_object(self):
        """A person of about twenty fields, in both caches, and the tenant it belongs to."""
        self.tenant = self.postgres.sql("INSERT INTO provisioning.tenant (name) VALUES ('bench') RETURNING dbid")
        self.person = self.postgres.sql(
            "INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id, first_name, last_name, email, "
            f"is_agent) VALUES ({self.tenant}, 'ada', '4711', 'Ada', 'Lovelace', 'ada@example.org', true) "
            "RETURNING dbid")
        self.key = f"cfg:{{{self.tenant}}}:person:{self.person}"
        for redis in self.redis.values():
            wait_until("the object in both caches", lambda: redis.ask("EXISTS", self.key) == 1)
        self.journal = f"rs:{{{self.tenant}}}:voice:{EAST}"
        self.stream = f"voice:{self.tenant}@{EAST}"
        own = self.redis[EAST].ask("HGETALL", self.key)
        ours = RawConnection(self.port(EAST, "config"))
        if sorted(ours.ask("CFG.GET", self.tenant, "person", self.person)) != sorted(own):
            raise ServerFailure("CFG.GET and HGETALL answer different objects: nothing can be compared")
        ours.close()

    def port(self, region, name):
        return self.workers[region].ports[name]

    def round(self, number):
        say = lambda what: progress(f"round {number + 1} of {self.rounds}: {what}")
        is_odd = number % 2 == 1
        for depth in (1, 16):
            say(f"reads at depth {depth}")
            self.reads(depth, is_odd)
        say("fan-out")
        self.fan_out(is_odd)
        say("delivery")
        self.delivery(is_odd)
        say("WAIT")
        self.waiting()
        say("tokens")
        self.tokens()
        say(f"{self.idle:,} idle clients")
        self.idle_clients()

    # Reads.

    def reads(self, depth, is_odd):
        sides = {"Redis": (self.redis[EAST], self.redis[EAST].port, ("HGETALL", self.key)),
                 "ours": (self.workers[EAST], self.port(EAST, "config"),
                          ("CFG.GET", self.tenant, "person", self.person))}
        speed = {name: self.benchmark(name, *sides[name], depth) for name in ordered(sides, is_odd)}
        self.figures.add(f"reads at depth {depth}, ours ÷ Redis", speed["ours"] / speed["Redis"], "", 2, (">=", 0.8))

    def benchmark(self, name, server, port, words, depth):
        """Requests a second by redis-benchmark; what each costs the server, and whether its client could do more."""
        count = self.requests * (1 if depth == 1 else 4)
        command = ["redis-benchmark", "-p", port, "-c", CLIENTS, "-n", count, "-P", depth, "--csv", *words]
        used = server.cpu_seconds()
        with Share() as client:
            answer = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        used = server.cpu_seconds() - used
        # It ends at the first error of the server, which is told on standard error.
        if answer.returncode != 0 or "Error" in answer.stderr:
            raise ServerFailure(f"redis-benchmark failed: {answer.stderr.strip()[:500]}")
        [row] = [row for row in csv.reader(answer.stdout.splitlines()) if row and row[0] != "test"]
        what = f"reads at depth {depth}, {name}"
        self.figures.add(what, float(row[1]), "requests/s", 0)
        self.figures.add(f"{what}: server's CPU a request", 1e6 * used / count, "µs", 2)
        self.figures.add(f"{what}: client's CPU", client.percent, "% of a core", 0)
        return float(row[1])

    # Events.

    def followers(self, is_odd):
        """Where events are written and read, of both sides, neither of which always goes first."""
        east, voice = self.redis[EAST], f"127.0.0.1:{self.port(EAST, 'voice')}"
        sides = {"Redis": (self.native.address, STREAM, self.native.address, STREAM),
                 "ours": (east.address, self.journal, voice, self.stream)}
        return [(name, sides[name]) for name in ordered(sides, is_odd)]

    def fan_out(self, is_odd):
        speed = {}
        for name, places in self.followers(is_odd):
            with Share() as client:
                found = self.load.fan_out(*places, clients=self.readers, seconds=self.seconds)
            speed[name] = found["deliveriesPerSecond"]
            self.figures.add(f"fan-out, {name}", speed[name], "deliveries/s", 0)
            self.figures.add(f"fan-out, {name}: client's CPU", client.percent, "% of a core", 0)
        self.native.ask("XTRIM", STREAM, "MAXLEN", 1)
        self.figures.add("fan-out, ours ÷ Redis", speed["ours"] / speed["Redis"], "", 2, (">=", 0.7))

    def delivery(self, is_odd):
        """From the moment an XADD is sent to Redis until one reader has decoded the entry, in one client."""
        for name, places in self.followers(is_odd):
            found = self.load.fan_out(*places, clients=1, rate=2000, seconds=self.seconds)
            self.figures.add(f"delivery p50, {name}", found["delay"]["p50Ms"], "ms", 3)
            self.figures.add(f"delivery p99, {name}", found["delay"]["p99Ms"], "ms", 3,
                             ("<=", 2) if name == "ours" else None)
            # A writer that is late itself hides what it would have waited for.
            self.figures.add(f"delivery, {name}: writer late p99", found["lateP99Ms"], "ms", 3)
        self.native.ask("XTRIM", STREAM, "MAXLEN", 1)

    def waiting(self):
        """Time that WAIT takes once the event is in, beyond a round trip to the peer's Redis."""
        connection, peer = RawConnection(self.port(EAST, "voice")), RawConnection(self.redis[WEST].port)
        took, trips = [], []
        for number in range(self.samples):
            connection.ask("XADD", f"voice:{self.tenant}", "*", "event", "EventUserEvent", "key", number, "data", "{}")
            began = time.monotonic_ns()
            if connection.ask("WAIT", 1, 5000) != 1:
                raise ServerFailure("WAIT 1 5000 did not see the peer")
            took.append(time.monotonic_ns() - began)
            began = time.monotonic_ns()
            peer.ask("PING")
            trips.append(time.monotonic_ns() - began)
        connection.close()
        peer.close()
        added = (statistics.median(took) - statistics.median(trips)) / 1e6
        self.figures.add("WAIT 1, p50 beyond a round trip", added, "ms", 3, ("<=", 2))
        self.figures.add("WAIT 1, p99", percentile(took, 0.99) / 1e6, "ms", 3)

    def tokens(self):
        """From the answer of a write in one region to the answer of a read with its token in the other."""
        for writer, reader in ((EAST, WEST), (WEST, EAST)):
            write, read = RawConnection(self.port(writer, "config")), RawConnection(self.port(reader, "config"))
            took, wrote = [], []
            for number in range(self.samples):
                began = time.monotonic_ns()
                answer = write.ask("CFG.PUT", self.tenant, "person", self.person, "external_id", number)
                done = time.monotonic_ns()
                token = answer[answer.index("token") + 1]
                seen = read.ask("CFG.GET", self.tenant, "person", self.person, "AT", token)
                took.append(time.monotonic_ns() - done)
                wrote.append(done - began)
                if seen[seen.index("external_id") + 1] != str(number):
                    raise ServerFailure(f"{reader} does not show what {writer} wrote, though it has the token")
            write.close()
            read.close()
            name = f"token read in {reader}"
            self.figures.add(f"{name}, p50", percentile(took, 0.5) / 1e6, "ms", 3)
            self.figures.add(f"{name}, p99", percentile(took, 0.99) / 1e6, "ms", 3, ("<=", 15))
            self.figures.add(f"write in {writer}, p50", percentile(wrote, 0.5) / 1e6, "ms", 3)

    # Idle clients.

    def idle_clients(self):
        """What clients that have said who they are, and wait, cost a worker that has served nobody before."""
        worker = self.workers[EAST]
        # Memory that other clients have left behind would be taken again, and look as if it cost nothing.
        worker.stop()
        worker.start()
        worker.wait_working(f"mirror {WEST}", "projection provisioning")
        worker.wait_listening()
        for name in worker.ports:
            first = RawConnection(self.port(EAST, name))
            self.greet([first])
            first.close()
        time.sleep(1)
        before = worker.resident_mib()
        clients = []
        try:
            for number in range(self.idle):
                clients.append(RawConnection(self.port(EAST, "voice" if number % 2 else "config")))
                if number % 200 == 199 or number == self.idle - 1:
                    self.greet(clients[number - number % 200:])
            time.sleep(1)
            held = worker.metrics()
            count = sum(held.get(f'regionsync_listener_connections{{port="{name}"}}', 0)
                        for name in ("config", "voice"))
            if count < self.idle:
                raise ServerFailure(f"{self.idle} clients connected, {count:.0f} are held open")
            kib = (worker.resident_mib() - before) * 1024 / self.idle
            self.figures.add("an idle connection", kib, "KiB", 1, ("<=", 24))
            self.greet(clients)
        finally:
            for one in clients:
                one.close()
        wait_until("the worker letting them go", lambda: sum(
            worker.metrics().get(f'regionsync_listener_connections{{port="{name}"}}', 0)
            for name in ("config", "voice")) == 0)

    @staticmethod
    def greet(clients):
        """Lets each say something, and be answered."""
        for one in clients:
            one.send("HELLO", 3)
        for one in clients:
            one.reply()

    def tell(self):
        self.figures.print_table(
            f"listeners against redis-server: {self.rounds} rounds, {CLIENTS} clients reading, {self.readers} following,"
            f" {self.idle:,} idle")
        median = self.figures.median
        print_result({
            "bench": "listeners", "getDepth1Ratio": median("reads at depth 1, ours ÷ Redis"),
            "getDepth16Ratio": median("reads at depth 16, ours ÷ Redis"), "fanOutRatio": median("fan-out, ours ÷ Redis"),
            "idleConnectionKiB": median("an idle connection"), "deliveryP99Ms": median("delivery p99, ours"),
            "waitAddedP50Ms": median("WAIT 1, p50 beyond a round trip"),
            "tokenReadP99Ms": max(median(f"token read in {region}, p99") for region in (EAST, WEST)),
        })


class Share:
    """How much of a core the programs take that are run, and end, within its block."""

    def __enter__(self):
        self._began, self._used = time.monotonic(), self._children()
        return self

    def __exit__(self, kind, error, trace):
        self.percent = 100 * (self._children() - self._used) / (time.monotonic() - self._began)

    @staticmethod
    def _children():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


def ordered(sides, is_odd):
    """Neither side always goes first."""
    return reversed(sides) if is_odd else sides


def percentile(samples, share):
    ordered_samples = sorted(samples)
    return ordered_samples[min(int(share * len(ordered_samples)), len(ordered_samples) - 1)]
