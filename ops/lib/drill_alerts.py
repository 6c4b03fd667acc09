"""The alerts drill: two regions watched by a real Prometheus, faults, and which alerts fire and clear.

    with servers.Folder("drill") as folder:
        report = AlertDrill(program, folder).run()

The rules are those of ops/alerts with every `for:` scaled; expressions and thresholds are as committed. While a fault
lasts, exactly its alerts must fire, and after it is mended none. All passwords are canaries, and they are searched for
in every file of the run, in what workers, commands and Prometheus answer, and in the words of every process.
"""

import json
import sys
import time

import alert_rules
import building
import drilling
import servers
from canary import Canary
from watched_regions import WatchedRegions

# Exported only while a byte budget shrinks, and once verification has put something right: the drill causes neither.
NOT_CAUSED = {
    "regionsync_certificate_not_after_timestamp_seconds", "regionsync_listener_rejected_total",
    "regionsync_mirror_trim_headroom_seconds", "regionsync_verify_repaired_total"}
PATIENCE = 90  # seconds until an alert has fired or cleared, at most


class Fault:
    """What is done to the system, which alerts must fire while it lasts, and how it is mended."""

    def __init__(self, name, alerts, inject, mend, lingers=(), difference=lambda: None):
        self.name = name
        self.alerts = set(alerts)
        self.inject = inject
        self.mend = mend
        self.lingers = set(lingers)  # those of its alerts that go on for a while, mended or not
        self.difference = difference  # what is still wrong when it is mended; None where nothing is


def faults_of(regions):
    """What the drill does to the regions, in this order."""
    # The worker of eu-west cannot hold its lease, and says nothing of its own link.
    unreachable = ["RegionsyncLinkDown us-east eu-west", "RegionsyncRedisUnusable eu-west"]
    full = ["RegionsyncCaptureBlocked us-east", "RegionsyncMirrorLagUnknown us-east eu-west",
            "RegionsyncMirrorLag eu-west us-east"]
    stream, slot = "RegionsyncCaptureNotStreaming", "RegionsyncSlotLost us-east"
    lost, forked = "RegionsyncEntriesLost us-east", "RegionsyncJournalForked us-east"
    redis, worker = regions.redis["eu-west"], regions.workers["eu-west"]
    return [
        Fault("nothing", [], lambda: None, lambda: None),
        Fault("Redis of eu-west stopped", unreachable, redis.stop, redis.start),
        Fault("Redis of eu-west takes another password", unreachable, regions.change_password,
              regions.restore_password),
        Fault("Redis of us-east is full", full, regions.fill_redis, regions.empty_redis),
        Fault("worker of eu-west killed", ["RegionsyncWorkerAbsent eu-west"], worker.kill, worker.start),
        Fault("capture may not log in", [stream], regions.lock_capture_out, regions.let_capture_in),
        Fault("slot dropped", [slot], regions.drop_slot, regions.await_capture, lingers=[slot],
              difference=regions.difference),
        Fault("journal trimmed by somebody else", [lost], regions.trim_journal, lambda: None, lingers=[lost]),
        Fault("copy written by somebody else", ["RegionsyncJournalStopped us-east eu-west", forked],
              regions.write_copy, regions.set_copy_aside, lingers=[forked]),
    ]


class AlertDrill:
    """One run: faults one after another, and a report."""

    def __init__(self, program, folder, scale=0.2, say=lambda text: print(text, file=sys.stderr, flush=True)):
        self.program = program
        self.folder = folder
        self.scale = scale
        self.say = say
        self.canary = Canary()
        # A rule that waits a minute at most has had its time, and two scrapes, to fire.
        self.hold = alert_rules.longest_wait(scale, up_to=60) + 2
        self.exported = set()  # names of the metrics that workers showed
        self.problems = []
        self.steps = []
        self.expected = set()  # alerts of the faults so far
        self.lingering = set()  # those that go on after their fault
        self.fired = set()  # at any time of the run

    def run(self):
        """Runs it and returns the report; `pass` says whether all was as it should be."""
        began = time.monotonic()
        self.say("starting PostgreSQL, two Redis servers and two workers, all with passwords, and Prometheus")
        rule_files = alert_rules.write_scaled(self.folder / "rules", self.scale)
        with WatchedRegions(self.program, self.folder, self.canary, rule_files) as self.regions:
            for fault in faults_of(self.regions):
                self.undergo(fault)
                if self.problems:
                    break  # what follows would not be what it says
            self._look_back()
            self._look_around()
            self._operate()
        self._search_left()
        return self._report(time.monotonic() - began)

    def undergo(self, fault):
        """Injects one fault, waits until its alerts fire and others have had their time, mends it, waits again."""
        self.say(f"fault: {fault.name}" + (f" (expects {', '.join(sorted(fault.alerts))})" if fault.alerts else ""))
        step = {"fault": fault.name, "expected": sorted(fault.alerts), "firedAfter": {}, "clearedAfter": None}
        self.steps.append(step)
        self.expected |= fault.alerts
        began = time.monotonic()
        fault.inject()
        end = None  # when others have had their time
        while end is None or time.monotonic() < end:
            firing = self._firing(fault)
            for alert in sorted(firing - self.lingering):
                step["firedAfter"].setdefault(alert, round(time.monotonic() - began, 1))
            if end is None and fault.alerts <= firing:
                end = time.monotonic() + self.hold
                self._look_around()
            if end is None and time.monotonic() > began + PATIENCE:
                self.problems.append(f"{fault.name}: did not fire: {', '.join(sorted(fault.alerts - firing))}")
                break
        began = time.monotonic()
        fault.mend()
        self.lingering |= fault.lingers
        while firing := self._firing(fault) - self.lingering:
            if time.monotonic() > began + PATIENCE:
                self.problems.append(f"{fault.name}: mended, but still firing: {', '.join(sorted(firing))}")
                return
        step["clearedAfter"] = round(time.monotonic() - began, 1)
        # What is about to fire still would count the next fault's time as well.
        while waiting := self.regions.prometheus.pending():
            if time.monotonic() > began + PATIENCE:
                self.problems.append(f"{fault.name}: mended, but about to fire: {', '.join(sorted(waiting))}")
                return
            time.sleep(0.2)
        if difference := fault.difference():
            self.problems.append(f"{fault.name}: mended, but {difference}")

    def _firing(self, fault):
        """What fires now; whatever else than the fault's alerts does is a problem."""
        time.sleep(0.2)
        firing = self.regions.prometheus.firing()
        for alert in sorted(firing - fault.alerts - self.lingering):
            problem = f"{fault.name}: fired, and should not: {alert}"
            if problem not in self.problems:
                self.problems.append(problem)
        return firing

    def _look_around(self):
        """Notes what is exported, and searches what workers, commands and Prometheus say, in good times and bad."""
        for name, worker in self.regions.workers.items():
            for path in ("/", "/status", "/metrics", "/readyz", "/livez", "/none"):
                self.canary.search_text(f"{path} of {name}", worker.get(path))
            self.exported |= {series.split("{")[0] for series in worker.metrics()}
        for path in ("alerts", "rules", "targets"):
            text = servers.http_get(self.regions.prometheus.port, f"/api/v1/{path}")
            self.canary.search_text(f"{path} of Prometheus", text)
        one = ["us-east"]
        for words, names in (("status", None), ("status --json", None), ("check", None), ("journals", one),
                             ("verify --wait 0", None)):
            self._search_output(f"regionsync {words}", self.regions.command(*words.split(), regions=names))
        self.canary.search_processes()

    def _operate(self):
        """Searches what those commands say that change something, or would, and those for operators. How they end is no
        matter here."""
        regions, east, west = self.regions, ["us-east"], ["eu-west"]
        for words, names in (
                ("migrate --postgres-user postgres", east), ("failover --dry-run", west),
                ("failover --dry-run --json", west), ("failback --dry-run", east), ("failback --dry-run --json", east),
                ("generate --postgres-user postgres --seconds 2 --tenants 1 --persons 5 --ledger ledger "
                 "--report generated.json", None)):
            self._search_output(f"regionsync {words}", regions.command(*words.split(), regions=names))
        files = list(regions.files.values())
        for name, words in (("preflight", files), ("drain", [files[0], "--within", 10]), ("verify", files),
                            ("failover", [files[1], "--dry-run"]), ("failback", [files[0], "--dry-run"])):
            self._search_output(f"ops/{name}", regions.operate(name, *words))

    def _search_output(self, name, answer):
        text = answer.stdout + answer.stderr
        if not text:
            self.problems.append(f"{name} said nothing that could be searched")
        self.canary.search_text(f"output of {name}", text)

    def _look_back(self):
        """Over the whole run: every alert that fired at any time, rules that broke, metrics that nobody exports."""
        self.fired = self.regions.prometheus.ever_fired()
        for alert in sorted(self.fired - self.expected):
            self.problems.append(f"fired at some time, and should not: {alert}")
        for rule, error in self.regions.prometheus.broken_rules().items():
            self.problems.append(f"{rule} could not be evaluated: {error}")
        wanted = set().union(*(rule.metrics for rule in alert_rules.rules()))
        for metric in sorted(wanted - self.exported - NOT_CAUSED):
            self.problems.append(f"no worker exported {metric}, which a rule needs")

    def _search_left(self):
        self.canary.search_files(self.folder.path, but=self.regions.secret_files)
        self.canary.search_text("the report", json.dumps([self.steps, self.problems]))
        for place in self.canary.found:
            self.problems.append(f"a password stands in {place}")

    def _report(self, seconds):
        names = {alert.split()[0] for alert in self.fired}
        return {
            "name": "alerts", "pass": not self.problems, "scale": self.scale, "seconds": round(seconds, 1),
            "steps": self.steps, "fired": sorted(self.fired),
            "notCaused": sorted(rule.name for rule in alert_rules.rules() if rule.name not in names),
            "canary": {"searched": self.canary.searched, "found": self.canary.found}, "problems": self.problems,
        }


class Alerts(drilling.Drill):
    """The same as one of `ops/drill`."""

    name = "alerts"
    summary = "a real Prometheus watches while eight faults come: which alerts fire and clear, and whether secrets show"

    def perform(self):
        try:
            building.ensure_packages("alert_packages")
        except building.BuildFailure as failure:
            raise drilling.Skipped(f"it needs Prometheus: {failure}") from None
        report = AlertDrill(self.program, self.folder, say=self.say).run()
        return {**report, "seed": self.seed, "broken": report["problems"],
                "scale": f"every wait of the rules is {report['scale']} times as long as committed"}


DRILLS = [Alerts]
