"""The measuring client `regionsync-load`, as Python functions."""

import contextlib
import json
import signal
import subprocess

from servers import ServerFailure


class Load:
    """Runs the commands of the program at `path`."""

    def __init__(self, path):
        self.path = path

    def fill(self, redis, stream, entries):
        """Writes entries as fast as the server takes them. Returns entries a second."""
        result = self._run("fill", "--server", redis.address, "--entries", entries, stream)
        return result["entries"] / result["seconds"]

    def lag(self, lanes, rate, seconds, warm_up=2, write_only=False):
        """Open-loop lag over `lanes`, (source, target, region, first tenant, last tenant) each."""
        with self.lag_begun(lanes, rate, seconds, warm_up, write_only) as running:
            return running.result()

    def lag_begun(self, lanes, rate, seconds, warm_up=2, write_only=False):
        """The same, begun: for those who look at something meanwhile."""
        words = ["lag", "--rate", rate, "--seconds", seconds, "--warm-up", warm_up]
        for source, target, region, first, last in lanes:
            words += ["--lane", f"{source.address}>{target.address}/{region}/{first}-{last}"]
        return Running(self, words + (["--write-only"] if write_only else [])).wait_ready()

    def fan_out(self, write, key, read, stream, clients, seconds, rate=None, warm_up=2):
        """One stream to many blocked readers: written at address `write` as `key`, read at `read` as `stream`."""
        words = ["fan-out", "--write", write, "--key", key, "--read", read, "--stream", stream, "--clients", clients,
                 "--seconds", seconds, "--warm-up", warm_up]
        return self._run(*words, *(["--rate", rate] if rate else []))

    def watch(self, redis, *question, at_least=None, equals=None, resume=None, poll_microseconds=5000, timeout=300):
        """Begins to watch for an answer; the block is entered once it is connected (`resume`: once it is begun)."""
        words = ["watch", "--server", redis.address, "--poll-microseconds", poll_microseconds, "--timeout", timeout]
        words += ["--at-least", at_least] if at_least is not None else ["--equals", equals]
        if resume is not None:
            words += ["--resume", resume]
        return Running(self, [*words, "--", *question]).wait_ready()

    def visible(self, floor, postgres, statement, own, peer, key, field, rate, seconds):
        """Commit to visible in two caches, beside what `floor` prints: a process with its output in a pipe."""
        words = ["visible", "--postgres", f"127.0.0.1:{postgres.port}", "--database", postgres.database,
                 "--statement", statement, "--own", own.address, "--peer", peer.address, "--key", key, "--field", field,
                 "--rate", rate, "--seconds", seconds]
        with Running(self, words, stdin=floor.stdout) as running:
            floor.stdout.close()  # the pipe is the other program's now
            return running.result()

    def _run(self, *words):
        with Running(self, words) as running:
            return running.result()


class Running:
    """One command under way. As a context manager it is ended with the block."""

    def __init__(self, load, words, stdin=subprocess.DEVNULL):
        self.words = [str(word) for word in words]
        # Without a buffer: what is read after the line "ready" must not have been taken with it.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", str(load.path), *self.words], stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def wait_ready(self):
        """Returns itself once it has begun."""
        try:
            if self.process.stdout.readline().strip() != b"ready":
                self.result()  # tells why not
                raise ServerFailure(f"regionsync-load {self.words[0]} did not begin")
            return self
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def result(self):
        """What it found: the JSON object of its last line. Waits for its end."""
        output, complaint = self.process.communicate()
        if self.process.returncode != 0:
            raise ServerFailure(f"regionsync-load {' '.join(self.words)[:200]} failed: {complaint.decode().strip()}")
        return json.loads(output.splitlines()[-1])
