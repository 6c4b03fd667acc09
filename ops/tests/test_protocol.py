"""That ops/PROTOCOL.md describes every command in full, and what its examples are matched with. Run by ops/test."""

import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import protocol_examples as examples


class PageTests(unittest.TestCase):
    def test_every_command_is_described_in_full(self):
        for name, text in examples.headings().items():
            with self.subTest(name):
                self.assertRegex(text, rf"(?m)^    {re.escape(name)} \S|^    {re.escape(name)}$", "how it is called")
                for word in ("RESP2", "RESP3", "Errors"):
                    self.assertIn(word, text)

    def test_every_command_has_an_example_that_is_run(self):
        typed = [step.words for step in examples.steps()]
        for name in examples.headings():
            self.assertTrue(any(re.search(rf"(^| ){re.escape(name)}( |$)", words) for words in typed), name)

    def test_every_placeholder_is_known_before_it_is_typed(self):
        known = set()
        for step in examples.steps():
            for name in re.findall(r"<(\w+)>", step.words):
                self.assertIn(name, known, f"line {step.line}")
            for line in step.expected:
                known.update(re.findall(r"<(\w+)>", line))

    def test_every_example_expects_something(self):
        for step in examples.steps():
            opens = step.kind == "$" and not re.search(r" [A-Z][A-Z.]+", step.words)
            self.assertEqual(opens, not step.expected, f"line {step.line}")


class MatchTests(unittest.TestCase):
    def test_placeholders_are_found_and_must_come_again(self):
        self.assertEqual(examples.match(['1) "<id>"', "<id>,7"], ['1) "a"', "a,7"], {}), {"id": "a"})
        self.assertIsNone(examples.match(['1) "<id>"', "<id>"], ['1) "a"', "b"], {}))
        self.assertIsNone(examples.match(["<id>"], ["b"], {"id": "a"}))

    def test_what_is_left_out(self):
        self.assertIsNotNone(examples.match(["a", "..."], ["a", "b", "c"], {}))
        self.assertIsNotNone(examples.match(["(error) ERR ..."], ["(error) ERR no"], {}))
        self.assertIsNone(examples.match(["(error) ERR ..."], ["(error) CONFLICT no"], {}))
        self.assertIsNone(examples.match(["a"], ["a", "b"], {}))

    def test_patterns_are_taken_literally(self):
        self.assertIsNone(examples.match(["(nil)"], ["nil"], {}))
        self.assertEqual(examples.match(["(nil)"], ["(nil)"], {}), {})

    def test_steps_of_both_forms(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("> quoted\n\n    $ a B\n    one\n\ntext\n```\n$ c\n> D\ntwo\nelsewhere$ e F\nthree\n```\n")
            self.assertEqual([(step.kind, step.words, step.expected) for step in examples.steps(page)],
                             [("$", "a B", ["one"]), ("$", "c", []), (">", "D", ["two"]),
                              ("elsewhere$", "e F", ["three"])])
            self.assertEqual([len(group) for group in examples.sessions(page)], [1, 3])


if __name__ == "__main__":
    unittest.main()
