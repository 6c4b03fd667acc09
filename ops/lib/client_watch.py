"""Clients that behave, beside those that do not: what they get, and how soon."""

import statistics
import threading
import time

from raw_resp import RawConnection


class WellBehaved:
    """Asks both ports of a worker without a pause, and follows a tenant's stream, for the length of its block.

    `slowest` is the longest that an answer took, in seconds; `followed` the IDs that came; `errors` what went wrong.
    """

    def __init__(self, ports, tenant, stream):
        self.ports = ports
        self.tenant = tenant
        self.stream = stream
        self.delays = []
        self.followed = []
        self.errors = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=[body]) for body in (self._ask, self._follow)]

    def __enter__(self):
        voice = RawConnection(self.ports["voice"])
        last = voice.ask("XREVRANGE", self.stream, "+", "-", "COUNT", 1)
        voice.close()
        self.began = last[0][0] if last else "0-0"
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def slowest(self):
        return max(self.delays)

    @property
    def median(self):
        return statistics.median(self.delays)

    def _guard(self, body):
        try:
            body()
        except (OSError, RuntimeError, LookupError, TypeError) as error:
            self.errors.append(f"{body.__name__.strip('_')}: {error}")

    def _ask(self):
        config, voice = RawConnection(self.ports["config"]), RawConnection(self.ports["voice"])
        while not self._over.wait(0.02):
            began = time.monotonic()
            config.ask("CFG.GET", self.tenant, "tenant", self.tenant)
            voice.ask("XLEN", self.stream)
            self.delays.append(time.monotonic() - began)
        config.close()
        voice.close()

    def _follow(self):
        connection, cursor = RawConnection(self.ports["voice"]), self.began
        while True:
            is_over = self._over.is_set()
            answer = connection.ask("XREAD", "COUNT", 1000, "BLOCK", 100, "STREAMS", self.stream, cursor)
            if answer:
                [[_, entries]] = answer
                self.followed += [entry[0] for entry in entries]
                cursor = self.followed[-1]
            elif is_over:
                break
        connection.close()
