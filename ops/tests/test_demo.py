"""What ops/demo and its servers make of crashes, empty ledgers and bad ends. Run by ops/test."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import random
import re
import shlex
import signal
import sys
import types
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import servers

loader = importlib.machinery.SourceFileLoader("demo", str(OPS / "demo"))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
loader.exec_module(demo)


class Shell(servers.Program):
    """A program that runs a shell script."""

    def __init__(self, folder, name, script):
        super().__init__(folder, name)
        self.script = script

    def command(self):
        return ["sh", "-c", self.script]

    def numbers(self):
        return None


class FolderTests(unittest.TestCase):
    def leave(self, error):
        """Whether the folder and the logs' tails are left after a block that raised `error`."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                with servers.Folder("test") as folder:
                    program = Shell(folder, "program", "echo last words")
                    program.start(wait=False)
                    program.process.wait()
                    if error is not None:
                        raise error
            except BaseException as raised:
                self.assertIs(raised, error)
        is_kept = folder.path.exists()
        if is_kept:
            servers.shutil.rmtree(folder.path)
        self.assertEqual("last words" in said.getvalue(), is_kept)
        return is_kept

    def test_evidence_is_kept_on_failure(self):
        for error in (SystemExit(1), SystemExit("ops/demo: no"), ValueError("no"), servers.ServerFailure("no")):
            self.assertTrue(self.leave(error), error)

    def test_nothing_is_kept_on_success_or_interrupt(self):
        for error in (None, SystemExit(0), SystemExit(), SystemExit(129), SystemExit(143), KeyboardInterrupt()):
            self.assertFalse(self.leave(error), error)


class DemoTests(unittest.TestCase):
    def setUp(self):
        self.folder = servers.Folder("test", keep=False)
        self.addCleanup(self.folder.__exit__, None, None, None)

    def make(self, generator="exec sleep 60", worker="exec sleep 60", **arguments):
        """A demo whose generator and workers are shell scripts that have started."""
        one = demo.Demo.__new__(demo.Demo)
        one.arguments = types.SimpleNamespace(
            **{"seconds": 30, "kills": 0, "events_per_second": 1, "changes_per_second": 1, **arguments})
        one.random = random.Random(1)
        one.kills = 0
        one.program = "/bin/true"
        one.generator = Shell(self.folder, "generate", generator)
        scripts = dict(zip(demo.REGIONS, ["exec sleep 60", worker]))
        one.workers = {name: Shell(self.folder, name, script) for name, script in scripts.items()}
        for program in [one.generator, *one.workers.values()]:
            program.start(wait=False)
            self.addCleanup(program.stop, signal.SIGKILL)
        return one

    def test_a_worker_that_ends_by_itself_ends_the_demo(self):
        one = self.make(worker="exit 3")
        one.workers["eu-west"].process.wait()
        for step in (one._watch, lambda: one._verify({})):
            with self.assertRaisesRegex(servers.ServerFailure, "eu-west ended with code 3"):
                step()

    def test_a_crash_is_not_hidden_by_the_next_kill(self):
        one = self.make(worker="exit 3")
        one.workers["eu-west"].process.wait()
        one.random = types.SimpleNamespace(choice=lambda names: "eu-west")
        with self.assertRaisesRegex(servers.ServerFailure, "eu-west ended with code 3"):
            one._kill_one()
        self.assertEqual(one.kills, 0)

    def test_a_worker_that_the_user_kills_ends_the_demo_only_where_it_verifies(self):
        one = self.make(seconds=None, worker="kill -KILL $$")
        one.workers["eu-west"].process.wait()
        self.assertEqual(one._killed(), ["eu-west"])
        one._require_running(one.generator)
        one.arguments.seconds = 30
        with self.assertRaisesRegex(servers.ServerFailure, "eu-west ended with code -9"):
            one._require_running(one.generator)

    def test_a_crash_ends_a_demo_without_end(self):
        one = self.make(seconds=None, worker="kill -SEGV $$")
        one.workers["eu-west"].process.wait()
        with self.assertRaisesRegex(servers.ServerFailure, "eu-west ended with code -11"):
            one._watch()

    def test_the_words_for_a_failover_name_victims_program_and_file(self):
        one = self.make(seconds=None)
        one.program = self.folder / "a program"
        one.redis = {name: Shell(self.folder, f"redis {name}", "exec sleep 60") for name in demo.REGIONS}
        one.postgres = Shell(self.folder, "postgres", "exec sleep 60")
        one.standby = types.SimpleNamespace(port=5433, database="regionsync")
        victims = [one.workers["us-east"], one.redis["us-east"], one.postgres]
        for program in victims[1:]:
            program.start(wait=False)
            self.addCleanup(program.stop, signal.SIGKILL)
        lines = one._failover_words({name: self.folder / f"{name}.yaml" for name in demo.REGIONS}).splitlines()
        self.assertIn(f"  kill -KILL {' '.join(str(victim.pid) for victim in victims)}", lines)
        [failover] = [line.split() for line in lines if "failover" in line]
        words = shlex.split(" ".join(failover))
        self.assertEqual(words, [f"REGIONSYNC={one.program}", str(OPS / "failover"), str(self.folder / "eu-west.yaml")])

    def test_a_generator_that_fails_at_the_end_ends_the_demo(self):
        trap = "trap 'exit 69' TERM; echo ready; while :; do sleep 0.01; done"
        one = self.make(generator=trap)
        servers.wait_until("trap", lambda: "ready" in one.generator.log_tail())
        with self.assertRaisesRegex(servers.ServerFailure, "generate ended with code 69"):
            one._verify({})

    def test_columns_stay_apart_after_a_cut_of_minutes(self):
        lag = {"p50": 183_456.78, "p99": 12_345_678.9}
        numbers = {
            "elapsedSeconds": 600,
            "directions": [
                {"from": "us-east", "to": "eu-west", "produced": 123_456_789_012, "received": 0, "eventsPerSecond": 1.5e9,
                 "lastSecondLagMs": lag},
                {"from": "a-region-of-a-long-name", "to": "us-east", "produced": 5, "received": 5, "eventsPerSecond": 0}],
            "provisioning": {"transactions": 1, "objects": 2, "visibleMs": {"eu-west": lag, "us-east": lag},
                             "lastSecondVisibleMs": {"eu-west": {"p50": 1.5, "p99": 9999.99}}}}
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            demo.Table().show(numbers, [], 0)
        lines = said.getvalue().splitlines()
        cells = [re.split(r" {2,}", line.strip()) for line in lines]
        self.assertEqual(cells[1], ["direction", "events/s", "lag p50", "p99", "backlog"])
        self.assertEqual(cells[2], ["us-east → eu-west", "1500000000", "183.5 s", "12345.7 s", "123456789012"])
        self.assertEqual(cells[3], ["a-region-of-a-long-name → us-east", "0", "–", "–", "0"])
        self.assertEqual(cells[5:], [["eu-west", "1.50 ms", "9999.99 ms"], ["us-east", "–", "–"]])
        self.assertEqual({len(line) for line in lines[1:4]}, {len(lines[1])})
        self.assertEqual(lines[5].index("1.50 ms"), lines[1].index("lag p50"))

    def test_an_empty_or_short_ledger_proves_nothing(self):
        arguments = types.SimpleNamespace(events_per_second=10, changes_per_second=10)

        def complaints(produced=20, acknowledged=(10, 10), transactions=5, is_final=True, arguments=arguments):
            return demo.unproduced(
                {"events": {"produced": produced}, "provisioning": {"transactions": transactions}},
                {"isFinal": is_final, "regions": [{"acknowledged": count} for count in acknowledged]}, arguments)

        self.assertEqual(complaints(), [])
        self.assertEqual(len(complaints(produced=19)), 1)
        self.assertEqual(len(complaints(produced=0, acknowledged=(0, 0))), 1)
        self.assertEqual(len(complaints(transactions=0)), 1)
        self.assertEqual(len(complaints(is_final=False)), 1)
        idle = types.SimpleNamespace(events_per_second=0, changes_per_second=0)
        self.assertEqual(complaints(produced=0, acknowledged=(0, 0), transactions=0, arguments=idle), [])


if __name__ == "__main__":
    unittest.main()
