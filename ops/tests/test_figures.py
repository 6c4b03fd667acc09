"""What a bench says of its figures and what they should reach. Run by ops/test."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import bench_diff
import bench_faults
from figures import Figures


class TargetTests(unittest.TestCase):
    def test_medians_meet_their_targets_or_do_not(self):
        figures = Figures()
        for value in (1, 5, 9):
            figures.add("lag", value, wanted=("<=", 5))
            figures.add("rate", value, wanted=(">=", 5.5))
            figures.add("other", value)
        names = {"lagMs": "lag", "rate": "rate", "other": "other", "skipped": "never measured"}
        self.assertEqual(figures.targets(names), {
            "lagMs": {"target": "<= 5", "met": True}, "rate": {"target": ">= 5.5", "met": False}})
        self.assertNotIn("never measured", figures)

    def test_a_diff_that_fails_readers_says_so(self):
        bench = bench_diff.DiffBench(pathlib.Path("/"), None, 1, True)
        for name in bench_diff.NAMES.values():
            bench.figures.add(name, 0.01, wanted=("<=", 0.05))
        bench.reads.update(reads=10, failedReads=1)
        result = bench.result()
        self.assertEqual(result["targets"]["failedReads"], {"target": "== 0", "met": False})
        self.assertEqual(result["reads"], 10)

    def test_figures_have_one_name_each(self):
        for names in (bench_diff.NAMES, bench_faults.NAMES):
            self.assertEqual(len(set(names.values())), len(names))


if __name__ == "__main__":
    unittest.main()
