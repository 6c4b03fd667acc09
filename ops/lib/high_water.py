"""How much workers and slots took at most: what must stay bounded whatever the fault."""

import contextlib
import pathlib
import re
import threading

import servers

RETAINED = ("SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::bigint FROM pg_replication_slots "
            "WHERE NOT pg_is_in_recovery()")
LOOKS_SECONDS = 2


class HighWater:
    """Looks at programs and at PostgreSQL every other second, for the length of its block and at its end.

    `programs` and `postgres` are asked for those of the moment: a list of Programs, a Postgres. What is stopped or does
    not answer is passed over. `resident` is the peak of each program's resident memory, by name, in MiB; `retained` the
    most WAL that a slot kept, bytes, None where PostgreSQL never said.
    """

    def __init__(self, programs, postgres):
        self.resident = {}
        self.retained = None
        self._programs = programs
        self._postgres = postgres
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._over.set()
        self._thread.join()
        self.look()

    def look(self):
        for program in self._programs():
            if (peak := peak_mib(program.process)) is not None:
                self.resident[program.name] = max(peak, self.resident.get(program.name, 0))
        with contextlib.suppress(servers.ServerFailure, ValueError):
            self.retained = max(int(self._postgres().sql(RETAINED)), self.retained or 0)

    def _go_on(self):
        while not self._over.wait(LOOKS_SECONDS):
            self.look()


def peak_mib(process):
    """Most that a process had resident since it began; None where it is not there."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{process.pid}/status").read_text() if process else ""
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE):
            return int(found[1]) / 1024
    return None
