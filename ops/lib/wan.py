"""A link between two regions that can be long, slow and faulty: the proxy of `regionsync-load`, as a Python object."""

import contextlib
import json
import signal
import subprocess

from servers import ServerFailure

DIRECTIONS = ("there", "back")


class Proxy:
    """A port of the loopback address that leads to `target`, a server with a port. As a context manager it ends with
    its block.

    Orders are methods; each returns what the proxy has carried so far, with `atNs`, when the order was carried out by
    the clock of `time.monotonic_ns()`. A direction is "there" (requests), "back" (answers) or None for both.
    """

    def __init__(self, load_program, target):
        self.words = [str(load_program), "proxy", "--to", f"127.0.0.1:{target.port}"]
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        self.stop()

    def start(self):
        """Returns when it listens, on `port`."""
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *self.words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1, start_new_session=True)
        try:
            self.port = self._answer()["port"]
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        if self.process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def delay(self, milliseconds, direction=None):
        return self._order("delay", milliseconds, direction)

    def rate(self, bytes_per_second, direction=None):
        """None for no limit."""
        return self._order("rate", "none" if bytes_per_second is None else bytes_per_second, direction)

    def stall(self, direction=None):
        """Nothing arrives, nothing is lost: what is on its way arrives after `heal`."""
        return self._order("stall", direction)

    def cut(self, direction=None):
        """Everything is swallowed in silence; a connection that lost something is reset by `heal`."""
        return self._order("cut", direction)

    def heal(self):
        return self._order("heal")

    def flap(self, up_ms, down_ms):
        """Open and cut in turn, until `heal`."""
        return self._order("flap", up_ms, down_ms)

    def reset(self):
        return self._order("reset")

    def reset_after(self, count, direction=None):
        """RST to each open connection once so many more bytes have passed."""
        return self._order("reset-after", count, direction)

    def stats(self):
        return self._order("stats")

    def _order(self, *words):
        line = " ".join(str(word) for word in words if word is not None)
        try:
            self.process.stdin.write(line + "\n")
        except BrokenPipeError:
            raise ServerFailure(f"the proxy has ended; it was told: {line}") from None
        answer = self._answer()
        if "error" in answer:
            raise ServerFailure(f"the proxy: {answer['error']}")
        return answer

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise ServerFailure(f"{' '.join(self.words)} has ended with code {self.process.wait(5)}")
        return json.loads(line)
