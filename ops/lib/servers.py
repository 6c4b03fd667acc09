"""Servers and workers of one's own for the commands in ops/: own folder, free loopback ports, all stopped at the end.

    with Folder("bench") as folder, Redis(folder, "us-east") as redis, Postgres(folder) as postgres:
        redis.ask("SET", "a", "1")
        postgres.sql("SELECT 1")

Everything started here writes a log into the folder, is stopped by its process id, also on Ctrl-C and exceptions, and
ends by itself (PR_SET_PDEATHSIG, through setpriv) should this process be killed. When a block ends with an error or a
failing exit status the tails of all logs are printed and the folder is kept.
"""

import abc
import contextlib
import copy
import itertools
import json
import os
import pathlib
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from regionfile import RegionFile


class ServerFailure(Exception):
    """A server or program did not do what was asked of it. The text says which, what, and what its log ends with."""


# None of those that the kernel gives to outgoing connections, one of which could take a port before its server does, or
# while that is stopped; and others than the tests in Swift take, which run beside.
PORTS = range(13_000, 15_000)
_next_ports = itertools.islice(itertools.cycle(PORTS), random.SystemRandom().randrange(len(PORTS)), None)


def free_ports(count):
    """Ports on the loopback address that nobody listens on now. None is given twice before all others were."""
    return list(itertools.islice(filter(is_free, _next_ports), count))


def is_free(port):
    """Whether nobody listens on a port of the loopback address."""
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(what, condition, seconds=60, pause=0.01):
    """Waits until `condition()` is true and returns it; ServerFailure says that `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() >= deadline:
            raise ServerFailure(f"{what} did not happen within {seconds} s")
        time.sleep(pause)


def http_get(port, path):
    """What a server on the loopback address answers to a path, whatever the status; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return None


def children_of(pid):
    """Process ids of the children of a process."""
    children = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                children.append(int(path.parent.name))
    return children


def is_running(pid):
    """Whether a process is there and is more than a zombie."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


INTERRUPTS = (signal.SIGHUP, signal.SIGTERM)


def stop_on_signals():
    """Makes SIGTERM and SIGHUP end this process as Ctrl-C does: through all `with` blocks."""
    # A shell lets its background jobs ignore Ctrl-C; who sends it to us means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(number, frame):
        raise SystemExit(128 + number)

    for number in INTERRUPTS:
        signal.signal(number, interrupt)


class Folder:
    """A temporary folder for everything of one run. Deleted at the end, kept and shown when the run fails."""

    def __init__(self, name, keep=False):
        self.keep = keep
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"regionsync-{name}-"))
        self.path.chmod(0o711)  # PostgreSQL, as another user, must be able to reach its own part
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        failed = kind is not None and not issubclass(kind, KeyboardInterrupt)
        if isinstance(error, SystemExit):
            failed = error.code not in (None, 0, *(128 + number for number in INTERRUPTS))
        if failed:
            for process in self.processes:
                if tail := process.log_tail():
                    print(f"--- end of {process.log}\n{tail}", file=sys.stderr)
        if failed or self.keep:
            print(f"kept: {self.path}", file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def __truediv__(self, name):
        return self.path / name


class Program(abc.ABC):
    """A process of ours with a log. Subclasses say how to start it and when it is ready."""

    patience = 60  # seconds until ready, and until it has ended on its own signal

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.log = folder / f"{name}.log"
        self.process = None
        folder.processes.append(self)

    # What subclasses fill in.

    @abc.abstractmethod
    def command(self):
        """The words of its command line."""

    def is_ready(self):
        return True

    end_signal = signal.SIGTERM
    user = None  # another user to run as, when this process is root
    environment = {}

    # Life.

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        self.stop()

    def start(self, wait=True):
        """Starts it; returns when it is ready."""
        privileges = ["setpriv", "--pdeathsig", self.end_signal.name.removeprefix("SIG")]
        if self.user and os.geteuid() == 0:
            privileges += ["--reuid", self.user, "--regid", self.user, "--clear-groups"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                privileges + ["--"] + [str(word) for word in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder.path, env={**os.environ, **self.environment},
                start_new_session=True)  # so that Ctrl-C reaches us alone, and we end it in order
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.stop()
                raise
        return self

    def wait_ready(self):
        def ready():
            self.require_running()
            return self.is_ready()

        try:
            wait_until(f"start of {self.name}", ready, self.patience)
        except ServerFailure as failure:
            raise ServerFailure(f"{failure}\n{self.log_tail()}") from None

    def require_running(self):
        if self.process is None:
            raise ServerFailure(f"{self.name} is not running")
        if (code := self.process.poll()) is not None:
            raise ServerFailure(f"{self.name} ended with code {code}\n{self.log_tail()}")

    def stop(self, number=None):
        """Ends it with its own signal (or `number`), with SIGKILL when that takes too long. Fine when it has ended.

        Returns its exit code, negative for the signal that ended it; None where it was not running.
        """
        if self.process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number or self.end_signal)
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            print(f"{self.name} does not end: SIGKILL", file=sys.stderr)
            self.process.kill()
            self.process.wait()
        code = self.process.returncode
        self.process = None
        return code

    def kill(self):
        self.stop(signal.SIGKILL)

    def pause(self):
        """SIGSTOP; returns when it stands still."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(f"SIGSTOP of {self.name}", lambda: self._status("State").startswith("T"))

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    # What the kernel knows of it.

    @property
    def pid(self):
        self.require_running()
        return self.process.pid

    def cpu_seconds(self):
        """CPU time it has used, user and system, all threads."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        whole = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        # That counts in hundredths; the threads' own figures are finer, but those that have ended are not in them.
        living = 0
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                living += int((task / "schedstat").read_text().split()[0])
        return max(whole, living / 1e9)

    def cpu_wait_seconds(self):
        """Time that its threads, those that live, were ready to run and had no CPU."""
        waited = 0
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                waited += int((task / "schedstat").read_text().split()[1])
        return waited / 1e9

    def resident_mib(self):
        return int(self._status("VmRSS").split()[0]) / 1024

    def peak_resident_mib(self):
        """Most that was resident since it started."""
        return int(self._status("VmHWM").split()[0]) / 1024

    def _status(self, field):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return line.partition(":")[2].strip()
        raise ServerFailure(f"/proc shows no {field} of {self.name}")

    def log_tail(self, lines=20):
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Redis(Program):
    """A Redis server; keeps nothing on disk unless stopped with `save`. With `password`, it asks everybody for it. With
    `disk`, its data is there instead of in the folder.
    """

    host = "127.0.0.1"

    def __init__(self, folder, name, settings=(), replica_of=None, password=None, disk=None):
        super().__init__(folder, f"redis-{name}")
        [self.port] = free_ports(1)
        self.data = (disk or folder) / self.name
        self.data.mkdir()
        self.settings = list(settings)
        self.replica_of = replica_of
        self.password = password
        if password:
            secret = self.data / "requirepass.conf"  # not among its words: everybody on the host can read those
            secret.touch(mode=0o600)
            secret.write_text(f"requirepass {password}\n")
            self.settings += ["--include", secret]
        self._connection = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def command(self):
        words = ["redis-server", "--bind", self.host, "--port", self.port, "--dir", self.data, "--save", "",
                 "--appendonly", "no", "--daemonize", "no"]
        if self.replica_of:
            words += ["--replicaof", "127.0.0.1", self.replica_of.port]
        return words + self.settings

    def is_ready(self):
        try:
            if self.replica_of:
                return self.info("replication").get("master_link_status") == "up"
            return self.ask("PING") == "PONG"
        except (OSError, RedisRefusal):
            self._close()
            return False

    def another(self):
        """The same server, asked through a connection of its own: for a thread beside others."""
        other = copy.copy(self)
        other._connection = None
        return other

    def stop(self, number=None, save=False):
        """Ends it; with `save`, what it holds is there again after the next start."""
        if save:
            with contextlib.suppress(ConnectionError):
                self.ask("SHUTDOWN", "SAVE")
        self._close()
        return super().stop(number)

    def info(self, section):
        lines = self.ask("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def ask(self, *words):
        """Sends one command and returns its answer: text, number, None or a list. Not fast: for set-up and checks."""
        if self._connection is None:
            connection = socket.create_connection((self.host, self.port), timeout=60)
            self._connection = (connection, connection.makefile("rb"))
            if self.password:
                self._send("AUTH", self.password)
                self._reply(self._connection[1], "AUTH")
        self._send(*words)
        return self._reply(self._connection[1], " ".join(map(str, words))[:80])

    def _send(self, *words):
        encoded = [str(word).encode() for word in words]
        text = b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded)
        self._connection[0].sendall(text)

    def _reply(self, replies, question):
        line = replies.readline()
        if not line.endswith(b"\r\n"):
            self._close()
            raise ConnectionError(f"{self.name} hung up on {question}")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"-":
            raise RedisRefusal(f"{self.name} refused {question}: {rest}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else replies.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == "-1" else [self._reply(replies, question) for _ in range(int(rest))]
        return rest

    def _close(self):
        if self._connection:
            self._connection[0].close()
            self._connection = None


class RedisRefusal(ServerFailure):
    """Redis answered with an error."""


class Postgres(Program):
    """A PostgreSQL server with logical replication; superuser `postgres`, no passwords on the loopback address.

    `access` are lines of pg_hba.conf to take instead of that. With `disk`, its data is there instead of in the folder.
    """

    end_signal = signal.SIGINT  # fast shutdown
    user = "postgres"
    defaults = {
        "wal_level": "logical", "max_wal_senders": 20, "max_replication_slots": 20, "max_connections": 60,
        "fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB",
        "max_wal_size": "4GB", "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "log_checkpoints": "off",
    }

    def __init__(self, folder, name="postgres", database="regionsync", settings=None, access=None, disk=None):
        super().__init__(folder, name)
        [self.port] = free_ports(1)
        self.database = database
        self.settings = {**self.defaults, **(settings or {})}
        self.access = access
        self.home = (disk or folder) / f"{name}-home"
        self.home.mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            os.chown(self.home, account.pw_uid, account.pw_gid)
        self.data = self.home / "data"

    @staticmethod
    def program(name):
        """The newest installed PostgreSQL's program."""
        found = list(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if not found:
            raise ServerFailure(f"no {name} in /usr/lib/postgresql: install postgresql-15")
        return max(found, key=lambda path: int(re.match(r"\d+", path.parts[-3])[0]))

    def command(self):
        settings = [word for key, value in self.settings.items() for word in ("-c", f"{key}={value}")]
        return [self.program("postgres"), "-D", self.data, "-p", self.port, *settings]

    def start(self, wait=True):
        if not self.data.exists():
            self._run([self.program("initdb"), "-D", self.data, "-U", "postgres", "--auth", "trust", "--no-sync",
                       "--encoding", "UTF8", "--locale", "C.UTF-8"], "initdb")
            if self.access:
                (self.data / "pg_hba.conf").write_text(self.access)
        super().start(wait)
        if wait and self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'", "postgres") == "":
            self.sql(f'CREATE DATABASE "{self.database}"', "postgres")
        return self

    def is_ready(self):
        words = [self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(words).returncode == 0

    def children(self):
        """Process ids of everything that the server has started and that still runs."""
        return children_of(self.pid)

    def crash(self):
        """SIGKILL to the server and all of its processes at once."""
        self.pause()  # or it starts another one meanwhile, which keeps the next server from its memory
        pids = [self.pid, *self.children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kill()
        wait_until(f"end of all processes of {self.name}", lambda: not any(map(is_running, pids)))

    def sql(self, text, database=None):
        """Runs SQL as superuser, statement by statement; returns unaligned rows as text."""
        words = ["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                 "-d", database or self.database, "-f", "-"]
        answer = subprocess.run(words, input=text, capture_output=True, text=True)
        if answer.returncode != 0:
            raise ServerFailure(f"SQL failed: {answer.stderr.strip()}\nin: {text.strip()[:500]}")
        return answer.stdout.strip()

    def migrate(self, program, region_file):
        """Makes schema, roles and publication: `regionsync migrate` as superuser."""
        words = [program, "migrate", "--region", region_file, "--postgres-user", "postgres"]
        answer = subprocess.run(words, capture_output=True, text=True)
        if answer.returncode != 0:
            raise ServerFailure(f"regionsync migrate failed: {answer.stderr.strip()}")

    def become_standby(self, primary):
        """Throws its data away and starts as a streaming standby of another server of ours."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        BaseBackup(self.folder, primary, self).start()
        Program.start(self)

    def promote(self):
        """Returns when it takes writes."""
        answer = subprocess.run(self.promotion(), capture_output=True, text=True, cwd=self.home)
        if answer.returncode != 0:
            raise ServerFailure(f"{self.name} was not promoted: {(answer.stderr or answer.stdout).strip()}")

    def promotion(self):
        """The words of a command that promotes it, and returns when it takes writes."""
        return self._as_user(self.program("pg_ctl"), "promote", "-w", "-s", "-D", self.data)

    def stopping(self):
        """The words of a command that stops it in order, all WAL sent to its standbys; fine when it has ended."""
        stop = " ".join(map(shlex.quote, self._as_user(
            self.program("pg_ctl"), "stop", "-w", "-s", "-m", "fast", "-D", self.data)))
        return ["sh", "-c", f"if [ -e {shlex.quote(str(self.data / 'postmaster.pid'))} ]; then {stop}; fi"]

    def wait_replayed(self, primary):
        """Waits until it has replayed what the primary has written by now."""
        end = primary.sql("SELECT pg_current_wal_lsn()")
        wait_until(f"replay of {end} by {self.name}",
                   lambda: self.sql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn") == "t")

    def _as_user(self, *words):
        privileges = []
        if os.geteuid() == 0:
            privileges = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", "--"]
        return [str(word) for word in (*privileges, *words)]

    def _run(self, words, what):
        answer = subprocess.run(self._as_user(*words), capture_output=True, text=True, cwd=self.home)
        if answer.returncode != 0:
            raise ServerFailure(f"{what} failed: {(answer.stderr or answer.stdout).strip()}")


class BaseBackup(Program):
    """pg_basebackup, from a server of ours to where another one will keep its data; ready when it has ended well."""

    patience = 120
    end_signal = signal.SIGINT
    user = Postgres.user

    def __init__(self, folder, primary, standby):
        super().__init__(folder, f"{standby.name}-base-backup")
        self.primary = primary
        self.standby = standby

    def command(self):
        return [Postgres.program("pg_basebackup"), "-h", "127.0.0.1", "-p", self.primary.port, "-U", "postgres",
                "-D", self.standby.data, "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast",
                "--no-sync"]

    def is_ready(self):
        return self.process.poll() == 0

    def require_running(self):
        """It is well while it runs, and once it has ended with 0."""
        if not self.process or self.process.poll() != 0:
            super().require_running()


class PostgresStandby(Postgres):
    """A streaming standby of a server of ours; made by pg_basebackup when it is started first.

    To have that done beside other things, start `base_backup` earlier, without waiting.
    """

    def __init__(self, folder, primary, name="standby", settings=None):
        super().__init__(folder, name, primary.database, settings)
        self.base_backup = BaseBackup(folder, primary, self)

    def start(self, wait=True):
        if self.base_backup.process:
            self.base_backup.wait_ready()
        elif not self.data.exists():
            self.base_backup.start()
        Program.start(self, wait)
        return self


class Worker(Program):
    """`regionsync run` for one region file; with `port` its admin port is that instead of the file's. `ports` are those of
    its listeners, by name.
    """

    def __init__(self, folder, program, region_file, options=(), name=None, port=None):
        path = pathlib.Path(region_file)
        super().__init__(folder, name or f"worker-{path.stem}")
        self.program = program
        self.region_file = path
        self.options = list(options)
        if port:
            self.environment = {"REGIONSYNC_ADMIN_PORT": str(port)}
        found = re.search(r"^admin:\n(?:  .*\n)*?  port: (\d+)", path.read_text(), re.MULTILINE)
        self.admin_port = port or int(found[1])
        listeners = re.findall(r"^  (\w+): \{host: 127\.0\.0\.1, port: (\d+)", path.read_text(), re.MULTILINE)
        self.ports = {listener: int(number) for listener, number in listeners}

    def command(self):
        return [self.program, "run", "--region", self.region_file, *self.options]

    def is_ready(self):
        return self.get("/livez") is not None

    def wait_working(self, *components, seconds=60):
        """Waits until `/status` says of each component, such as `mirror eu-west`, that it works."""
        def states():
            return {one["component"]: one["state"] for one in self.status()["components"]}

        def working():
            self.require_running()
            found = states()
            return all(name in found and found[name]["health"] == "working" for name in components)

        try:
            wait_until(f"{', '.join(components)} of {self.name} working", working, seconds)
        except ServerFailure as failure:
            found = states()
            said = [f"{name}: {words(found[name])}" if name in found else f"{name}: it has no such component"
                    for name in components if found.get(name, {}).get("health") != "working"]
            raise ServerFailure("\n".join([str(failure), *said])) from None

    def wait_listening(self, seconds=60):
        """Waits until the ports are open that the region file names."""
        self.wait_working(*(f"listener {name}" for name in self.ports), seconds=seconds)

    def status(self):
        """What the worker says of itself, as on its admin port."""
        return json.loads(self.get("/status") or '{"components": []}')

    def metrics(self):
        """All samples by name with labels, such as `regionsync_mirror_link_up{peer="eu-west"}`."""
        lines = (self.get("/metrics") or "").splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def get(self, path):
        """What the admin port answers to a path, whatever the status; None where it does not answer."""
        return http_get(self.admin_port, path)


def words(state):
    """A component's state for people."""
    return "; ".join(filter(None, (state["name"], state.get("reason"), state.get("advice"))))


SERVED = ("config", "voice")


def ports_of_listeners(file, ports):
    """Lets a RegionFile open these listeners, {name: port}, and no others."""
    for name in ("config", "voice", "statistics", "outbound", "routing", "interaction"):
        if name in ports:
            file.set(f"listeners.{name}", f"{{host: 127.0.0.1, port: {ports[name]}}}")
        else:
            file.remove(f"listeners.{name}")


def region_files(folder, redis, postgres=None, tenants=(), subfolder="", change=None, listeners=False):
    """Region files for servers of ours: `redis` is {region: Redis}. Returns {region: path}.

    With `listeners` the ports of provisioning and voice are open, else none. `change`, if given, is called with each
    RegionFile before it is written.
    """
    place = folder / subfolder
    place.mkdir(exist_ok=True)
    names = list(redis)
    ports = iter(free_ports(7 * len(names)))
    paths = {}
    for name in names:
        [peer] = [other for other in names if other != name]
        file = RegionFile(name)
        file.set("redis.port", redis[name].port).set("peers.redis.port", redis[peer].port)
        file.set("admin.port", next(ports))
        if listeners:
            ports_of_listeners(file, {listener: next(ports) for listener in SERVED})
        else:
            file.remove("listeners")
        if postgres:
            file.set("postgres.port", postgres.port).set("postgres.database", postgres.database)
        if tenants:
            file.set("tenants", "[" + ", ".join(map(str, tenants)) + "]")
        if change:
            change(file)
        paths[name] = file.write(place)
    return paths
