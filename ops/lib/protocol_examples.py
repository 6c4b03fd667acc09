"""The examples of ops/PROTOCOL.md: what is typed, what is expected, and whether an output is that."""

import dataclasses
import pathlib
import re

from building import ROOT

PAGE = ROOT / "ops" / "PROTOCOL.md"
_PLACEHOLDER = re.compile(r"<(\w+)>")


@dataclasses.dataclass
class Step:
    """Something typed, and the lines expected then. `kind` is `$` for a shell, `>` for a prompt of redis-cli that a `$`
    before it opened, `elsewhere$` for another shell meanwhile."""

    kind: str
    words: str
    expected: list
    line: int


def steps(page=PAGE):
    """All that is typed in the page, in order."""
    found, current, is_fenced = [], None, False
    for number, text in enumerate(pathlib.Path(page).read_text().splitlines(), 1):
        if text.startswith("```"):
            is_fenced = not is_fenced
        elif not is_fenced:
            text = text.removeprefix("    ") if text.startswith("    ") else ""
        if match := re.match(r"(\$|>|elsewhere\$) (.*)", text):
            current = Step(match[1], match[2], [], number)
            found.append(current)
        elif not text.strip() or text.startswith("```"):
            current = None
        elif current:
            current.expected.append(text)
    return found


def sessions(page=PAGE):
    """Steps in groups: a prompt with what belongs to it, or one command."""
    groups = []
    for step in steps(page):
        if step.kind == "$":
            groups.append([step])
        else:
            groups[-1].append(step)
    return groups


def headings(page=PAGE):
    """The commands that the page describes, each with the text below it."""
    parts = re.split(r"^### (.+)$", pathlib.Path(page).read_text(), flags=re.MULTILINE)
    return {name: re.split(r"^## ", text, flags=re.MULTILINE)[0] for name, text in zip(parts[1::2], parts[2::2])}


def usage(name, page=PAGE):
    """How a command is called: what may stand behind its name, one line a form."""
    return re.findall(rf"(?m)^    {re.escape(name)} (.+)$", headings(page)[name])


def connection_commands(page=PAGE):
    """The commands that every port has: those of the page's last table."""
    cells = re.findall(r"^\| (`.+?) \|", pathlib.Path(page).read_text().partition("## What every port has")[2], re.MULTILINE)
    return {words.split()[0] for cell in cells for words in re.findall("`(.+?)`", cell)}


def filled(text, values):
    """What is typed, with what is known in place of its placeholders."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def match(expected, output, values):
    """The values of placeholders, old and new, where the output's lines are as expected; None where they are not.

    What came up before must come again; `...` stands for any lines, or at the end of a line for its rest.
    """
    names, pattern = [], ""
    for line in map(str.rstrip, expected):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        rest = line.endswith(" ...")
        pieces = re.split(r"(<\w+>)", line.removesuffix("...") if rest else line)
        for piece in pieces:
            found = _PLACEHOLDER.fullmatch(piece)
            if not found:
                pattern += re.escape(piece)
            elif found[1] in values:
                pattern += re.escape(values[found[1]])
            elif found[1] in names:
                pattern += f"(?P={found[1]})"
            else:
                names.append(found[1])
                pattern += f"(?P<{found[1]}>.+?)"
        pattern += (".*" if rest else "") + r"\n"
    found = re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in output))
    return {**values, **found.groupdict()} if found else None
