"""`ops/bench diff`: what a diff-resnapshot costs beside a whole one, of the same objects, while readers are served."""

import contextlib
import time

from figures import Figures, print_result, progress
from servers import Folder, Postgres, Redis, ServerFailure, Worker, region_files, wait_until

TENANT = 102
JOURNAL = "rs:{_}:provisioning:us-east"
CURSOR = "rs:{_}:projection"
SLOT = "regionsync"

# Figures by their names in the result.
NAMES = {
    "writesRatio": "changes in Redis: diff ÷ whole", "entriesRatio": "entries: diff ÷ whole",
    "timeRatio": "time: diff ÷ whole", "slowestReadMs": "diff: slowest read",
}


class DiffBench:
    """One region by itself. Each round drops its slot twice: first its cache is compared, then everything is copied."""

    def __init__(self, programs, load, rounds, quick, figures=None):
        self.program = programs / "regionsync"
        self.rounds = rounds
        self.objects = 10_000 if quick else 1_000_000
        self.drifted = 100
        self.marker = 0
        self.reads = {"reads": 0, "failedReads": 0, "staleReads": 0}  # during the diffs
        self.figures = figures or Figures()

    def run(self):
        self.measure()
        self.tell()

    def measure(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(Folder("bench-diff"))
            self.postgres = stack.enter_context(Postgres(folder))
            self.redis = stack.enter_context(Redis(folder, "us-east"))
            other = stack.enter_context(Redis(folder, "eu-west"))
            files = region_files(
                folder, {"us-east": self.redis, "eu-west": other}, self.postgres,
                change=lambda file: file.remove("peers"))
            self.postgres.migrate(self.program, files["us-east"])
            progress(f"filling the database with {self.objects:,} persons")
            self.fill_database()
            self.worker = Worker(folder, self.program, files["us-east"])
            stack.callback(self.worker.stop)
            progress("first snapshot")
            self.resnapshot(self.commit_marker())
            for number in range(self.rounds):
                progress(f"round {number + 1} of {self.rounds}: diff")
                self.lose_slot(number)
                diff = self.resnapshot(self.commit_marker(), kind="diff")
                progress(f"round {number + 1} of {self.rounds}: whole")
                self.lose_slot(number)
                # A journal that was never begun: everything is copied into the cache that is there.
                self.redis.ask("DEL", JOURNAL, f"{JOURNAL}:meta", CURSOR)
                whole = self.resnapshot(self.commit_marker())
                self.note(diff, whole)
            self.verify()

    def fill_database(self):
        self.postgres.sql(f"""
            INSERT INTO provisioning.tenant (dbid, name) OVERRIDING SYSTEM VALUE VALUES ({TENANT}, 'Bench');
            INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id, first_name, last_name, email)
                SELECT {TENANT}, 'person' || n, 'e' || n, 'First' || n, 'Last' || n, 'person' || n || '@example.com'
                FROM generate_series(1, {self.objects}) AS n;
            VACUUM ANALYZE provisioning.person""")

    def commit_marker(self):
        self.marker += 1
        marker = f"marker {self.marker}"
        self.postgres.sql(f"UPDATE provisioning.tenant SET charge_number = '{marker}' WHERE dbid = {TENANT}")
        return marker

    def lose_slot(self, number):
        """Changes happen, and the slot that would have told of them is gone."""
        self.worker.stop()
        free = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND NOT active"
        wait_until("the slot being free", lambda: self.postgres.sql(free) == "1")
        changed = self.drifted * 8 // 10
        came = (self.drifted - changed) // 2
        self.postgres.sql(f"""
            SELECT pg_drop_replication_slot('{SLOT}');
            UPDATE provisioning.person SET external_id = 'lost {self.marker}' WHERE dbid IN
                (SELECT dbid FROM provisioning.person ORDER BY md5(dbid || '{self.marker}') LIMIT {changed});
            DELETE FROM provisioning.person WHERE dbid IN
                (SELECT dbid FROM provisioning.person ORDER BY md5('{self.marker}' || dbid) LIMIT {came});
            INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id)
                SELECT {TENANT}, 'new {self.marker} ' || n, 'new {self.marker} ' || n FROM generate_series(1, {came}) n""")

    def resnapshot(self, marker, kind="whole"):
        """From the start of the worker until the cache shows `marker` and everything before it, with a read every
        millisecond."""
        entries = self.added()
        changes = int(self.redis.info("persistence")["rdb_changes_since_last_save"])
        reads, slowest, failed, stale = 0, 0.0, 0, 0
        began = time.monotonic()
        self.worker.start(wait=False)
        while True:
            asked = time.monotonic()
            found = self.redis.ask("HGET", f"cfg:{{{TENANT}}}:tenant:{TENANT}", "charge_number")
            slowest = max(slowest, time.monotonic() - asked)
            reads += 1
            failed += found is None and self.marker > 1
            stale += self.redis.ask("HGET", CURSOR, "stale") is not None
            if found == marker and self.is_whole():
                break
            if asked - began > 900:
                raise ServerFailure(f"{marker} did not become visible; /status says {self.worker.status()}")
            self.worker.require_running()
            time.sleep(0.001)
        seconds = time.monotonic() - began
        cpu = self.worker.cpu_seconds()
        changes = int(self.redis.info("persistence")["rdb_changes_since_last_save"]) - changes
        if self.kinds()[-1] != kind:
            raise ServerFailure(f"a {kind} snapshot was wanted, the journal holds {self.kinds()}")
        time.sleep(3)  # the acknowledgement to PostgreSQL trails
        added = self.added()
        return {"seconds": seconds, "cpu": cpu, "changes": changes, "slowest": slowest * 1000, "reads": reads,
                "failed": failed, "stale": stale, "entries": added - entries if added > entries else added}

    def is_whole(self):
        """A large snapshot shows in parts; the cursor that trails all tenants' says when all of it is there."""
        last = self.redis.ask("HGET", f"{JOURNAL}:meta", "last")
        return self.redis.ask("HGET", CURSOR, "provisioning") == last.partition("-")[0]

    def kinds(self):
        """The kinds of snapshots that the journal holds, by their beginnings; before each one it is said that it is due."""
        script = """
            local kinds, from = {}, '-'
            while true do
                local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1000)
                if #page == 0 then return kinds end
                for _, entry in ipairs(page) do
                    if entry[2][2] == 'begin-snapshot' then kinds[#kinds + 1] = entry[2][4] or 'whole' end
                    from = '(' .. entry[1]
                end
            end"""
        return self.redis.ask("EVAL_RO", script, 1, JOURNAL)

    def added(self):
        """Entries that the journal was ever given."""
        return int(self.redis.ask("HGET", f"{JOURNAL}:meta", "count") or 0)

    def note(self, diff, whole):
        add = self.figures.add
        for name, found in (("diff", diff), ("whole", whole)):
            add(f"{name}: start to visible", found["seconds"], "s", 2)
            add(f"{name}: entries journaled", found["entries"], "", 0)
            add(f"{name}: changes in Redis", found["changes"], "", 0)
            add(f"{name}: worker CPU", found["cpu"], "s", 2)
            add(f"{name}: slowest read", found["slowest"], "ms", 1)
            if found["failed"]:
                raise ServerFailure(f"{found['failed']} of {found['reads']} reads found nothing")
        for key, word in zip(self.reads, ("reads", "failed", "stale")):
            self.reads[key] += diff[word]
        add("entries: diff ÷ whole", diff["entries"] / whole["entries"], "", 5, ("<=", 0.05))
        add("changes in Redis: diff ÷ whole", diff["changes"] / whole["changes"], "", 5, ("<=", 0.05))
        add("time: diff ÷ whole", diff["seconds"] / whole["seconds"], "", 3, ("<=", 0.25))

    def verify(self):
        """The last round left nothing behind."""
        expected = self.postgres.sql("SELECT count(*) FROM provisioning.person")
        held = self.redis.ask("SCARD", f"cfg:{{{TENANT}}}:person")
        if int(expected) != held:
            raise ServerFailure(f"PostgreSQL has {expected} persons, the cache {held}")

    def tell(self):
        self.figures.print_table(
            f"diff-resnapshot against a whole one: {self.rounds} rounds, {self.objects:,} objects, {self.drifted} drifted")
        print_result({"bench": "diff"} | self.result())

    def result(self):
        return {
            "objects": self.objects, "drifted": self.drifted,
            **{key: self.figures.median(name) for key, name in NAMES.items()}, **self.reads,
            "targets": {"failedReads": {"target": "== 0", "met": self.reads["failedReads"] == 0},
                        **self.figures.targets(NAMES)},
        }
