"""A standby that is copied beside other things, and the hooks of region files that name it. Run by ops/test."""

import json
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

from failover_section import add_failover
from regionfile import RegionFile
import servers


class FailoverSectionTests(unittest.TestCase):
    def setUp(self):
        self.folder = servers.Folder("test")
        self.addCleanup(self.folder.__exit__, None, None, None)
        self.primary = servers.Postgres(self.folder)
        self.standby = servers.PostgresStandby(self.folder, self.primary)
        for program in (self.primary, self.standby.base_backup, self.standby):
            self.addCleanup(program.stop)
        self.primary.start()

    def section(self, region):
        """What the region's file says of failover, by key."""
        file = RegionFile(region)
        add_failover(file, "us-east", self.primary, self.standby, maximum_loss=7)
        lines = file.text.partition("\nfailover:\n")[2].splitlines()
        return {key: json.loads(value) for key, _, value in (line.strip().partition(": ") for line in lines)}

    def run_hook(self, words):
        answer = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual(answer.returncode, 0, answer.stderr)

    def test_the_standby_streams_and_the_hooks_make_it_the_primary(self):
        self.standby.base_backup.start(wait=False)
        self.primary.sql("CREATE TABLE kept (n int)")
        self.standby.start()
        self.primary.sql("INSERT INTO kept VALUES (1)")
        self.standby.wait_replayed(self.primary)
        survivor = self.section("eu-west")
        self.assertEqual(survivor["standby"], {"host": "127.0.0.1", "port": self.standby.port})
        self.assertEqual(survivor["maximumLoss"], 7)

        self.run_hook(survivor["fence"])
        self.assertNotEqual(self.primary.process.wait(30), 0)
        self.run_hook(survivor["fence"])  # nothing is left to fence
        self.run_hook(survivor["promote"])
        self.standby.sql("INSERT INTO kept VALUES (2)")
        self.assertEqual(self.standby.sql("SELECT sum(n) FROM kept"), "3")

        # The way back.
        self.primary.become_standby(self.standby)
        self.primary.wait_replayed(self.standby)
        back = self.section("us-east")
        self.run_hook(back["fence"])
        self.assertEqual(self.standby.process.wait(30), 0)
        self.run_hook(back["promote"])
        self.assertEqual(self.primary.sql("SELECT sum(n) FROM kept"), "3")

    def test_a_copy_that_fails_is_told(self):
        self.primary.stop()
        with self.assertRaisesRegex(servers.ServerFailure, "(?s)standby-base-backup ended with code 1.*refused"):
            self.standby.start()

    def test_a_copy_can_be_stopped_in_the_middle(self):
        self.standby.base_backup.start(wait=False)
        pid = self.standby.base_backup.pid
        self.standby.base_backup.stop()
        self.assertFalse(servers.is_running(pid))


if __name__ == "__main__":
    unittest.main()
