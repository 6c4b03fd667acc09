"""A region dies under load, with its PostgreSQL: the other one takes over by one command."""

import concurrent.futures
import json
import os
import shutil
import signal
import time

import drilling
from failover_section import FENCING, add_failover
import ledgers
import servers
import split_brain
from alert_watch import AlertWatch
from canary import Canary
from region_return import DOWN, SURVIVOR, ReturningRegion

SERVING_SECONDS = 5  # from the decision, promotion included


class RegionKill(ReturningRegion):
    name = "region-kill"
    summary = "the capturing region dies under load (SIGKILL: Redis, worker, PostgreSQL); takeover, return, failback"

    expected_alerts = (f"RegionsyncLinkDown {SURVIVOR} {DOWN}", f"RegionsyncWorkerAbsent {DOWN}")

    def perform(self):
        self._set_stage()
        self._check_before()
        time.sleep(self.random.uniform(4, 8))
        self._require_load()
        self._kill()
        report = self._fail_over()
        self.after = self._use_survivor()
        verdict = self._judge(report, self.after)
        self._go_on()
        self.watch.wait_fired()
        self._return_region(verdict["lost"])
        verdict.update({"splitBrainSeconds": self.split_brain["seconds"], "splitBrain": self.split_brain,
                        "withheldListed": self.listed})
        verdict["failback"] = self._fail_back()
        self._judge_circle(verdict)
        self._search_secrets(verdict)
        verdict["alerts"] = self.judge_alerts(self.watch)
        verdict.update({"pass": not self.broken, "broken": self.broken})
        verdict["times"] = {name: round(seconds, 3) for name, seconds in self.times.items()}
        return verdict

    # The stage.

    def _set_stage(self):
        settings = ["--appendonly", "yes", "--appendfsync", "everysec"]
        self.canary = Canary()
        password = self.canary.password("redis")
        self.secret = self.folder / "redis-password"
        self.secret.touch(mode=0o600)
        self.secret.write_text(password + "\n")
        self.redis = {name: self.start(servers.Redis(self.folder, f"redis-{name}", settings, password=password))
                      for name in (DOWN, SURVIVOR)}
        self.primary = self.start(servers.Postgres(self.folder, "primary", settings=split_brain.SETTINGS))
        self.standby = servers.PostgresStandby(self.folder, self.primary, settings=split_brain.SETTINGS)
        self.files = servers.region_files(self.folder, self.redis, self.primary, change=self._add_failover)
        self.primary.migrate(self.program, self.files[DOWN])
        self.start(self.standby)
        self.standby.wait_replayed(self.primary)
        self.workers = {name: self.start(servers.Worker(self.folder, self.program, self.files[name]))
                        for name in (DOWN, SURVIVOR)}
        self.traffic = self.start(self.generator(self.files.values()))
        self.workers[DOWN].wait_working("capture", f"mirror {SURVIVOR}")
        self.watch = AlertWatch(self, self.workers, self.expected_alerts)
        self.load = {"eventsPerSecondPerRegion": self.traffic.arguments.events_per_second,
                     "transactionsPerSecond": self.traffic.arguments.changes_per_second}

    def _add_failover(self, file):
        file.add("redis.passwordFile", self.secret).add("peers.redis.passwordFile", self.secret)
        add_failover(file, DOWN, self.primary, self.standby, maximum_loss=100_000)

    def _check_before(self):
        """A dry run refuses nothing and changes nothing; without the budget it refuses."""
        servers.wait_until(
            "a heartbeat under load", lambda: self._plan()[1].get("lossAtMost", {}).get("events", 0), 120, pause=0.5)
        code, plan = self._plan()
        self.require(plan["outcome"] == "planned" and len(plan["plan"]) == 8, "the dry run shows every step")
        code, plan = self._plan("--accept-loss", "0")
        self.require(code == 2 and plan["refusals"] == ["loss-too-great"], "a loss beyond what is accepted is refused")
        self.require(self.standby.sql("SELECT pg_is_in_recovery()") == "t", "a dry run promotes nothing")

    def _plan(self, *words):
        code, text = self.command(
            "failover", "--to", SURVIVOR, "--region", self.files[SURVIVOR], "--dry-run", "--json", *words)
        return code, json.loads(text)

    def _require_load(self):
        for program in (self.traffic, *self.workers.values()):
            program.require_running()
        numbers = self.traffic.numbers()
        if not all(one["acknowledged"] for one in numbers["regions"]) or not numbers["provisioning"]["transactions"]:
            raise servers.ServerFailure("no load was produced before the fault")

    # The fault, and the way out.

    def _kill(self):
        """First the standby gets nothing more, then the worker hangs: what is written in those moments will be lost."""
        sender = int(servers.wait_until("standby streaming", lambda: self.primary.sql(
            "SELECT pid FROM pg_stat_replication WHERE application_name = 'walreceiver'")))
        os.kill(sender, signal.SIGSTOP)
        time.sleep(self.random.uniform(0.3, 0.7))
        self.workers[DOWN].pause()
        time.sleep(self.random.uniform(0.3, 0.7))
        victims = [self.workers[DOWN], self.redis[DOWN], self.primary]
        self.random.shuffle(victims)
        pids = [sender, *(victim.pid for victim in victims)]
        self.mark("injected")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for victim in victims:
            victim.kill()

        def is_detected():
            links = [one for one in self.workers[SURVIVOR].status().get("links", []) if one["peer"] == DOWN]
            return links and not links[0]["up"]

        servers.wait_until(f"{SURVIVOR} notices", is_detected, 120)
        self.mark("detected")

    def _fail_over(self):
        """Two operators at once: one does it, the other one yields or finds it done. Then once more: nothing changes."""
        self.mark("decided")
        decided = self.times["decided"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            runs = [pool.submit(self._command) for _ in range(2)]
            results = [run.result() for run in runs]
        done = [report for code, report in results if code == 0]
        yielded = [report for code, report in results if code == 2]
        if not done:
            what = f"no failover passed: {json.dumps([report for _, report in results])}"
            raise drilling.Refused(what) if len(yielded) == len(results) else drilling.Broken(what)
        self.require(len(done) + len(yielded) == 2, f"an operator ended with {[code for code, _ in results]}")
        report = min(done, key=lambda one: one["times"]["serving"])
        for name in ("fenced", "promoted", "serving", "verified"):
            if report["times"].get(name) is not None:
                self.times[name] = decided + report["times"][name]
        self.promise("serving after the decision", report["times"]["serving"], SERVING_SECONDS)
        journal = f"rs:{{_}}:control:{SURVIVOR}"
        before = self._declarations(journal)
        code, again = self._command()
        self.require(code == 0, f"a second run ends with {code}: {again['reasons']}")
        self.require(again.get("closedCalls") == 0 and again.get("closedAgents") == 0, "a second run closes nothing")
        self.require(self._declarations(journal) == before == 1, f"{DOWN} is declared down once")
        self.require(again["history"]["number"] == report["history"]["number"] == 2, "the second history")
        # Whichever of the two promoted the server knows; if both asked for it, the earlier look counts.
        self.first_transaction = min(
            (one["firstTransaction"] for _, one in results if "firstTransaction" in one), default=None)
        self.operators = {"passed": len(done), "yielded": len(yielded)}
        return report

    def _command(self):
        code, text = self.command(
            "failover", "--to", SURVIVOR, "--region", self.files[SURVIVOR], "--json")
        return code, json.loads(text)

    def _declarations(self, journal):
        entries = self.redis[SURVIVOR].ask("XRANGE", journal, "-", "+")
        return sum(1 for _, fields in entries if "region-declared-down" in fields)

    def _use_survivor(self):
        """New tenants, changes and calls in the surviving region alone; then everything ends."""
        text = self.files[SURVIVOR].read_text().replace(f"port: {self.primary.port}", f"port: {self.standby.port}")
        path = self.folder / "clients.yaml"
        path.write_text(text)
        after = self.start(self.generator([path], "after", ["--prefix", "after-"], seed=self.seed + 1000))
        time.sleep(4)
        for program in (after, self.traffic, self.workers[SURVIVOR]):
            program.require_running()
        self._end(after, self.traffic)
        return after

    # The verdict.

    def _judge(self, failover, after):
        lost_transactions = self._withdraw(self.first_transaction)
        words = ["--region", self.files[SURVIVOR], "--down", DOWN, "--wait", "60"]
        found = self.verify(*words, "--ledger", self.folder / "ledger-judged")
        later = self.verify(*words, "--ledger", after.ledger)
        events = found["events"]
        lost, seconds = events["lostWithRegion"], self._lost_seconds()
        bound = failover["lossAtMost"]
        self.require(lost <= bound["events"], f"{lost} events were lost, and {bound['events']} reported as the most")
        for what in (found, later):
            for name in ("lost", "duplicated", "reordered", "altered", "invented"):
                self.require(what["events"][name] == 0, f"{what['events'][name]} events {name}")
            provisioning = what["provisioning"]
            self.require(provisioning["drift"] == 0, f"{provisioning['drift']} objects differ from PostgreSQL")
            self.require(provisioning["transactionsLost"] == 0, f"{provisioning['transactionsLost']} transactions lost")
            self.require(all(one["ledgerDrift"] == 0 for one in provisioning["regions"]),
                         "objects are not as the ledger has them")
        self.require(later["events"]["produced"] > 0 and later["provisioning"]["transactions"] > 0,
                     "the survivor was used")
        self.require(self._open_calls() == 0, f"calls of {DOWN} are open")
        times = {name: round(seconds, 3) for name, seconds in self.times.items()}
        return {
            "name": self.name, "pass": not self.broken, "broken": self.broken, "seed": self.seed,
            "versions": self.versions(self.standby, self.redis[SURVIVOR]), "load": self.load,
            "times": times,
            "rtoSeconds": self.since("decided", "serving"), "promises": self.promises,
            "rto": {
                "detection": self.since("injected", "detected"), "decision": self.since("detected", "decided"),
                "fence": self.since("decided", "fenced"), "promotion": self.since("fenced", "promoted"),
                "serving": self.since("promoted", "serving"), "verification": self.since("serving", "verified"),
                "outage": self.since("injected", "serving"),
            },
            "rpo": {
                "boundEvents": bound["events"], "events": lost, "boundSeconds": bound["seconds"], "seconds": seconds,
                "transactions": lost_transactions,
            },
            "lost": lost, "duplicated": events["duplicated"] + later["events"]["duplicated"],
            "reordered": events["reordered"] + later["events"]["reordered"],
            "checkers": {"during": events, "after": later["events"],
                         "drift": found["provisioning"]["drift"] + later["provisioning"]["drift"]},
            "operators": self.operators, "failover": failover,
        }

    def _search_secrets(self, verdict):
        """Logs, what commands and hooks said, reports and ledgers: the password of Redis must be in none of them."""
        if f"{FENCING}\n" not in (self.folder / "commands.log").read_text(errors="replace"):
            raise servers.ServerFailure("what hooks say is in no log: it cannot be searched")
        for path in self.folder.path.iterdir():
            if path.is_dir() and path.name.startswith("ledger"):
                self.canary.search_files(path)
            elif path.is_file() and path != self.secret:
                self.canary.search_text(path.name, path.read_text(errors="replace"))
        self.canary.search_text("the report", json.dumps(verdict))
        self.canary.search_processes()
        for place in self.canary.found:
            self.require(False, f"a password stands in {place}")

    def _withdraw(self, first):
        """A ledger in which what only the dead primary had counts as unanswered; returns how much that is."""
        judged = self.folder / "ledger-judged"
        if first is None:
            self.require(False, "the report names the new primary's first transaction")
            shutil.copytree(self.traffic.ledger, judged)
            return None
        # The row of the new history is the first thing written there; the other operator may have seen less.
        first = min(first, ledgers.first_transaction(self.standby, history=2))
        return ledgers.judge_by(self.standby, self.traffic.ledger, judged, first)

    def _lost_seconds(self):
        """Between the last event that arrived and the last one acknowledged, over all journals; the longest."""
        longest = 0
        for key, entries in ledgers.VoiceLedger(self.traffic.ledger / f"voice-{DOWN}.ledger").entries.items():
            newest = self.redis[SURVIVOR].ask("XREVRANGE", key, "+", "-", "COUNT", "1")
            arrived = ledgers.entry_id(newest[0][0]) if newest else (0, 0)
            if lost := [entry for entry in entries if entry > arrived]:
                longest = max(longest, lost[-1][0] - max([entry for entry in entries if entry <= arrived],
                                                         default=lost[0])[0])
        return longest / 1000
