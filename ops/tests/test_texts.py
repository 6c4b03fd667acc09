"""That README.md, regions/README.md and the pages for operators name what there is. Run by ops/test."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
ROOT = OPS.parent
PAGES = [ROOT / "README.md", ROOT / "regions/README.md", OPS / "PROTOCOL.md", OPS / "alerts/README.md",
         *(OPS / "runbooks").glob("*.md")]
SWIFT = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))
SCRIPTS = "".join(
    path.read_text() for path in OPS.rglob("*")
    if path.is_file() and path.suffix in ("", ".py", ".sh") and path.parent.name != "tests")

# Flags of programs that are not ours: redis-check-aof, redis-cli.
FOREIGN = {"--fix", "--tls", "--cacert", "--cert", "--key", "--user"}


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


class TextTests(unittest.TestCase):
    def named(self, pattern, pages=PAGES):
        """What the pattern's group finds, with the page that names it; it must find something somewhere."""
        found = [(page, name) for page in pages for name in re.findall(pattern, page.read_text())]
        self.assertTrue(found, f"nothing looks like {pattern}")
        return found

    def test_commands_of_ours_are_there(self):
        for page, name in self.named(r"(?<![\w/.])ops/([a-z/]*[a-z](?:\.md)?)"):
            self.assertTrue((OPS / name).exists(), f"{page}: there is no ops/{name}")
        commands = set(re.findall(r'commandName: "(\w+)"', SWIFT))
        for page, name in self.named(r"(?:`|    )regionsync ([a-z]+)"):
            self.assertIn(name, commands, page)

    def test_every_bench_is_described(self):
        benches = re.search(r'choices=\[(.*?)\]', (OPS / "bench").read_text())[1]
        readme = (ROOT / "README.md").read_text()
        for name in re.findall(r'"(\w+)"', benches):
            self.assertRegex(readme, rf"`ops/bench [^`]*\b{name}\b")

    def test_flags_are_known(self):
        for page, flag in self.named(r"(?<![\w-])(--[a-z][a-z-]+)"):
            if flag in FOREIGN:
                continue
            first, *rest = flag.removeprefix("--").split("-")
            variable = first + "".join(word.capitalize() for word in rest)
            is_known = re.search(rf'var {variable}\b|long\("{flag[2:]}"\)', SWIFT, re.IGNORECASE)
            self.assertTrue(is_known or re.search(rf"{flag}\b", SCRIPTS), f"{page}: nothing takes {flag}")

    def test_metrics_are_known(self):
        for page, name in self.named(r"`((?:regionsync|tenant)_[a-z_]+[a-z])"):
            name = name.removesuffix("_total")
            if name != "regionsync_capture":  # a role
                self.assertIn(f'"{name}"', SWIFT, page)

    def test_log_lines_are_worded_as_they_are_logged(self):
        pages = (OPS / "runbooks").glob("*.md")
        for page, line in self.named(r"`([A-Z][a-z]+(?:\s[a-z']+){3,})`", pages):
            self.assertIn(" ".join(line.split()), SWIFT, page)

    def test_what_the_runbooks_have_set_is_what_their_commands_need(self):
        block = re.search(r"(?m)^    export (?:.+\n)+", (OPS / "runbooks/README.md").read_text())[0]
        shown = subprocess.run(["bash", "-uc", block + '    echo $ALL; type redis peer_redis sql >/dev/null'],
                               capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        self.assertEqual((shown.stdout, shown.stderr),
                         ("--region regions/us-east.yaml --region regions/eu-west.yaml\n", ""))

    def test_every_reason_for_which_clients_are_cut_off_is_explained(self):
        swift = (ROOT / "Sources/RESPServer/Rejection.swift").read_text()
        reasons = {raw or name for name, raw in re.findall(r'(?m)^    case (\w+)(?: = "(\w+)")?$', swift)}
        rows = re.findall(r"(?m)^\| (`[a-z_`, ]+`) \|", (OPS / "runbooks/README.md").read_text())
        self.assertEqual({reason for row in rows for reason in re.findall(r"`(\w+)`", row)}, reasons)

    def test_links_lead_somewhere(self):
        for page, link in self.named(r"\]\(([^)\s]+)\)"):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path) if path else page
            self.assertTrue(target.exists(), f"{page}: {link}")
            if anchor:
                self.assertIn(anchor, anchors(target.read_text()), f"{page}: {link}")

    def test_pages_from_which_a_region_may_be_found_dead_lead_to_failover(self):
        for name, alerts in (("worker", ["WorkerAbsent", "RedisUnusable"]), ("mirror", ["LinkDown"]),
                             ("capture", ["CaptureNotStreaming"])):
            text = (OPS / "runbooks" / f"{name}.md").read_text()
            for alert in alerts:
                section = re.search(rf"^## Regionsync{alert}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
                self.assertIn("(failover.md)", section[1], alert)


if __name__ == "__main__":
    unittest.main()
