"""What ops/drill makes of verdicts, refusals and reports that lack something. Run by ops/test."""

import contextlib
import fnmatch
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import alert_watch
import drill_clocks
import drill_links
import drill_redis
import drill_region_kill
import drilling
import fault_drill
import high_water
import kept_events
import ledgers
import region_return
import regions
import servers
import split_brain

loader = importlib.machinery.SourceFileLoader("drill", str(OPS / "drill"))
drill = importlib.util.module_from_spec(importlib.util.spec_from_loader("drill", loader))
loader.exec_module(drill)


def kind(outcome):
    """A drill that reports, or raises, this."""
    class Made(drilling.Drill):
        name = "made"
        summary = "for a test"

        def perform(self):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    return Made


GOOD = {"name": "made", "pass": True, "seed": 7, "lost": 2, "duplicated": 0, "reordered": 0, "rtoSeconds": 1.5,
        "checkers": {"drift": 0}, "times": {}}


class DrillTests(unittest.TestCase):
    def outcome(self, *outcomes):
        """Exit status and last line of `ops/drill --all` over drills with these outcomes, or over these drills."""
        kinds = [one if isinstance(one, type) else kind(one) for one in outcomes]
        said, errors = io.StringIO(), io.StringIO()
        with unittest.mock.patch.object(drill, "DRILLS", kinds), \
                unittest.mock.patch.object(drill.building, "ensure_packages"), \
                unittest.mock.patch.object(sys, "argv", ["drill", "--all", "--seed", "7", "--program", "/bin/true"]), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            with self.assertRaises(SystemExit) as end:
                drill.main()
        for text in errors.getvalue().splitlines():
            if text.startswith("kept: "):
                servers.shutil.rmtree(text.removeprefix("kept: "))
        return end.exception.code or 0, json.loads(said.getvalue().splitlines()[-1])

    def test_a_pass_is_a_line(self):
        code, last = self.outcome(GOOD)
        self.assertEqual(code, 0)
        self.assertGreaterEqual(last.pop("seconds"), 0)
        self.assertEqual(last, {"drills": [{key: GOOD[key] for key in (
            "name", "pass", "seed", "lost", "duplicated", "reordered", "rtoSeconds")}],
            "passed": 1, "failed": 0, "skipped": 0})

    def test_every_report_says_how_long_it_took(self):
        unbuilt = kind(GOOD)
        unbuilt.obstacle = "it is not built"
        arguments = types.SimpleNamespace(seed=7, keep=False, no_deadlines=False)
        for one in (kind(GOOD), unbuilt):
            self.assertIsInstance(drill.timed_run(one, arguments, "/bin/true")[1]["seconds"], float)

    def test_what_breaks_refuses_or_fails_is_no_pass(self):
        for outcome, expected in ((drilling.Broken("x"), 1), (drilling.Refused("x"), 2),
                                  (servers.ServerFailure("x"), 3), (KeyError("x"), 3),
                                  ({**GOOD, "pass": False, "broken": ["x"]}, 1)):
            code, last = self.outcome(outcome)
            self.assertEqual((code, last["passed"], last["failed"]), (expected, 0, 1), outcome)

    def test_one_that_breaks_outweighs_those_that_pass(self):
        code, last = self.outcome(GOOD, drilling.Broken("x"), GOOD)
        self.assertEqual((code, last["passed"], last["failed"]), (1, 2, 1))

    def test_what_cannot_be_tried_is_skipped_and_counted(self):
        unbuilt = kind(GOOD)
        unbuilt.obstacle = "it is not built"
        code, last = self.outcome(unbuilt, drilling.Skipped("x"), GOOD)
        self.assertEqual((code, last["passed"], last["failed"], last["skipped"]), (0, 1, 0, 2))

    def test_the_short_set_is_among_the_drills(self):
        names = [one.name for one in drill.DRILLS]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(drill.SHORT), {one.name for one in drill.DRILLS if not one.obstacle})
        for one in drill.DRILLS:
            self.assertTrue(one.summary, one.name)
            self.assertNotIn("\n", one.summary)

    def test_broken_invariants_are_kept_and_the_drill_goes_on(self):
        one = kind(GOOD)(1, "/bin/true", types.SimpleNamespace())
        with contextlib.redirect_stderr(io.StringIO()):
            one.require(True, "a")
            one.require(False, "b")
        self.assertEqual(one.broken, ["b"])

    def test_promises_of_time_are_reported_and_judged_only_where_that_is_wanted(self):
        for deadlines, broken in ((True, 1), (False, 0)):
            one = kind(GOOD)(1, "/bin/true", types.SimpleNamespace(), deadlines=deadlines)
            with contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(one.promise("quick", 1.23456, 2), 1.235)
                one.promise("slow", 2.5, 2)
            self.assertEqual([promise["kept"] for promise in one.promises], [True, False])
            self.assertEqual(len(one.broken), broken)


def found(**counts):
    """What `regionsync verify --json` might find, with these counts of events."""
    events = {word: 0 for word in (
        "lost", "duplicated", "reordered", "altered", "invented", "trimmed", "produced", "mirrored")}
    provisioning = {"drift": 0, "transactionsLost": 0, "transactionsDuplicated": 0,
                    "regions": [{"region": "us-east", "ledgerDrift": 0}]}
    return {"events": {**events, **counts}, "provisioning": provisioning, "ok": True, "journals": []}


class Calm(fault_drill.FaultDrill):
    def disturb(self):
        pass


class VerdictTests(unittest.TestCase):
    def broken(self, verdict):
        one = Calm(1, "/bin/true", types.SimpleNamespace())
        with contextlib.redirect_stderr(io.StringIO()):
            one.judge(verdict)
        return one.broken

    def test_whatever_is_wrong_breaks_it(self):
        self.assertEqual(self.broken(found()), [])
        for word in ("lost", "duplicated", "reordered", "altered", "invented", "trimmed"):
            self.assertEqual(len(self.broken(found(**{word: 1}))), 1, word)
        for word in ("drift", "transactionsLost", "transactionsDuplicated"):
            verdict = found()
            verdict["provisioning"][word] = 1
            self.assertEqual(len(self.broken(verdict)), 1, word)
        verdict = found()
        verdict["provisioning"]["regions"][0]["ledgerDrift"] = 1
        self.assertEqual(len(self.broken(verdict)), 1)
        self.assertEqual(len(self.broken({**found(), "ok": False})), 1)

    def test_times_are_those_of_the_first_sight(self):
        looks = {"early": iter([True]), "late": iter([False, False, True])}
        took = regions.seconds_until(
            {name: lambda answers=answers: next(answers) for name, answers in looks.items()}, since=0)
        self.assertEqual(list(took), ["early", "late"])
        self.assertLess(took["early"], took["late"])

    def test_what_did_not_happen_is_named(self):
        with self.assertRaisesRegex(servers.ServerFailure, "^never did not happen"):
            regions.seconds_until({"at once": lambda: True, "never": lambda: False}, since=0, seconds=0)


KEY = "rs:{101}:voice:us-east"


class Stream:
    """Redis, as far as KeptEvents asks it: streams by key, each a list of entry IDs."""

    def __init__(self, **streams):
        self.streams = {KEY + name.removeprefix("own"): ids for name, ids in streams.items()}

    def ask(self, command, *words):
        if command == "KEYS":
            pattern = words[0].replace("{", "[{]")
            return [key for key in self.streams if fnmatch.fnmatchcase(key, pattern)]
        _, _, key, begin = words
        first = (0, 0) if begin == "-" else ledgers.entry_id(begin.removeprefix("("))
        return [one for one in self.streams.get(key, []) if ledgers.entry_id(one) > first][:2]


class SplitBrainTests(unittest.TestCase):
    def test_commits_side_by_side_are_a_window(self):
        self.assertEqual(split_brain.window(12.5, 10.25), {
            "seconds": 2.25, "oldPrimaryLastCommit": "1970-01-01T00:00:12.500000+00:00",
            "newPrimaryFirstCommit": "1970-01-01T00:00:10.250000+00:00"})

    def test_one_after_the_other_is_none(self):
        self.assertEqual(split_brain.window(10, 12)["seconds"], 0)
        self.assertEqual(split_brain.window(None, 12), {
            "seconds": 0, "oldPrimaryLastCommit": None, "newPrimaryFirstCommit": "1970-01-01T00:00:12.000000+00:00"})


class WithheldTests(unittest.TestCase):
    def test_only_copies_of_the_dead_region_count(self):
        copy = {"origin": "us-east", "topic": "voice", "own": False}
        listing = [{**copy, "withheld": 3}, {**copy, "withheld": 4}, copy, {**copy, "withheld": 9, "topic": "control"},
                   {**copy, "withheld": 9, "origin": "eu-west"}]
        self.assertEqual(region_return.withheld_entries(listing), 7)

    def test_a_listing_that_does_not_say_is_no_listing_of_nothing(self):
        self.assertIsNone(region_return.withheld_entries([{"origin": "us-east", "topic": "voice", "own": False}]))


class AlertWatchTests(unittest.TestCase):
    def judge(self, fired, deadlines=True):
        """What a drill that expects A and B makes of these alerts; None: there is no Prometheus."""
        one = Calm(1, "/bin/true", types.SimpleNamespace(), deadlines=deadlines)
        with unittest.mock.patch.object(alert_watch.shutil, "which", return_value=None):
            watch = alert_watch.AlertWatch(one, {}, ["A", "B"])
        if fired is not None:
            watch.prometheus = types.SimpleNamespace(ever_fired=lambda: set(fired))
        watch.wait_fired(patience=0)
        with contextlib.redirect_stderr(io.StringIO()):
            return one.judge_alerts(watch), one.broken

    def test_all_that_fired_is_told_and_what_was_missed_breaks_it(self):
        found, broken = self.judge("ABC")
        self.assertEqual((found["fired"], found["missed"], broken), (["A", "B", "C"], [], []))
        found, broken = self.judge("AC")
        self.assertEqual((found["fired"], found["missed"], len(broken)), (["A", "C"], ["B"], 1))

    def test_without_deadlines_it_is_only_told(self):
        found, broken = self.judge("A", deadlines=False)
        self.assertEqual((found["missed"], broken), (["B"], []))

    def test_without_prometheus_it_says_so(self):
        found, broken = self.judge(None)
        self.assertIn("skipped", found)
        self.assertEqual(broken, [])


class HighWaterTests(unittest.TestCase):
    def look(self, answers):
        """What was seen of this process, and of a slot that kept so many bytes, or was not to be asked."""
        def sql(text):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        own = types.SimpleNamespace(name="own", process=types.SimpleNamespace(pid=os.getpid()))
        gone = types.SimpleNamespace(name="gone", process=None)
        seen = high_water.HighWater(lambda: [own, gone], lambda: types.SimpleNamespace(sql=sql))
        for _ in range(3):
            seen.look()
        return seen

    def test_the_most_that_was_seen_counts(self):
        seen = self.look(iter(["70", servers.ServerFailure("down"), "60"]))
        self.assertEqual((list(seen.resident), seen.retained), (["own"], 70))
        self.assertGreater(seen.resident["own"], 1)
        self.assertIsNone(self.look(iter(["", servers.ServerFailure("down"), ""])).retained)

    def test_what_is_beyond_its_bound_breaks_the_drill(self):
        for resident, retained, broken in ((256, None, 0), (257, None, 1), (1, 1 << 30, 0), (1, (1 << 30) + 1, 1)):
            one = Calm(1, "/bin/true", types.SimpleNamespace())
            one.high_water = types.SimpleNamespace(resident={"worker": resident}, retained=retained)
            with contextlib.redirect_stderr(io.StringIO()):
                one.judge_bounds()
            self.assertEqual(len(one.broken), broken, (resident, retained))


class LagTests(unittest.TestCase):
    def expect(self, lags, deadlines=True):
        """A drill that saw these lags of single seconds, in ms, where half a second is promised."""
        one = drill_links.LinkSlow(1, "/bin/true", types.SimpleNamespace(), deadlines=deadlines)
        with contextlib.redirect_stderr(io.StringIO()):
            one.expect_lag("lag", lags, 0.5)
        return one

    def test_the_median_of_the_seconds_is_judged(self):
        self.assertEqual(self.expect([None, 100, 900, 120]).broken, [])
        slow = self.expect([900, 100, 901])
        self.assertEqual(len(slow.broken), 1)
        self.assertEqual(slow.figures["lagMs"], {"what": "lag", "median": 900, "worst": 901})
        self.assertEqual(self.expect([900], deadlines=False).broken, [])

    def test_where_nothing_arrived_nothing_is_promised(self):
        with self.assertRaises(servers.ServerFailure):
            self.expect([None, None])


class RefusalTests(unittest.TestCase):
    def fail_over(self, *codes):
        """What region-kill makes of two operators whose commands end with these codes."""
        one = drill_region_kill.RegionKill(1, "/bin/true", types.SimpleNamespace())
        answers = iter([(code, {"refusals": ["loss-too-great"]}) for code in codes])
        one._command = lambda: next(answers)
        with contextlib.redirect_stderr(io.StringIO()):
            one._fail_over()

    def test_a_failover_that_both_preflights_refuse_is_a_refusal(self):
        with self.assertRaisesRegex(drilling.Refused, "loss-too-great"):
            self.fail_over(2, 2)

    def test_a_failover_that_fails_is_none(self):
        for codes in ((1, 2), (2, 1), (1, 1), (3, 2)):
            with self.assertRaises(drilling.Broken):
                self.fail_over(*codes)


class KeptEventsTests(unittest.TestCase):
    """Acknowledged: 10 to 70. The peer had up to 40 when the server went, at 60; it came back with 10 and 20, then got 70.
    """

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        ids = [f"{number}0-0" for number in range(1, 8)]
        text = f"regionsync-ledger 1\nJ 0 {KEY}\nR 0 17\n"
        text += "".join(f"E 0 0 {number} {one} ff\n" for number, one in enumerate(ids))
        (pathlib.Path(self.folder.name) / "voice-us-east.ledger").write_text(text)
        self.own = Stream(own=["10-0", "20-0", "70-0"])
        self.peer = Stream(own=["10-0", "20-0", "70-0"], **{":closed:1": ["10-0", "20-0", "30-0", "40-0"]})

    def kept(self, closed):
        return kept_events.KeptEvents(pathlib.Path(self.folder.name), "us-east", self.own, self.peer, closed)

    def closed(self):
        return {KEY: kept_events.entry_ids(self.peer, kept_events.closed_copies(self.peer, KEY)[0])}

    def test_what_is_lost_is_told_apart(self):
        kept = self.kept(self.closed())
        self.assertEqual(kept.missing[KEY], {(30, 0), (40, 0), (50, 0), (60, 0)})
        self.assertEqual(kept.closed_only[KEY], {(30, 0), (40, 0)})
        self.assertEqual(kept.nowhere[KEY], {(50, 0), (60, 0)})
        self.assertEqual(kept_events.count(kept.missing), 4)

    def test_only_what_the_peer_never_had_may_be_nowhere(self):
        one = drill_redis.RedisLost(1, "/bin/true", types.SimpleNamespace())
        one.faulted["us-east"].append(({KEY: (40, 0)}, 60))
        kept = self.kept(self.closed())
        self.assertTrue(all(one.had_not_left("us-east", kept, KEY, entry) for entry in kept.nowhere[KEY]))
        # Without the closed copy 30 and 40 are nowhere, and the peer had them.
        kept = self.kept({})
        allowed = {entry for entry in kept.nowhere[KEY] if one.had_not_left("us-east", kept, KEY, entry)}
        self.assertEqual(allowed, {(50, 0), (60, 0)})
        # Nor may one be nowhere that came later, or before another one that the peer got.
        self.assertFalse(one.had_not_left("us-east", kept, KEY, (65, 0)))
        self.peer.streams[KEY].append("55-0")
        self.assertFalse(one.had_not_left("us-east", self.kept({}), KEY, (50, 0)))


class ClockTests(unittest.TestCase):
    def test_a_program_lives_by_the_clock_of_a_drill(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            try:
                library = drill_clocks.compile_library(folder)
            except drilling.Skipped as reason:
                self.skipTest(str(reason))
            clock = drill_clocks.Clock(folder / "clock", library)
            for ahead in (0, 3600, -3600):
                clock.set(ahead)
                began = time.monotonic()
                answer = subprocess.run(
                    [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"], capture_output=True,
                    text=True, env={**os.environ, **clock.environment}, check=True)
                wall, monotonic = map(float, answer.stdout.split())
                self.assertAlmostEqual(wall - time.time(), ahead, delta=60)
                self.assertTrue(began <= monotonic <= time.monotonic())


class LedgerTests(unittest.TestCase):
    def test_transactions_of_the_dead_primary_alone_count_as_unanswered(self):
        text = ("regionsync-ledger 1\nT 1 898 101/person/1=a\nT 2 899 101/person/2=b 101/skill/3=-\n"
                "T 3 900 101/person/2=c\nV 4 901 101/person/9=d\nC 0\n")
        with tempfile.TemporaryDirectory() as folder:
            old, new = pathlib.Path(folder) / "old", pathlib.Path(folder) / "new"
            old.write_text(text)
            self.assertEqual(ledgers.withdraw(old, new, lambda xid: xid >= 900), 1)
            self.assertEqual(ledgers.transactions(old), [898, 899, 900])
            self.assertEqual(ledgers.transactions(new), [898, 899])
            self.assertEqual(new.read_text(), text.replace("T 3 900", "V 3 900"))

    def test_entries_of_a_voice_ledger_by_journal(self):
        text = ("regionsync-ledger 1\nJ 0 rs:{101}:voice:us-east\nR 0 17\nE 0 0 2 12-1 ff\nJ 1 rs:{102}:voice:us-east\n"
                "E 0 0 1 9-0 ff\nU 0 0 3 ff\nE 1 0 4 12-0 ff\nC 0\n")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "voice.ledger"
            path.write_text(text)
            self.assertEqual(ledgers.VoiceLedger(path).entries, {
                "rs:{101}:voice:us-east": [(9, 0), (12, 1)], "rs:{102}:voice:us-east": [(12, 0)]})


if __name__ == "__main__":
    unittest.main()
