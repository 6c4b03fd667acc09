"""The rules of ops/alerts: what stands in them, and the same rules with shorter waits, for drills."""

import re

from building import ROOT

RULES = ROOT / "ops" / "alerts" / "rules"

_WAIT = re.compile(r"^( +(?:for|keep_firing_for): )(\d+)(s|m|h)$", re.MULTILINE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Rule:
    """One alert, by the text of its rule."""

    def __init__(self, text):
        self.text = text
        self.name = re.match(r"\w+", text)[0]
        self.severity = self._value("severity")
        self.runbook = self._value("runbook")
        self.summary = re.search(r"^ +summary: (.+(?:\n {12,}.+)*)", text, re.MULTILINE)
        self.expression = re.search(r"^ +expr: ((?:.+)(?:\n {10,}.+)*)", text, re.MULTILINE)[1]

    @property
    def metrics(self):
        """Names of the metrics that workers must export for it."""
        return set(re.findall(r"\b(?:regionsync|process|tenant)_\w+", self.expression))

    def selected(self, label):
        """What its selectors ask of a label, such as `slot-lost|slot-missing`."""
        return set(re.findall(rf'\b{label}!?=~?"([^"]+)"', self.expression))

    def _value(self, key):
        found = re.search(rf"^ +{key}: (\S+)$", self.text, re.MULTILINE)
        return found and found[1]


def rules():
    """All rules of all files, in order."""
    texts = (path.read_text() for path in rule_files())
    return [Rule(part) for text in texts for part in text.split("      - alert: ")[1:]]


def rule_files():
    return sorted(RULES.glob("*.yaml"))


def scaled(text, factor):
    """The rules of a file with every `for:` and `keep_firing_for:` so many times as long; the rest as it is."""
    def shorter(match):
        return f"{match[1]}{max(1, round(int(match[2]) * _SECONDS[match[3]] * factor * 1000))}ms"

    return _WAIT.sub(shorter, text)


def write_scaled(folder, factor):
    """Writes all rule files, scaled, into a folder; returns their paths."""
    folder.mkdir()
    for path in rule_files():
        (folder / path.name).write_text(scaled(path.read_text(), factor))
    return [folder / path.name for path in rule_files()]


def longest_wait(factor, up_to):
    """The longest scaled `for:` in seconds among those that are not above `up_to` seconds unscaled."""
    texts = (path.read_text() for path in rule_files())
    waits = [int(number) * _SECONDS[unit] for text in texts for key, number, unit in _WAIT.findall(text)
             if key.strip() == "for:"]
    return max(wait for wait in waits if wait <= up_to) * factor
