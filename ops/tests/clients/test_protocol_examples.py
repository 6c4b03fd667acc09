"""That the examples of ops/PROTOCOL.md do what the page says. Run by ops/test."""

import contextlib
import re
import shlex
import subprocess
import threading
import time
import unittest

import staging
import protocol_examples as examples
import servers
from generating import FrontEnd
from regions import DURABLE, EAST, WEST

PATIENCE = 60
# What redis-cli does by itself on a terminal.
TERMINAL = ["--no-raw", "--show-pushes", "yes"]
# What is asked again until it is as expected: state follows events by a moment, and a region a token.
READS = re.compile(r" (CALL\.LIST|CALL\.GET|AGENT\.GET|AT) ")
OBJECTS = """
    INSERT INTO provisioning.tenant (name) VALUES ('acme'), ('other');
    INSERT INTO provisioning.switch (tenant_dbid, name) VALUES (101, 'main');
    INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number, name)
        SELECT 101, 1, 1, number, number FROM unnest('{1001,1002,1003}'::text[]) AS number;
"""


class Prompt:
    """A redis-cli that is open."""

    def __init__(self, words):
        self.process = subprocess.Popen(
            [*words, *TERMINAL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            bufsize=1)
        self.shown = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            # What a PING of ours was answered, and how long something took, is not in the page.
            if line.strip() != "PONG" and not re.fullmatch(r"\(\d+\.\d+s\)", line.strip()):
                self.shown.append(line.rstrip("\n"))

    def type(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


class ExampleTests(unittest.TestCase):
    def setUp(self):
        self.servers = contextlib.ExitStack()
        self.addCleanup(self.servers.close)
        self.folder = self.servers.enter_context(servers.Folder("examples"))
        self.redis = {name: self.start(servers.Redis(self.folder, name, DURABLE)) for name in (EAST, WEST)}
        self.postgres = self.start(servers.Postgres(self.folder))
        self.files = servers.region_files(self.folder, self.redis, self.postgres, listeners=True)
        self.postgres.migrate(staging.program(), self.files[EAST])
        self.postgres.sql(OBJECTS)
        self.workers = {name: self.start(servers.Worker(self.folder, staging.program(), self.files[name]))
                        for name in (EAST, WEST)}
        for name, peer in ((EAST, WEST), (WEST, EAST)):
            self.workers[name].wait_working(f"mirror {peer}", "projection provisioning")
            self.workers[name].wait_listening()
            servers.wait_until(f"{name}: objects projected", lambda: self.redis[name].ask(
                "HLEN", "cfg:{101}:dn:by:name") == 3)
        self.values = {}
        self.has_front_end = False

    def start(self, program):
        return self.servers.enter_context(program)

    def start_front_end(self):
        """Calls and agents are answered from here on; before, the streams have what the page's examples write."""
        self.start(FrontEnd(self.folder, staging.program(), self.files.values()))
        self.has_front_end = True

    def test_examples(self):
        for group in examples.sessions():
            first = group[0]
            if not self.has_front_end and re.search(r" (CALL|AGENT)\.", first.words):
                self.start_front_end()
            with self.subTest(f"PROTOCOL.md:{first.line}: {first.words}"):
                if len(group) == 1:
                    self.command(first)
                else:
                    self.session(group)

    def words(self, step):
        """What is typed, as words; ports and the other region's host are those of this test."""
        words = shlex.split(examples.filled(step.words, self.values))
        region = EAST
        if "-h" in words:
            place = words.index("-h")
            region = words[place + 1]
            del words[place:place + 2]
        place = words.index("-p") + 1
        words[place] = str(self.workers[region].ports[{"8888": "config", "8000": "voice"}[words[place]]])
        return words

    def run_program(self, step):
        words = self.words(step)
        answer = subprocess.run([words[0], *TERMINAL, *words[1:]], capture_output=True, text=True, timeout=60)
        return [line for line in answer.stdout.splitlines() if line]

    def command(self, step):
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = self.run_program(step)
            found = examples.match(step.expected, shown, self.values)
            if found is not None or not READS.search(step.words) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertIsNotNone(found, self.differs(step.expected, shown))
        self.values = found

    def session(self, group):
        prompt = Prompt(self.words(group[0]))
        self.addCleanup(prompt.close)
        expected = []
        for step in group[1:]:
            if step.kind == ">":
                prompt.type(examples.filled(step.words, self.values))
            else:
                self.assertFalse("\n".join(self.run_program(step)).startswith("(error)"), step.words)
            expected += step.expected
            self.values = self.wait_shown(prompt, expected)

    def wait_shown(self, prompt, expected):
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = [line for line in prompt.shown if line]
            found = examples.match(expected, shown, self.values)
            if found is not None:
                return found
            self.assertLess(time.monotonic(), deadline, self.differs(expected, shown))
            # redis-cli shows what was pushed when it reads a reply; without pushes a PING would be in the way of MULTI.
            if "-3" in prompt.process.args:
                prompt.type("PING")
            time.sleep(0.1)

    def differs(self, expected, shown):
        return "\n".join(["expected:", *expected, "shown:", *shown])


if __name__ == "__main__":
    unittest.main()
