"""Secrets that can be recognised, and the search for them where none may be."""

import os
import pathlib
import secrets


class Canary:
    """Passwords that share a random mark. Whatever shows the mark has shown a password."""

    def __init__(self):
        self.mark = f"canary{secrets.token_hex(8)}"
        self.searched = {"files": 0, "texts": 0, "processes": 0}
        self.found = []  # where the mark was seen

    def password(self, name):
        return f"{self.mark}-{name}"

    def search_text(self, where, text):
        """Looks through an answer or an output."""
        self._search("texts", where, (text or "").encode())

    def search_files(self, folder, but=()):
        """Looks through every file below a folder; `but` are the files that hold the secrets by design."""
        for root, _, names in os.walk(folder):
            for path in (pathlib.Path(root) / name for name in names):
                if path not in but and path.is_file():
                    self._search("files", path.relative_to(folder), path.read_bytes())

    def search_processes(self):
        """Looks through the command lines of all processes of this host."""
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue  # it ended meanwhile
            self._search("processes", f"the command line of process {path.parent.name}", words)

    def _search(self, kind, where, content):
        self.searched[kind] += 1
        if self.mark.encode() in content and str(where) not in self.found:
            self.found.append(str(where))
