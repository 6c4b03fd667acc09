"""What ops/drill makes of verdicts, refusals and reports that lack something. Run by ops/test."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import types
import unittest
import unittest.mock

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import drilling
import ledgers
import servers

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
        """Exit status and last line of `ops/drill --all` over drills with these outcomes."""
        kinds = [kind(one) for one in outcomes]
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
        self.assertEqual(last, {"drills": [{key: GOOD[key] for key in (
            "name", "pass", "seed", "lost", "duplicated", "reordered", "rtoSeconds")}],
            "passed": 1, "failed": 0, "skipped": 0})

    def test_what_breaks_refuses_or_fails_is_no_pass(self):
        for outcome, expected in ((drilling.Broken("x"), 1), (drilling.Refused("x"), 2),
                                  (servers.ServerFailure("x"), 3), (KeyError("x"), 3),
                                  ({**GOOD, "pass": False, "broken": ["x"]}, 1)):
            code, last = self.outcome(outcome)
            self.assertEqual((code, last["passed"], last["failed"]), (expected, 0, 1), outcome)

    def test_one_that_breaks_outweighs_those_that_pass(self):
        code, last = self.outcome(GOOD, drilling.Broken("x"), GOOD)
        self.assertEqual((code, last["passed"], last["failed"]), (1, 2, 1))

    def test_broken_invariants_are_kept_and_the_drill_goes_on(self):
        one = kind(GOOD)(1, "/bin/true", types.SimpleNamespace())
        with contextlib.redirect_stderr(io.StringIO()):
            one.require(True, "a")
            one.require(False, "b")
        self.assertEqual(one.broken, ["b"])


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
