"""A peer of the worker as a runnable scenario: what it does over the ports, said and checked line by line."""

import abc
import time

import redis

import ports

# The library makes classes of some codes, and takes the word away; also that of the code ERR.
CLASSES = {redis.exceptions.ReadOnlyError: "READONLY", redis.exceptions.NoPermissionError: "NOPERM"}
CODES = ("NOTENANT", "NOTFOUND", "CONFLICT", "STALE", "UNAVAILABLE", "TIMEOUT", "LIMIT", "EXECABORT")


class Peer(abc.ABC):
    """Subclasses name the peer, say in a line what it does, and play it."""

    name = ""
    summary = ""

    def __init__(self, stage):
        self.stage = stage
        self.tenant = str(stage.tenant)
        self.checks = 0
        self.failed = []

    @abc.abstractmethod
    def play(self):
        """The scenario."""

    def run(self):
        """Plays it; what came of it."""
        began = time.monotonic()
        self.play()
        return {"peer": self.name, "pass": not self.failed and self.checks > 0, "checks": self.checks,
                "failed": self.failed, "seconds": round(time.monotonic() - began, 1)}

    # For subclasses.

    def client(self, region, port, protocol=3, **options):
        return self.stage.client(self.name, region, port, protocol, **options)

    def did(self, text):
        """Says what was done."""
        print(f"  {text}", flush=True)

    def check(self, what, holds, found=None):
        """Checks something, and says it; `found` is shown where it does not hold. The scenario goes on."""
        self.checks += 1
        if not holds:
            self.failed.append(what)
        print(f"  {'ok   ' if holds else 'WRONG'} {what}" + ("" if holds else f"; found {found!r}"), flush=True)
        return holds

    def equal(self, what, found, expected):
        return self.check(what, found == expected, found if found == expected else f"{found!r}, not {expected!r}")

    def refused(self, what, code, ask):
        """Checks that `ask()` is refused with an error of this code."""
        try:
            answer = ask()
        except redis.ResponseError as error:
            word = str(error).split(" ", 1)[0]
            found = CLASSES.get(type(error), word if word in CODES else "ERR")
            return self.check(f"{what}: {code}", found == code, str(error))
        return self.check(f"{what}: {code}", False, answer)

    def count(self, table):
        """Rows of the tenant in PostgreSQL."""
        return int(self.stage.postgres.sql(
            f"SELECT count(*) FROM provisioning.{table} WHERE tenant_dbid = {self.tenant}"))

    def pages(self, client, kind, count=25, tenant=None):
        """All ids of a type, page by page, and the position at which the first page was true. One may come twice."""
        ids, cursor, position = {}, "0", None
        while True:
            page = ports.fields(client.execute_command(
                "CFG.LIST", tenant or self.tenant, kind, "CURSOR", cursor, "COUNT", count))
            position = position or page["position"]
            ids.update(dict.fromkeys(page["ids"]))
            cursor = page["cursor"]
            if cursor == "0":
                return list(ids), position

    def objects(self, client, kind, ids):
        """The objects of these ids, each a dictionary."""
        found = []
        for first in range(0, len(ids), 50):
            answer = client.execute_command("CFG.MGET", self.tenant, kind, *ids[first:first + 50])
            found += [ports.fields(one) for one in answer]
        return found
