#!/usr/bin/python3
"""Tests of what the benchmarks compute: python3 support/bench/tests.py."""

import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import boot
import goals
import microbench
import report
from measurement import Measurement

OUTPUT = (b"getppid                               149.8 ns/op\r\n"
          b"file write 64K seq                    271.6 MB/s\r\n"
          b"fork+exit+wait               skipped: Function not implemented\r\n"
          b"microbench: done\r\n")


class MicrobenchTests(unittest.TestCase):
    def test_reads_figures_and_reasons(self):
        figures, skipped = microbench.parse(OUTPUT)
        self.assertEqual(figures, {"getppid": (149.8, "ns/op"), "file write 64K seq": (271.6, "MB/s")})
        self.assertEqual(skipped, {"fork+exit+wait": "Function not implemented"})
        self.assertTrue(microbench.is_complete(OUTPUT))

    def test_every_goal_names_a_line_of_the_program(self):
        folder = os.path.dirname(os.path.abspath(__file__))
        for name, lines in (("microbench", goals.MICROBENCH), ("processbench", goals.PROCESSBENCH),
                            ("sharebench", {line: row[:2] for line, row in goals.SHAREBENCH.items()})):
            with open(os.path.join(folder, f"{name}.c"), encoding="utf-8") as file:
                source = file.read()
            self.assertIn(f'"{name}: done"', source)
            for line, (unit, _) in lines.items():
                self.assertIn(f'"{line}"', source)
                self.assertIn(f'"{unit}"', source)
                self.assertLessEqual(len(line), microbench.NAME_WIDTH)


class GoalTests(unittest.TestCase):
    def test_ratio(self):
        self.assertTrue(goals.Ratio(0.5).met(50, 100, None))
        self.assertFalse(goals.Ratio(0.5).met(51, 100, None))
        self.assertTrue(goals.Ratio(5, at_least=True).met(500, 100, None))
        self.assertFalse(goals.Ratio(5, at_least=True).met(499, 100, None))
        self.assertIsNone(goals.Ratio(0.5).met(50, None, None))

    def test_floor(self):
        self.assertTrue(goals.Floor(factor=2).met(46, 1000, 23))
        self.assertFalse(goals.Floor(plus=40).met(101, 1000, 60))
        self.assertIsNone(goals.Floor(factor=2).met(46, 1000, None))


class MeasurementTests(unittest.TestCase):
    def test_medians_and_ratios(self):
        measurement = Measurement("x", "ns", goals.Ratio(0.5), ours=[10, 30, 20], linux=[100, 100, 50])
        self.assertEqual(measurement.median("ours"), 20)
        self.assertEqual(measurement.ratio(), 0.2)
        self.assertEqual(measurement.ratio_range(), (0.1, 0.4))
        self.assertEqual(measurement.best_ratio(), 0.2)
        self.assertTrue(measurement.met())

    def test_best_is_the_most_where_more_is_better(self):
        measurement = Measurement("x", "MB/s", goals.Ratio(5, at_least=True), ours=[10, 600, 20], linux=[100, 10, 50])
        self.assertEqual(measurement.best_ratio(), 6)

    def test_without_figures_nothing_is_claimed(self):
        measurement = Measurement("x", "ns", goals.Ratio(0.5), linux=[100])
        self.assertIsNone(measurement.met())
        self.assertIsNone(measurement.ratio())
        self.assertEqual(report.verdict(measurement), "not measured")

    def test_json(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bench.json")
            report.write_json(path, [Measurement("x", "ns", goals.Ratio(0.5), ours=[1.0], linux=[4.0])])
            with open(path, encoding="utf-8") as file:
                [entry] = json.load(file)
        wanted = {"line": "x", "unit": "ns", "ours": 1.0, "linux": 4.0, "ratio": 0.25, "goal": "at most 0.5 of Linux",
                  "met": True}
        self.assertEqual(wanted, {key: entry[key] for key in wanted})


class BootTests(unittest.TestCase):
    def test_stages(self):
        found = boot.stages(b"boot: entry 0.65 ms, memory 12.34 ms, total 12.99 ms\r\nhello\r\n")
        self.assertEqual(found, {"entry": 0.65, "memory": 12.34, "total": 12.99})
        self.assertEqual(boot.stages(b"hello\n"), {})

    def test_smallest_memory(self):
        for least in (1, 5, 63, 64):
            self.assertEqual(boot.smallest(lambda size, least=least: size >= least, 64), least)


if __name__ == "__main__":
    unittest.main()
