#!/usr/bin/python3
"""The alert rules are well formed, and each fires when it should and is quiet when it should be (promtool)."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import yaml

from chart import ALERTS, ROOT, metrics_in, rules

CASES = ROOT / "tests" / "chart" / "alerts.yaml"
PAGE = (ROOT / "docs" / "metrics-and-alerts.md").read_text()


class Alerts(unittest.TestCase):
    maxDiff = None

    def promtool(self, *words):
        done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_rules_are_well_formed(self):
        self.promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)

    def test_each_fires_and_is_quiet_as_its_cases_say(self):
        with tempfile.TemporaryDirectory(prefix="ocim-alerts-") as folder:
            shutil.copy(ALERTS, folder)
            cases = shutil.copy(CASES, pathlib.Path(folder) / "cases.yaml")
            self.promtool("test", "rules", cases)

    def test_none_is_without_both_cases(self):
        fires, quiet = set(), set()
        for group in yaml.safe_load(CASES.read_text())["tests"]:
            for case in group["alert_rule_test"]:
                (fires if case["exp_alerts"] else quiet).add(case["alertname"])
        names = {rule["alert"] for rule in rules()}
        self.assertEqual(fires, names)
        self.assertEqual(quiet, names)

    def test_each_says_how_bad_it_is_and_what_it_means(self):
        for rule in rules():
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"), rule["alert"])
            self.assertEqual(set(rule["annotations"]), {"summary", "description"}, rule["alert"])

    def test_each_looks_at_our_job_only(self):
        # other controllers of a cluster have metrics of the same names
        for rule in rules():
            readings = metrics_in(rule["expr"]) or {"up"}
            self.assertGreaterEqual(rule["expr"].count('job="ocim"'), len(readings), rule["alert"])

    def test_each_is_in_the_docs(self):
        missing = [rule["alert"] for rule in rules() if f"| `{rule['alert']}` |" not in PAGE]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
