"""What the commands in ops/ take as a program and as a seed. Run by ops/test."""

import argparse
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import command_line


class CommandLineTests(unittest.TestCase):
    def test_a_program_is_one_that_runs(self):
        self.assertEqual(command_line.program("/bin/true"), pathlib.Path("/bin/true").resolve())
        for path in ("/tmp", "/nonexistent", "/bin/false", self.script("#!/nonexistent\n"), self.script("no program")):
            with self.assertRaisesRegex(argparse.ArgumentTypeError, "is no program that can be run"):
                command_line.program(path)

    def test_a_seed_is_a_number_that_generate_takes(self):
        for text in ("0", "7", str((1 << 64) - 1)):
            self.assertEqual(command_line.seed(text), int(text))
        for text in ("", "x", "-1", "1.5", str(1 << 64)):
            with self.assertRaisesRegex(argparse.ArgumentTypeError, "is no number"):
                command_line.seed(text)

    def script(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "program"
        path.write_text(text)
        path.chmod(0o755)
        return str(path)


if __name__ == "__main__":
    unittest.main()
