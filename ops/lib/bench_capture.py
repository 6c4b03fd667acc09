"""`ops/bench capture`: capture and projection against pg_recvlogical, which decodes the same WAL and throws it away."""

import contextlib
import subprocess
import time

from figures import Figures, print_result, progress
from servers import Folder, Postgres, Redis, ServerFailure, Worker, region_files, wait_until

TENANT = 102
JOURNAL = "rs:{_}:provisioning:us-east"
WITHOUT_PROJECTION = "--without-projection"


class CaptureBench:
    """Commits one by one while both clients listen, then throughput over WAL that is there."""

    def __init__(self, programs, load, rounds, quick):
        self.program = programs / "regionsync"
        self.load = load
        self.rounds = rounds
        self.large = 5_000 if quick else 100_000  # rows of the one large transaction
        self.small = 1_000 if quick else 50_000  # small transactions, two rows each
        self.rows = self.large + 2 * self.small + 1
        self.seconds = 3 if quick else 20
        self.marker = 0
        self.figures = Figures()

    def run(self):
        with contextlib.ExitStack() as stack:
            folder = self.folder = stack.enter_context(Folder("bench-capture"))
            self.postgres = stack.enter_context(Postgres(folder))
            self.east = stack.enter_context(Redis(folder, "us-east"))
            self.west = stack.enter_context(Redis(folder, "eu-west"))
            servers = {"us-east": self.east, "eu-west": self.west}
            both = region_files(folder, servers, self.postgres)
            self.postgres.migrate(self.program, both["us-east"])
            progress(f"filling the database with {self.large:,} persons")
            self.fill_database()

            self.visible_rounds(both)
            # pg_recvlogical has no peer either: throughput is that of one region by itself.
            alone = region_files(
                folder, servers, self.postgres, subfolder="alone", change=lambda file: file.remove("peers"))
            worker = Worker(folder, self.program, alone["us-east"], name="worker-alone")
            journaling = Worker(
                folder, self.program, alone["us-east"], [WITHOUT_PROJECTION], name="worker-without-projection")
            for one in (worker, journaling):
                stack.callback(one.stop)
            for number in range(self.rounds):
                self.throughput_round(number, worker, journaling)
        self.tell()

    # Data and load.

    @property
    def marked_key(self):
        return f"cfg:{{{TENANT}}}:tenant:{TENANT}"

    def fill_database(self):
        self.postgres.sql(f"""
            INSERT INTO provisioning.tenant (dbid, name) OVERRIDING SYSTEM VALUE VALUES ({TENANT}, 'Bench');
            INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id, first_name, last_name, email)
                SELECT {TENANT}, 'person' || n, 'e' || n, 'First' || n, 'Last' || n, 'person' || n || '@example.com'
                FROM generate_series(1, {self.large}) AS n;
            INSERT INTO provisioning.role (tenant_dbid, name, description)
                SELECT {TENANT}, 'role' || n, 'what role ' || n || ' may do' FROM generate_series(1, 1000) AS n;
            VACUUM ANALYZE provisioning.person""")

    def write_load(self):
        """One large transaction among many small ones, then the marker. Returns it, and where it begins and ends."""
        self.small_transactions(self.small // 2)
        self.postgres.sql(
            f"UPDATE provisioning.person SET external_id = 'round {self.marker}' WHERE tenant_dbid = {TENANT}")
        self.small_transactions(self.small - self.small // 2)
        begin = self.postgres.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")
        marker = self.commit_marker()
        # Both clients get messages: this one, behind everything, ends the floor client.
        end = self.postgres.sql("SELECT pg_logical_emit_message(false, 'bench', 'end')")
        return marker, int(begin), end

    def small_transactions(self, count):
        self.postgres.sql(f"""
            DO $$
            DECLARE
                persons bigint[] := ARRAY(SELECT dbid FROM provisioning.person ORDER BY dbid LIMIT 1000);
                roles bigint[] := ARRAY(SELECT dbid FROM provisioning.role ORDER BY dbid LIMIT 1000);
            BEGIN
                FOR n IN 1..{count} LOOP
                    UPDATE provisioning.person SET email = 'p' || n || '@example.com'
                        WHERE dbid = persons[1 + n % cardinality(persons)];
                    UPDATE provisioning.role SET description = 'since ' || n WHERE dbid = roles[1 + n % 1000];
                    COMMIT;
                END LOOP;
            END $$""")

    def commit_marker(self):
        self.marker += 1
        marker = f"marker {self.marker}"
        self.postgres.sql(f"UPDATE provisioning.tenant SET charge_number = '{marker}' WHERE dbid = {TENANT}")
        return marker

    def await_marker(self, marker, redis):
        """Waits until a cache shows it, and for the acknowledgement to PostgreSQL that trails it."""
        shown = lambda: redis.ask("HGET", self.marked_key, "charge_number") == marker
        wait_until(f"{redis.name} showing {marker}", shown, 300, 0.05)
        time.sleep(3)

    # Throughput.

    def throughput_round(self, number, worker, journaling):
        say = lambda what: progress(f"round {number + 1} of {self.rounds}: {what}")

        say("journal")
        length = self.east.ask("XLEN", JOURNAL)
        position = lambda marker, begin: (["HGET", f"{JOURNAL}:meta", "position"], {"at_least": self.history + begin})
        speed, cpu = self.compare(number, journaling, position)
        journaled = self.east.ask("XLEN", JOURNAL) - length
        if journaled < self.rows:
            raise ServerFailure(f"{self.rows} rows were changed and only {journaled} entries journaled")
        self.note("journal", speed, cpu, 0.75)
        with worker:  # the projection catches up
            self.await_marker(f"marker {self.marker}", self.east)
        self.shorten()

        say("visible")
        shown = lambda marker, begin: (["HGET", self.marked_key, "charge_number"], {"equals": marker})
        speed, cpu = self.compare(number, worker, shown)
        self.note("visible", speed, cpu, 0.5)
        with worker:
            self.await_marker(f"marker {self.marker}", self.east)
        self.shorten()

    @property
    def history(self):
        """The history number as positions carry it (journal.md)."""
        return int(self.postgres.sql("SELECT max(number) FROM regionsync.history")) << 52

    def compare(self, number, worker, target):
        """Both sides over the same WAL, from the start of the process to the last row. Returns rows a second of each,
        and the worker's CPU seconds."""
        self.await_free("regionsync")
        self.postgres.sql("SELECT pg_copy_logical_replication_slot('regionsync', 'bench_floor')")
        marker, begin, end = self.write_load()
        question, reached = target(marker, begin)
        speed, cpu = {}, None
        for side in ("native", "ours") if number % 2 == 0 else ("ours", "native"):
            if side == "native":
                speed[side] = self.rows / self.floor_seconds(end)
                continue
            with self.load.watch(self.east, *question, poll_microseconds=2000, **reached) as watching:
                began = time.monotonic_ns()
                worker.start(wait=False)
                speed[side] = self.rows / ((watching.result()["atNs"] - began) / 1e9)
            cpu = worker.cpu_seconds()
            worker.stop()
        self.drop_slot("bench_floor")
        return speed, cpu

    def floor_seconds(self, end):
        """How long pg_recvlogical takes from its start until it has received everything up to `end`."""
        began = time.monotonic()
        answer = subprocess.run(
            self.floor_command("bench_floor", "/dev/null") + ["--endpos", end], capture_output=True, text=True,
            timeout=300)
        if answer.returncode != 0:
            raise ServerFailure(f"pg_recvlogical failed: {answer.stderr.strip()}")
        return time.monotonic() - began

    def floor_command(self, slot, file):
        """pg_recvlogical with the options that the worker streams with."""
        return ["setpriv", "--pdeathsig", "TERM", "--", str(self.postgres.program("pg_recvlogical")),
                "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U", "postgres", "-d", self.postgres.database,
                "--slot", slot, "--start", "--no-loop", "-f", file, "-o", "proto_version=1",
                "-o", "publication_names=regionsync", "-o", "messages=true"]

    def await_free(self, slot):
        free = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}' AND NOT active"
        wait_until(f"slot {slot} being free", lambda: self.postgres.sql(free) == "1")

    def drop_slot(self, slot):
        self.await_free(slot)
        self.postgres.sql(f"SELECT pg_drop_replication_slot('{slot}')")

    def shorten(self):
        """Keeps the last transaction, whole: readers' cursors are there. So rounds do not pile up in memory."""
        [[last, _]] = self.east.ask("XREVRANGE", JOURNAL, "+", "-", "COUNT", 1)
        self.east.ask("XTRIM", JOURNAL, "MINID", last.partition("-")[0] + "-0")

    def note(self, name, speed, cpu, wanted):
        add = self.figures.add
        add(f"{name}: floor", speed["native"], "rows/s", 0)
        add(f"{name}: ours", speed["ours"], "rows/s", 0)
        add(f"{name}: ours ÷ floor", speed["ours"] / speed["native"], "", 2, (">=", wanted))
        add(f"{name}: worker CPU a million rows", cpu / self.rows * 1e6, "s", 2)

    # Commits one by one.

    def visible_rounds(self, files):
        """Both regions at work, from their first snapshot on."""
        progress("first snapshot")
        with contextlib.ExitStack() as stack:
            for region in ("us-east", "eu-west"):
                stack.enter_context(Worker(self.folder, self.program, files[region]))
            marker = self.commit_marker()
            self.await_marker(marker, self.east)
            self.await_marker(marker, self.west)
            for number in range(self.rounds):
                progress(f"round {number + 1} of {self.rounds}: commit to visible")
                self.visible_round()
            self.await_marker(self.commit_marker(), self.west)

    def visible_round(self):
        slot = "bench_live"
        self.postgres.sql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        floor = subprocess.Popen(
            self.floor_command(slot, "-"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        try:
            found = self.load.visible(
                floor, self.postgres, f"UPDATE provisioning.tenant SET charge_number = $1 WHERE dbid = {TENANT}",
                self.east, self.west, self.marked_key, "charge_number", 50, self.seconds)
        finally:
            floor.terminate()
            floor.wait()
            self.drop_slot(slot)
        add = self.figures.add
        add("commit to floor client p50", found["floor"]["p50Ms"], "ms", 3)
        for side, name, wanted in (("own", "own cache", 2), ("peer", "peer's cache", 4)):
            add(f"commit to {name} p50", found[side]["p50Ms"], "ms", 3)
            add(f"commit to {name} p99", found[side]["p99Ms"], "ms", 3)
            add(f"{name}, added p50", found[f"{side}Added"]["p50Ms"], "ms", 3, ("<=", wanted))

    def tell(self):
        self.figures.print_table(
            f"capture against pg_recvlogical: {self.rounds} rounds of {self.rows:,} rows"
            f" (one transaction of {self.large:,}, {self.small:,} of 2) and {self.seconds} s at 50 commits/s")
        median = self.figures.median
        print_result({
            "bench": "capture", "journalRatio": median("journal: ours ÷ floor"),
            "visibleRatio": median("visible: ours ÷ floor"), "addedP50Ms": median("own cache, added p50"),
            "peerAddedP50Ms": median("peer's cache, added p50"),
            "workerCPUSecondsPerMillion": median("visible: worker CPU a million rows"),
        })
