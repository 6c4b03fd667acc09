"""What the alerts drill makes of what it sees, and whether its canaries would be found. Run by ops/test."""

import pathlib
import subprocess
import sys
import types
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import drill_alerts
import drilling
import servers
from canary import Canary
from regionfile import RegionFile


class DrillTests(unittest.TestCase):
    """What the drill makes of alerts that fire, or do not, when they should."""

    def undergo(self, before, after, pending=(), **fault):
        """The problems found in a fault of alert A; `before` and `after` it is mended these alerts fire, and those
        `pending` are about to all the while."""
        drill = drill_alerts.AlertDrill("/bin/true", None, say=lambda text: None)
        drill.hold = 0
        firing = [before]
        drill.regions = types.SimpleNamespace(prometheus=types.SimpleNamespace(
            firing=lambda: firing[0], pending=lambda: pending))
        drill._look_around = lambda: None
        drill.undergo(
            drill_alerts.Fault("fault", ["A"], lambda: None, lambda: firing.__setitem__(0, after), **fault))
        return drill.problems

    def setUp(self):
        patience = drill_alerts.PATIENCE
        drill_alerts.PATIENCE = 0.1
        self.addCleanup(setattr, drill_alerts, "PATIENCE", patience)

    def test_what_should_fire_and_clear_does(self):
        self.assertEqual(self.undergo({"A"}, set()), [])
        self.assertEqual(self.undergo({"A"}, {"A"}, lingers=["A"]), [])

    def test_an_alert_that_does_not_fire_is_a_problem(self):
        self.assertIn("fault: did not fire: A", self.undergo(set(), set()))

    def test_another_alert_is_a_problem(self):
        self.assertEqual(self.undergo({"A", "B"}, set()), ["fault: fired, and should not: B"])
        self.assertIn("fault: fired, and should not: B", self.undergo({"A"}, {"B"}))

    def test_an_alert_that_does_not_clear_is_a_problem(self):
        self.assertEqual(self.undergo({"A"}, {"A"}), ["fault: mended, but still firing: A"])

    def test_an_alert_that_is_still_about_to_fire_is_a_problem(self):
        self.assertEqual(self.undergo({"A"}, set(), pending={"B"}), ["fault: mended, but about to fire: B"])

    def test_what_is_still_wrong_when_mended_is_a_problem(self):
        self.assertEqual(self.undergo({"A"}, set(), difference=lambda: "no"), ["fault: mended, but no"])


class NamedDrillTests(unittest.TestCase):
    """The drill as one of ops/drill."""

    def perform(self, install, report):
        drill = drill_alerts.Alerts(7, "/bin/true", None)
        with unittest.mock.patch.object(drill_alerts.building, "ensure_packages", side_effect=install), \
                unittest.mock.patch.object(drill_alerts.AlertDrill, "run", return_value=report):
            return drill.perform()

    def test_its_problems_are_what_broke(self):
        report = self.perform(None, {"name": "alerts", "pass": False, "problems": ["x"], "scale": 0.2})
        self.assertEqual((report["seed"], report["broken"], report["pass"]), (7, ["x"], False))

    def test_without_prometheus_it_is_skipped(self):
        with self.assertRaises(drilling.Skipped):
            self.perform(drill_alerts.building.BuildFailure("x"), None)


class CanaryTests(unittest.TestCase):
    def setUp(self):
        self.folder = servers.Folder("test", keep=False)
        self.addCleanup(self.folder.__exit__, None, None, None)
        self.canary = Canary()

    def test_it_is_found_in_files_but_where_it_belongs(self):
        (self.folder / "logs").mkdir()
        for name in ("secret", "logs/worker.log"):
            (self.folder / name).write_bytes(b"\xff\0said " + self.canary.password("redis").encode() + b"!")
        (self.folder / "clean").write_text("canary")
        self.canary.search_files(self.folder.path, but={self.folder / "secret"})
        self.assertEqual(self.canary.found, ["logs/worker.log"])

    def test_it_is_found_in_texts_and_command_lines(self):
        self.canary.search_text("/status", None)
        self.canary.search_text("/status", "all is well")
        self.canary.search_processes()
        self.assertEqual(self.canary.found, [])
        words = ["sh", "-c", "read line", self.canary.password("redis")]
        process = subprocess.Popen(words, stdin=subprocess.PIPE)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        servers.wait_until("command line", lambda: self.canary.search_processes() or self.canary.found)
        self.canary.search_text("/metrics", f"x{self.canary.mark}x")
        self.assertEqual(self.canary.found, [f"the command line of process {process.pid}", "/metrics"])


class RegionFileTests(unittest.TestCase):
    def test_a_key_is_added_to_its_section(self):
        file = RegionFile("us-east").add("redis.passwordFile", "one").add("peers.redis.passwordFile", "two")
        self.assertIn("\nredis:\n  passwordFile: one\n  host:", file.text)
        self.assertIn("\n    redis:\n      passwordFile: two\n      host:", file.text)


if __name__ == "__main__":
    unittest.main()
