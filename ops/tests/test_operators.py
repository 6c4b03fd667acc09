"""What the commands for operators make of region files, and ops/drain of what a worker says. Run by ops/test."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent

loader = importlib.machinery.SourceFileLoader("drain", str(OPS / "drain"))
drain = importlib.util.module_from_spec(importlib.util.spec_from_loader("drain", loader))
loader.exec_module(drain)

# Says what it was told; ends with CHECK, FAILOVER or VERIFY of the environment. As a worker it runs until SIGTERM, and what
# it says of itself is STATUS.
PROGRAM = """#!/bin/sh
case $1 in
run) trap 'exit 0' TERM; while :; do sleep 0.05; done ;;
status) printf %s "$STATUS"; exit 0 ;;
esac
echo "$*"
case $1 in
check) exit "${CHECK:-0}" ;;
failover) exit "${FAILOVER:-0}" ;;
verify) exit "${VERIFY:-0}" ;;
esac
"""


class CommandCase(unittest.TestCase):
    """Commands that find a program which plays regionsync."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.program = pathlib.Path(folder.name) / "regionsync"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        self.files = [pathlib.Path(folder.name) / name for name in ("a b.yaml", "c.yaml")]
        for file, region in zip(self.files, ("us-east", "eu-west")):
            file.write_text(f"# one\nregion: {region}\nredis:\n")

    def run_command(self, name, *words, **environment):
        """Exit status and lines."""
        answer = subprocess.run(
            [OPS / name, *words], capture_output=True, text=True,
            env={**os.environ, "REGIONSYNC": str(self.program), **environment})
        return answer.returncode, [line for line in (answer.stdout + answer.stderr).splitlines() if line]


class CommandTests(CommandCase):
    def test_verify_takes_files_and_passes_on_the_rest(self):
        one, two = self.files
        code, lines = self.run_command("verify", one, two, "--wait", "5", VERIFY="1")
        self.assertEqual((code, lines), (1, [f"verify --region {one} --region {two} --wait 5"]))

    def test_preflight_checks_all_and_plans_for_the_first(self):
        one, two = self.files
        code, lines = self.run_command("preflight", one, two, "--accept-loss", "5")
        self.assertEqual(code, 0)
        self.assertEqual(lines, [f"check --region {one} --region {two}",
                                 f"failover --region {one} --dry-run --accept-loss 5"])

    def test_preflight_says_what_weighs_most(self):
        for check, failover, expected in (("0", "2", 2), ("1", "0", 1), ("1", "3", 3), ("1", "2", 2)):
            code, lines = self.run_command("preflight", self.files[1], CHECK=check, FAILOVER=failover)
            self.assertEqual((code, len(lines)), (expected, 2), (check, failover))

    def test_failover_and_failback_pass_on_what_they_are_told(self):
        for name in ("failover", "failback"):
            code, lines = self.run_command(name, self.files[1], "--dry-run", FAILOVER="0")
            self.assertEqual(lines, [f"{name} --region {self.files[1]} --dry-run"])
            self.assertEqual(code, 0)

    def test_each_explains_itself_and_wants_a_file(self):
        for name in ("verify", "preflight", "failover", "failback", "drain"):
            code, lines = self.run_command(name, "--help")
            self.assertEqual(code, 0, name)
            self.assertTrue(lines[0].lower().startswith("usage: ops/"), name)
            self.assertNotEqual(self.run_command(name)[0], 0, name)


def status(links, *components):
    return {"links": links, "components": list(components)}


def link(**fields):
    return {"peer": "eu-west", "up": True, "backlogEntries": 0, **fields}


class DrainTests(unittest.TestCase):
    def test_a_peer_that_has_everything_is_no_reason_to_wait(self):
        self.assertEqual(drain.missing(status([link()])), {})
        standby = {"component": "lease", "state": {"name": "standby", "health": "waiting"}}
        self.assertEqual(drain.missing(status([], standby)), {})

    def test_whatever_is_missing_or_unknown_is_one(self):
        for found in (status([link(up=False)]), status([link(backlogEntries=3)]), status([]),
                      status([{"peer": "eu-west", "up": True}]), status([link(), link(peer="ap-south", backlogEntries=1)]),
                      status([link()], {"component": "mirror eu-west journals",
                                        "state": {"name": "stopped-copy-written", "health": "stopped"}})):
            self.assertEqual(len(drain.missing(found)), 1, found)

    def test_a_process_that_is_no_worker_is_left_alone(self):
        for pid in (os.getpid(), 2 ** 22 + 1):
            with self.assertRaises(drain.Unknown):
                drain.require_worker(pid)

    def test_a_process_is_compared_by_the_number_that_it_has_for_itself(self):
        number, began = drain.itself(os.getpid())
        self.assertEqual(number, os.getpid())
        drain.require_its_status({**status([link()]), "process": number}, os.getpid())
        drain.require_its_status({**status([link()]), "process": number, "processStartTicks": began}, os.getpid())
        with self.assertRaises(drain.Unknown):
            drain.require_its_status({**status([link()]), "process": number + 1}, os.getpid())
        with self.assertRaises(drain.Unknown):
            drain.itself(2 ** 22 + 1)

    def test_processes_of_one_number_are_told_apart_by_when_they_began(self):
        number, began = drain.itself(os.getpid())
        found = {**status([link()], HOLDING), "process": number, "processStartTicks": began + 1}
        with self.assertRaisesRegex(drain.Unknown, f"process {number} of another container or host and not {os.getpid()}"):
            drain.require_its_status(found, os.getpid())

    def test_a_standby_whose_number_is_that_of_the_holder_may_be_stopped(self):
        number, began = drain.itself(os.getpid())
        drain.require_its_status({**standby(number), "process": number, "processStartTicks": began}, os.getpid())
        with self.assertRaisesRegex(drain.Unknown, "is a standby"):
            drain.require_its_status(
                {**standby(number), "process": number, "processStartTicks": began + 1}, os.getpid())

    def test_a_standby_is_not_asked_about_the_worker_that_holds_the_lease(self):
        own = os.getpid()
        for found, is_refused in ((standby(own), True), (standby(f"{own}1"), False), (standby(f"1{own}"), False),
                                  (status([link()], HOLDING), False), (status([link()]), False)):
            with self.subTest(found=found):
                if is_refused:
                    with self.assertRaisesRegex(drain.Unknown, f"is a standby, and process {own} does"):
                        drain.require_its_status(found, own)
                else:
                    drain.require_its_status(found, own)


HOLDING = {"component": "lease", "state": {"name": "holding", "health": "working"}}


def standby(holder):
    """What a standby says while the process `holder` does the region's work."""
    reason = f"worker host-1:{holder}:5f3c holds the lease and does the region's work"
    return status([], {"component": "lease", "state": {"name": "standby", "health": "waiting", "reason": reason}})


class DrainCommandTests(CommandCase):
    def setUp(self):
        super().setUp()
        self.worker = subprocess.Popen([self.program, "run", "--region", self.files[0]])
        self.addCleanup(self.worker.wait)
        self.addCleanup(self.worker.kill)

    def drain(self, found, pid, *words):
        """Exit status and lines, where the worker that answers says this."""
        region = {"region": "us-east", "address": "127.0.0.1:15000", "running": found is not None, "status": found}
        return self.run_command("drain", self.files[0], str(pid), *words, STATUS=json.dumps({"regions": [region]}))

    def test_the_worker_that_has_nothing_left_to_give_is_stopped(self):
        code, lines = self.drain(status([link()], HOLDING), self.worker.pid)
        self.assertEqual((code, lines), (0, ["every peer has everything", f"process {self.worker.pid} has ended"]))
        self.assertEqual(self.worker.wait(), 0)

    def test_a_standby_is_stopped_by_its_own_word(self):
        self.assertEqual(self.drain(standby(1), self.worker.pid)[0], 0)
        self.assertEqual(self.worker.wait(), 0)

    def test_a_worker_is_not_stopped_by_the_word_of_its_standby(self):
        code, [line] = self.drain(standby(self.worker.pid), self.worker.pid)
        self.assertEqual(code, 3)
        self.assertIn(f"process {self.worker.pid} does the region's work: set REGIONSYNC_ADMIN_PORT", line)
        self.assertIsNone(self.worker.poll())

    def test_a_worker_is_stopped_by_its_own_word_and_not_by_that_of_another_region(self):
        other = subprocess.Popen([self.program, "run", "--region", self.files[1]])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        found = status([link()], HOLDING)
        code, [line] = self.drain({**found, "process": other.pid}, self.worker.pid)
        self.assertEqual(code, 3)
        self.assertIn(f"the worker that answers is process {other.pid} and not {self.worker.pid}: name the region", line)
        self.assertIsNone(self.worker.poll())
        self.assertIsNone(other.poll())
        self.assertEqual(self.drain({**found, "process": self.worker.pid}, self.worker.pid)[0], 0)
        self.assertEqual(self.worker.wait(), 0)

    def test_what_is_no_worker_is_not_stopped(self):
        other = subprocess.Popen(["sleep", "60"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        code, [line] = self.drain(status([link()], HOLDING), other.pid)
        self.assertEqual((code, line), (3, f"ops/drain: process {other.pid} is no `regionsync run`"))
        self.assertIsNone(other.poll())

    def test_a_worker_that_lacks_something_or_says_nothing_is_not_stopped(self):
        code, [line] = self.drain(status([link(backlogEntries=3)], HOLDING), self.worker.pid, "--within", "0")
        self.assertEqual((code, line), (1, "eu-west: 3 entries are missing; nothing was stopped"))
        code, [line] = self.drain(None, self.worker.pid)
        self.assertEqual((code, line), (3, "ops/drain: the worker of us-east does not answer at 127.0.0.1:15000"))
        self.assertIsNone(self.worker.poll())


if __name__ == "__main__":
    unittest.main()
