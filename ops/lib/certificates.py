"""Certificates for tests and drills: an authority of one's own, and what it signs, by openssl."""

import subprocess

import servers

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority in a folder; `path` is its certificate."""

    def __init__(self, folder, name="authority"):
        self.folder = folder
        self.path, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl("req", "-x509", *CURVE, "-keyout", self.key, "-out", self.path, "-days", 60, "-subj", f"/CN={name}")

    def sign(self, name, alternatives):
        """A certificate with these names (`DNS:localhost,IP:127.0.0.1`) and its key, as paths."""
        path, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.cnf"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("req", *CURVE, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial", "-out", path,
                 "-days", 60, "-extfile", extensions)
        return path, key


def _openssl(*words):
    answer = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if answer.returncode != 0:
        raise servers.ServerFailure(f"openssl {words[0]} failed: {answer.stderr.strip()}")
