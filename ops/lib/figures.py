"""Figures of several rounds: medians and ranges, a table for people and one line of JSON for programs."""

import json
import statistics
import sys


class Figure:
    """One quantity, measured once a round."""

    def __init__(self, name, unit="", digits=2, wanted=None):
        self.name = name
        self.unit = unit
        self.digits = digits
        self.wanted = wanted  # (">=" or "<=", bound), or None where nothing is asked
        self.values = []

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def is_met(self):
        if self.wanted is None:
            return True
        relation, bound = self.wanted
        return self.median >= bound if relation == ">=" else self.median <= bound

    def row(self):
        show = lambda value: f"{value:,.{self.digits}f}"
        verdict = ""
        if self.wanted:
            verdict = f"{self.wanted[0]} {self.wanted[1]:g}  {'met' if self.is_met else 'NOT MET'}"
        return [self.name, show(self.median), f"{show(min(self.values))} … {show(max(self.values))}", self.unit, verdict]


class Figures:
    """All figures of a bench, in the order in which they are shown."""

    def __init__(self):
        self._figures = {}

    def add(self, name, value, unit="", digits=2, wanted=None):
        """Adds one round's value of a figure."""
        self._figures.setdefault(name, Figure(name, unit, digits, wanted)).add(value)

    def __contains__(self, name):
        return name in self._figures

    def median(self, name):
        return self._figures[name].median

    def targets(self, names):
        """What these figures, by their names in a result, should reach, and whether they do; those asked for nothing, or
        never measured, are left out."""
        found = {key: self._figures[name] for key, name in names.items() if name in self._figures}
        return {key: {"target": f"{figure.wanted[0]} {figure.wanted[1]:g}", "met": figure.is_met}
                for key, figure in found.items() if figure.wanted}

    def print_table(self, title):
        rows = [["", "median", "range", "unit", "wanted"]] + [figure.row() for figure in self._figures.values()]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        print(f"\n{title}")
        for row in rows:
            cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2])]
            print("  ".join(cells + [row[3].ljust(widths[3]), row[4]]).rstrip())
        print()


def progress(text):
    """Says what happens now, on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_result(result):
    """The last line: one JSON object; figures to four significant digits."""
    rounded = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in result.items()}
    print(json.dumps(rounded, separators=(",", ":")), flush=True)
