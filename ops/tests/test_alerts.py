"""That the alert rules, their tests, their runbooks and what workers export fit together. Run by ops/test."""

import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

import alert_rules

ROOT = OPS.parent
SOURCES = {path: path.read_text() for path in (ROOT / "Sources").rglob("*.swift")}
TABLES = "".join(text for path, text in SOURCES.items() if path.name.endswith("MetricTable.swift"))
ELSEWHERE = "".join(
    text for path, text in SOURCES.items() if "Observability" not in path.parts or path.name == "ComponentStates.swift"
    or path.name == "ProcessMetrics.swift")


def is_exported(metric):
    """Whether a worker ever sets the metric that Prometheus knows by this name."""
    name = metric.removesuffix("_total")
    family = re.search(rf'static let (\w+) = \w+\(\s*"{name}"', TABLES)
    if not family:
        raise AssertionError(f"no metric is called {metric}")
    return re.search(rf"\.{family[1]}\b", ELSEWHERE) is not None


class RuleTests(unittest.TestCase):
    rules = alert_rules.rules()

    def test_every_rule_is_complete(self):
        names = [rule.name for rule in self.rules]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreater(len(names), 20)
        for rule in self.rules:
            self.assertIn(rule.severity, ("page", "ticket"), rule.name)
            self.assertTrue(rule.summary, rule.name)
            self.assertRegex(rule.runbook, rf"#{rule.name.lower()}$")

    def test_every_rule_asks_for_what_workers_export(self):
        for rule in self.rules:
            self.assertTrue(rule.metrics or "up{" in rule.expression, rule.name)
            for metric in rule.metrics:
                self.assertTrue(is_exported(metric), f"{rule.name}: nobody sets {metric}")

    def test_every_state_that_a_rule_names_is_one(self):
        for rule in self.rules:
            words = {word for names in rule.selected("state") | rule.selected("component") for word in names.split("|")}
            for word in words:
                # A pattern stands for names made of a fixed beginning and something else.
                literal = re.match(r"[\w -]+", word)[0]
                ending = '"' if literal == word else r"\\\("
                self.assertRegex(ELSEWHERE, f'"{literal}{ending}', f"{rule.name}: nothing is called {word}")

    def test_the_readme_lists_every_rule(self):
        text = (OPS / "alerts" / "README.md").read_text()
        listed = re.findall(r"^\| (Regionsync\w+) \| (page|ticket) \|", text, re.MULTILINE)
        self.assertEqual(listed, [(rule.name, rule.severity) for rule in self.in_order(listed)])
        self.assertEqual({name for name, _ in listed}, {rule.name for rule in self.rules})

    def in_order(self, listed):
        by_name = {rule.name: rule for rule in self.rules}
        return [by_name[name] for name, _ in listed]


class CaseTests(unittest.TestCase):
    def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not(self):
        text = "".join(path.read_text() for path in sorted((OPS / "alerts" / "tests").glob("*.yaml")))
        cases = re.findall(r"alertname: (\w+)(,? *(?:\n +)?exp_alerts:)?", text)
        names = {rule.name for rule in alert_rules.rules()}
        self.assertEqual({name for name, fires in cases if fires}, names)
        self.assertEqual({name for name, fires in cases if not fires}, names)


class RunbookTests(unittest.TestCase):
    def test_every_alert_has_a_section_and_every_section_an_alert(self):
        sections = {}
        for path in (OPS / "runbooks").glob("*.md"):
            for part in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
                name = part.splitlines()[0]
                sections[f"ops/runbooks/{path.name}#{name.lower()}"] = part
        self.assertEqual({rule.runbook for rule in alert_rules.rules()}, set(sections))
        for name, part in sections.items():
            for word in ("means", "look", "causes", "mend", "verify"):
                self.assertRegex(part, rf"(?i)\*\*[^*]*{word}[^*]*\*\*", name)


class ScalingTests(unittest.TestCase):
    def test_waits_are_scaled_and_nothing_else(self):
        text = "        expr: up{job=\"a for: 10s\"}[10m] > 10\n        for: 10s\n        keep_firing_for: 1h\n"
        self.assertEqual(
            alert_rules.scaled(text, 0.2),
            "        expr: up{job=\"a for: 10s\"}[10m] > 10\n        for: 2000ms\n        keep_firing_for: 720000ms\n")
        for path in alert_rules.rule_files():
            waits = re.findall(r"^ +(?:for|keep_firing_for):.*$", path.read_text(), re.MULTILINE)
            shorter = re.findall(r"for: \d+ms$", alert_rules.scaled(path.read_text(), 0.2), re.MULTILINE)
            self.assertEqual(len(waits), len(shorter), f"{path.name} has a wait that scaling does not know")


if __name__ == "__main__":
    unittest.main()
