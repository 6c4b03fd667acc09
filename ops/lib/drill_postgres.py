"""Drills of PostgreSQL: restarted, crashed, without its slot, with a full disk (operations.md, fault matrix)."""

import abc
import contextlib
import os
import re
import signal
import subprocess
import time

import drilling
import servers
from disks import SmallDisk, obstacle
from fault_drill import FaultDrill
from regions import EAST, REGIONS, Regions

ROLE, SLOT = "regionsync_capture", "regionsync"
KEPT_SKILLS = 150


class PostgresDrill(FaultDrill):
    """Something is wrong with PostgreSQL. Caches are read without pause, and voice goes on as if nothing were."""

    changes_per_second = 20
    makes_stale = False  # whether caches must be marked stale at some time

    def disturb(self):
        regions = self.regions
        kept = regions.make_skills(KEPT_SKILLS)
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        with self.reading(kept, stale=self.makes_stale):
            self.trouble()

    @abc.abstractmethod
    def trouble(self):
        """Ends when PostgreSQL is as it was, and everything visible."""

    def expect_back(self, since):
        """What is committed is visible again in both regions; seconds since `since` (ns)."""
        seconds = round(self.regions.wait_visible(self.regions.make_mark(), since), 3)
        self.moving.append(seconds)
        return seconds

    def stay_moving(self, seconds):
        """Waits; events must move in both regions all the while."""
        until = time.monotonic() + seconds
        patience = 5 if self.deadlines else 60
        while time.monotonic() < until:
            for region in REGIONS:
                self.regions.wait_moving(region, time.monotonic_ns(), patience)


class PostgresRestart(PostgresDrill):
    name = "postgres-restart"
    summary = "PostgreSQL is restarted three times, away for up to 4 s; voice and readers notice nothing"
    scale = "up to 4 s away stand for an update of the server"

    def trouble(self):
        for away in self.random.sample([0, self.random.uniform(0.2, 1), self.random.uniform(2, 4)], 3):
            self.regions.postgres.stop()
            self.stay_moving(away)
            self.regions.postgres.start()
            since = time.monotonic_ns()
            seconds = self.expect_back(since)
            self.rounds.append({"fault": "restart", "awaySeconds": round(away, 2), "visibleSeconds": seconds})
            self.stay_moving(self.random.uniform(0.5, 1.5))


class PostgresCrash(PostgresDrill):
    """Without a checkpoint in between the slot goes back, and PostgreSQL sends again what was captured already."""

    name = "postgres-crash"
    summary = "PostgreSQL dies: a backend by SIGKILL, all of it by SIGKILL, at once by SIGQUIT; repeats are dropped"

    def trouble(self):
        postgres = self.regions.postgres
        for fault in self.random.sample(["backend", "all", "immediate"], 3):
            postgres.sql("CHECKPOINT")  # a crash sets the slot back to what it is now
            saved = self.confirmed()
            self.stay_moving(self.random.uniform(2, 3))
            last = self.confirmed()
            if fault == "backend":
                self.kill_backend()
            else:
                if fault == "all":
                    postgres.crash()
                else:
                    postgres.stop(signal.SIGQUIT)
                self.stay_moving(self.random.uniform(0, 1))
                postgres.start()
            seconds = self.expect_back(time.monotonic_ns())
            ahead = int(postgres.sql(f"SELECT '{last}'::pg_lsn - '{saved}'"))
            self.rounds.append({"fault": fault, "confirmedSinceCheckpointBytes": ahead, "visibleSeconds": seconds})

    def kill_backend(self):
        """The server's process that sends to capture is killed: PostgreSQL ends all others, and recovers by itself."""
        postgres = self.regions.postgres
        end = lambda: postgres.log.read_text(errors="replace").count("all server processes terminated")
        before = end()
        sender = servers.wait_until(
            "capture streaming", lambda: postgres.sql("SELECT active_pid FROM pg_replication_slots WHERE active"))
        os.kill(int(sender), signal.SIGKILL)
        servers.wait_until("PostgreSQL recovering by itself", lambda: end() > before and postgres.is_ready())

    def confirmed(self):
        return self.regions.postgres.sql(
            f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{SLOT}'")


class SlotDropped(PostgresDrill):
    """Capture is locked out for a moment, and in it the slot is dropped, or PostgreSQL gives it up. What was committed
    in between nobody will ever send: it is found by comparing, and journaled alone.
    """

    name = "slot-dropped"
    summary = "the slot is dropped, then lost to max_slot_wal_keep_size, under load; found by comparing, readers served"
    scale = "a max_slot_wal_keep_size of 1 MB and a moment without the slot stand for days of WAL"
    expected_alerts = [f"RegionsyncSlotLost {EAST}"]
    changed, deleted, inserted = 20, 15, 15
    makes_stale = True

    def trouble(self):
        for fault in self.random.sample(["dropped", "lost"], 2):
            self.stay(0.5, 1.5)
            self.lose_slot(fault)

    def lose_slot(self, fault):
        regions, postgres = self.regions, self.regions.postgres
        skills = regions.make_skills(self.changed + self.deleted)
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        before = regions.total(EAST, "capture_resnapshots_total")
        postgres.sql(f"ALTER ROLE {ROLE} NOLOGIN")
        servers.wait_until("release of the slot", self.is_released)
        changed, deleted = skills[:self.changed], skills[self.changed:]
        postgres.sql(f"UPDATE provisioning.skill SET name = 'changed-' || dbid WHERE dbid IN ({','.join(changed)}); "
                     f"DELETE FROM provisioning.skill WHERE dbid IN ({','.join(deleted)})")
        inserted = regions.make_skills(self.inserted)
        getattr(self, f"slot_{fault}")()
        self.stay(0.5, 1.5)
        log = regions.workers[EAST].log
        begin = log.stat().st_size
        postgres.sql(f"ALTER ROLE {ROLE} LOGIN")
        since = time.monotonic_ns()
        seconds = self.expect_back(since)
        snapshot = servers.wait_until("end of a snapshot", lambda: re.search(
            r'msg="snapshot begins" kind=(\w+)(?s:.*?)msg="snapshot copied" objects=(\d+) objects.gone=(\d+)',
            log.read_bytes()[begin:].decode(errors="replace")))
        # What was visible may have come with the snapshot, before the rest of it; this comes behind it.
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        self.require(regions.total(EAST, "capture_resnapshots_total") == before + 1, "one snapshot was begun")
        self.require(snapshot[1] == "diff", "the snapshot journals what differs")
        for region in REGIONS:
            names = {dbid: regions.skill_name(region, dbid) for dbid in (*skills, *inserted)}
            self.require(all(names[dbid] == f"changed-{dbid}" for dbid in changed), f"{region}: changes are there")
            self.require(not any(names[dbid] for dbid in deleted), f"{region}: what was deleted is gone")
            self.require(all(names[dbid] for dbid in inserted), f"{region}: what was inserted is there")
        self.rounds.append({"fault": f"slot {fault}", "visibleSeconds": seconds,
                            "objectsJournaled": int(snapshot[2]) + int(snapshot[3])})

    def is_released(self):
        """Ends the sessions of capture, also one that was let in a moment ago; whether none holds the slot any more."""
        self.regions.postgres.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")
        return self.regions.postgres.sql(
            f"SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'") == "t"

    def slot_dropped(self):
        self.regions.postgres.sql(f"SELECT pg_drop_replication_slot('{SLOT}')")

    def slot_lost(self):
        postgres = self.regions.postgres
        postgres.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        postgres.sql("SELECT pg_reload_conf()")

        def is_lost():
            for _ in range(3):
                postgres.sql("SELECT pg_logical_emit_message(false, 'drill', 'x'); SELECT pg_switch_wal()", "postgres")
            postgres.sql("CHECKPOINT")
            return postgres.sql(f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{SLOT}'") == "lost"

        servers.wait_until("loss of the slot", is_lost)
        postgres.sql("ALTER SYSTEM RESET max_slot_wal_keep_size")
        postgres.sql("SELECT pg_reload_conf()")


class PostgresDiskFull(PostgresDrill):
    """A transaction that stays open makes the slot keep WAL; the worker must say so before the disk is full."""

    name = "postgres-disk-full"
    summary = "the disk of PostgreSQL fills while our slot keeps WAL (needs root): announced before, resumes by itself"
    scale = "a disk of 448 MiB and a bound of 64 MiB of retained WAL stand for those of a server"
    disk_mebibytes = 448
    wal_mebibytes = 80

    def stage(self):
        if reason := obstacle():
            raise drilling.Skipped(reason)
        self.disk = self.start(SmallDisk(self.folder, self.disk_mebibytes))
        return DiskRegions(self, self.disk)

    def trouble(self):
        postgres = self.regions.postgres
        with self.open_transaction():
            self.write_wal(self.wal_mebibytes)
            since = time.monotonic_ns()
            announced = round(self.regions.wait_state(EAST, "slot", ["retains-too-much"], since), 3)
            self.mark("announced")
            self.disk.fill()
            self.mark("full")
            ended = self.fail()
            self.stay_moving(self.random.uniform(2, 4))
        self.disk.clear()
        if postgres.process.poll() is not None:
            postgres.start()
        since = time.monotonic_ns()
        seconds = self.expect_back(since)

        def is_released():
            postgres.sql("CHECKPOINT")
            return self.regions.state(EAST, "slot") == "retains"

        servers.wait_until("the slot letting WAL go", is_released, 60, pause=1)
        self.rounds.append({"fault": "disk full", "announcedSeconds": announced, "postgres": ended,
                            "visibleSeconds": seconds})

    def write_wal(self, mebibytes):
        self.regions.postgres.sql(
            "SELECT count(pg_logical_emit_message(false, 'drill', repeat('x', 1 << 20))) "
            f"FROM generate_series(1, {mebibytes})", "postgres")

    @contextlib.contextmanager
    def open_transaction(self):
        words = ["psql", "-XqtA", "-h", "127.0.0.1", "-p", str(self.regions.postgres.port), "-U", "postgres", "-d",
                 "postgres", "-c", "BEGIN", "-c", "SELECT pg_current_xact_id()", "-c", "SELECT pg_sleep(600)"]
        client = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            client.stdout.readline()  # its transaction has a number
            yield
        finally:
            client.terminate()
            client.wait()
            client.stdout.close()

    def fail(self):
        """Writes until PostgreSQL cannot; returns whether it refused or ended."""
        for _ in range(20):
            try:
                self.write_wal(8)
            except servers.ServerFailure:
                break
        else:
            raise servers.ServerFailure("PostgreSQL goes on writing to a full disk")
        self.mark("failed")
        time.sleep(1)
        return "refuses" if self.regions.postgres.is_ready() else "ended"


class DiskRegions(Regions):
    """Two regions whose PostgreSQL is on a disk of its own."""

    def __init__(self, drill, disk):
        self.disk = disk
        super().__init__(drill)

    def start_postgres(self):
        self.postgres = self.drill.start(servers.Postgres(self.drill.folder, disk=self.disk))

    def change_file(self, file):
        file.set("limits.retainedWALBytes", "64MiB")


DRILLS = [PostgresRestart, PostgresCrash, SlotDropped, PostgresDiskFull]
