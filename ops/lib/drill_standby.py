"""The drill of a PostgreSQL standby that is promoted and lacks the last commits (operations.md, fault matrix)."""

import os
import signal
import time

import ledgers
import servers
from fault_drill import FaultDrill
from regions import EAST, REGIONS, Regions, seconds_since

KEPT_SKILLS = 100


class StandbyPromoted(FaultDrill):
    """The primary dies after commits that its standby never got, and that every cache shows; the standby is promoted.
    The capturing region stays the same. What PostgreSQL lost must leave the caches, what it has again must come back.
    """

    name = "standby-promoted"
    summary = "a streaming standby that lacks the last commits is promoted; what PostgreSQL lost leaves every cache"
    changes_per_second = 20
    touched = 10  # rows changed, deleted and inserted that will be lost, each

    def stage(self):
        return PromotedRegions(self)

    def disturb(self):
        regions = self.regions
        skills = regions.make_skills(KEPT_SKILLS + 2 * self.touched)
        self.kept, rest = skills[:KEPT_SKILLS], skills[KEPT_SKILLS:]
        self.changed, self.deleted = rest[:self.touched], rest[self.touched:]
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        regions.standby.wait_replayed(regions.postgres)
        self.names = {dbid: regions.skill_name(EAST, dbid) for dbid in rest}
        with self.reading(self.kept, stale=True):
            self.lose_commits()
            self.promote()
            self.use_new_primary()

    def lose_commits(self):
        """The standby gets nothing more; what is committed from here on all caches show, and it will be lost."""
        primary = self.regions.postgres
        sender = int(primary.sql("SELECT pid FROM pg_stat_replication WHERE application_name = 'walreceiver'"))
        os.kill(sender, signal.SIGSTOP)
        primary.sql(f"UPDATE provisioning.skill SET name = 'lost-' || dbid WHERE dbid IN ({','.join(self.changed)}); "
                    f"DELETE FROM provisioning.skill WHERE dbid IN ({','.join(self.deleted)})")
        self.inserted = self.regions.make_skills(self.touched)
        self.regions.wait_visible(self.regions.make_mark(), time.monotonic_ns())
        for region in REGIONS:
            self.require(self.regions.skill_name(region, self.inserted[0]) is not None, f"{region} shows what is lost")
        self.stay(0.2, 1)
        self.mark("injected")
        primary.crash()

    def promote(self):
        regions = self.regions
        self.mark("decided")
        regions.standby.promote()
        self.mark("promoted")
        since = time.monotonic_ns()
        regions.postgres = regions.standby
        servers.wait_until("the next history", lambda: regions.sample(EAST, "history_number") == 2)
        self.moving.append(round(regions.wait_visible(regions.make_mark(), since), 3))
        self.mark("serving")
        self.require_rows_of_new_primary(since)
        for region in REGIONS:
            regions.wait_moving(region, time.monotonic_ns())

    def require_rows_of_new_primary(self, since):
        """Every cache shows what the standby had, and nothing else."""
        regions = self.regions
        wanted = {**self.names, **{dbid: None for dbid in self.inserted}}

        def wrong():
            return [(region, dbid) for region in REGIONS for dbid, name in wanted.items()
                    if regions.skill_name(region, dbid) != name]

        servers.wait_until("what PostgreSQL lost leaving every cache", lambda: not wrong(), 60, pause=0.1)
        self.figures["lostRowsGoneSeconds"] = round(seconds_since(since), 3)

    def use_new_primary(self):
        """New tenants and changes there."""
        self.after = self.start(self.generator(
            [self.regions.clients_file()], "after", ["--prefix", "after-"], seed=self.seed + 1000, persons=self.persons,
            events_per_second=0, changes_per_second=self.changes_per_second))
        self.stay(3)
        if (code := self.after.stop()) != 0:
            raise servers.ServerFailure(f"{self.after.name} ended with code {code}\n{self.after.log_tail()}")

    def judge(self, found):
        later = self.verify("--ledger", self.after.ledger, "--wait", 30, *self.regions.region_words())
        self.require_right(later)
        self.require(later["provisioning"]["transactions"] > 0, "the new primary was used")
        counts = super().judge(found)
        self.return_old_primary()
        return {**counts, "rpo": {"transactions": self.regions.withdrawn}}

    def return_old_primary(self):
        """It comes back and takes writes, and a worker starts beside it: nothing of it is captured."""
        regions = self.regions
        regions.primary.start()
        regions.primary.sql(f"UPDATE provisioning.skill SET name = 'stale-' || dbid WHERE dbid = {self.kept[0]}")
        regions.workers[EAST].stop()
        regions.workers[EAST].start()
        self.stay(1)
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        self.require(regions.sample(EAST, "history_number") == 2, "the old primary begins no history")
        for region in REGIONS:
            name = regions.skill_name(region, self.kept[0])
            self.require(not name.startswith("stale-"), f"{region} shows nothing of the old primary")


class PromotedRegions(Regions):
    """Two regions whose PostgreSQL has a streaming standby that both know."""

    withdrawn = None  # transactions that the new primary never had

    def start_postgres(self):
        super().start_postgres()
        self.primary = self.postgres
        self.standby = self.drill.start(servers.PostgresStandby(self.drill.folder, self.primary))

    def change_file(self, file):
        file.add_section("failover", standby={"host": "127.0.0.1", "port": self.standby.port})

    def clients_file(self):
        """A region file for clients of the new primary."""
        path = self.drill.folder / "clients.yaml"
        path.write_text(
            self.files[EAST].read_text().replace(f"port: {self.primary.port}", f"port: {self.standby.port}"))
        return path

    def ledger(self):
        judged = self.drill.folder / "ledger-judged"
        first = ledgers.first_transaction(self.standby, history=2)
        self.withdrawn = ledgers.judge_by(self.standby, self.traffic.ledger, judged, first)
        return judged


DRILLS = [StandbyPromoted]
