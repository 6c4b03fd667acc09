"""Region files of one's own, derived from regions/*.yaml: the shipped text with some values changed."""

import json
import pathlib
import re

from building import ROOT

_LINE = re.compile(r"^(?P<indent> *)(?P<dash>- +)?(?P<key>[A-Za-z][A-Za-z0-9]*):(?P<rest>.*)$")


class RegionFile:
    """The text of a shipped region file. Keys are paths such as `redis.port`; `peers` means its first peer."""

    def __init__(self, region):
        self.text = (ROOT / "regions" / f"{region}.yaml").read_text()
        self.region = region
        self.set("catalogFile", ROOT / "regions" / "catalog.yaml")

    def set(self, path, value):
        """Changes a scalar, or puts a one-line value (`[1, 2]`) in place of a one-line value."""
        lines = self.text.splitlines()
        lines[self._find(lines, path)[0]] = self._replaced(lines[self._find(lines, path)[0]], value)
        self.text = "\n".join(lines) + "\n"
        return self

    def add(self, path, value):
        """Puts a key that the shipped file leaves out first into its section, which is there."""
        lines = self.text.splitlines()
        section, _, key = path.rpartition(".")
        number, indent = self._find(lines, section)
        lines.insert(number + 1, f"{' ' * (indent + 2)}{key}: {value}")
        self.text = "\n".join(lines) + "\n"
        return self

    def remove(self, path):
        """Takes a key out, with everything below it."""
        lines = self.text.splitlines()
        first, indent = self._find(lines, path)
        last = first + 1
        while last < len(lines) and (not lines[last].strip() or _indent(lines[last]) > indent):
            last += 1
        self.text = "\n".join(lines[:first] + lines[last:]) + "\n"
        return self

    def add_section(self, key, **values):
        """Puts a section behind all others; each value is written as JSON, which YAML reads."""
        self.text += f"\n{key}:\n" + "".join(f"  {name}: {json.dumps(value)}\n" for name, value in values.items())
        return self

    def write(self, folder):
        path = pathlib.Path(folder) / f"{self.region}.yaml"
        path.write_text(self.text)
        return path

    @staticmethod
    def _find(lines, path):
        stack = []  # (indent, key) of the blocks that the line stands in
        for number, line in enumerate(lines):
            match = _LINE.match(line)
            if not match:
                continue
            indent = len(match["indent"]) + len(match["dash"] or "")
            while stack and stack[-1][0] >= indent:
                stack.pop()
            stack.append((indent, match["key"]))
            if ".".join(key for _, key in stack) == path:
                return number, indent
        raise KeyError(f"the shipped region file has no line {path}")

    @staticmethod
    def _replaced(line, value):
        match = _LINE.match(line)
        return f"{match['indent']}{match['dash'] or ''}{match['key']}: {value}"


def _indent(line):
    return len(line) - len(line.lstrip(" "))
