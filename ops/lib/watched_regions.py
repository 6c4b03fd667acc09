"""Two regions with passwords everywhere, watched by a real Prometheus, and faults that can be done to them."""

import os
import subprocess

import servers
from building import ROOT
from prometheus import Prometheus

REGIONS = ["us-east", "eu-west"]
ROLE = "regionsync_capture"
SLOT = "regionsync"
PASSWORD_VARIABLE = "DRILL_POSTGRES_PASSWORD"
# The superuser is let in, everybody else is asked for a password.
ACCESS = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
VOICE = "rs:{101}:voice:us-east"


class WatchedRegions:
    """PostgreSQL, two Redis servers, two workers and Prometheus with these rule files. us-east captures."""

    def __init__(self, program, folder, canary, rule_files):
        self.program = program
        self.folder = folder
        self.canary = canary
        self.rule_files = rule_files
        self.secret = folder / "redis-password"
        self.environment = {PASSWORD_VARIABLE: canary.password("postgres")}
        self._started = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure):
        for program in reversed(self._started):
            program.stop()

    def _start(self):
        password = self.canary.password("redis")
        self.secret.touch(mode=0o600)
        self.secret.write_text(password + "\n")
        durable = ["--appendonly", "yes", "--appendfsync", "everysec"]
        self.redis = {name: servers.Redis(self.folder, name, durable, password=password) for name in REGIONS}
        self.postgres = servers.Postgres(self.folder, access=ACCESS, settings={"max_slot_wal_keep_size": "1GB"})
        for server in [self.postgres, *self.redis.values()]:
            self._launch(server)
        self.files = servers.region_files(
            self.folder, self.redis, self.postgres, tenants=[101], change=self._with_passwords)
        if self.command("migrate", "--postgres-user", "postgres", regions=REGIONS[:1]).returncode != 0:
            raise servers.ServerFailure("regionsync migrate failed")
        self.postgres.sql(f"ALTER ROLE {ROLE} PASSWORD '{self.environment[PASSWORD_VARIABLE]}'")
        self.workers = {}
        for name in REGIONS:
            worker = servers.Worker(self.folder, self.program, self.files[name], ["--log-level", "debug"])
            worker.environment = self.environment
            self.workers[name] = self._launch(worker)
        for name, peer in [REGIONS, reversed(REGIONS)]:
            self.workers[name].wait_working("redis", "capture", f"mirror {peer}", "projection provisioning")
        self.prometheus = self._launch(Prometheus(self.folder, self.workers, self.rule_files))
        self._require_passwords()

    def _launch(self, program):
        self._started.append(program)
        return program.start()

    def _with_passwords(self, file):
        file.add("redis.passwordFile", self.secret).add("peers.redis.passwordFile", self.secret)
        file.add("postgres.passwordEnv", PASSWORD_VARIABLE)
        # For what a dry run says of them; nothing here is so wrong that they are run.
        file.add_section("failover", fence=["sh", "-c", "exit 1"], promote=["sh", "-c", "exit 1"])

    def _require_passwords(self):
        """Servers that let anybody in would make the canary prove nothing."""
        host = ["-h", "127.0.0.1", "-p"]
        for redis in self.redis.values():
            answer = subprocess.run(["redis-cli", *host, str(redis.port), "PING"], capture_output=True, text=True)
            if "NOAUTH" not in answer.stdout:
                raise servers.ServerFailure(f"{redis.name} asks for no password: {answer.stdout}")
        words = ["psql", "-w", *host, str(self.postgres.port), "-U", ROLE, "-c", "SELECT 1", self.postgres.database]
        answer = subprocess.run(words, capture_output=True, text=True)
        if "no password supplied" not in answer.stderr:
            raise servers.ServerFailure(f"PostgreSQL asks for no password: {answer.stderr}")

    @property
    def secret_files(self):
        """The files that hold a password by design."""
        return {self.secret, *(redis.data / "requirepass.conf" for redis in self.redis.values())}

    def command(self, *words, regions=None):
        """Runs regionsync for these regions, all where none is named; returns what subprocess says of it."""
        files = (word for name in regions or REGIONS for word in ("--region", str(self.files[name])))
        return self._run([self.program, *words, *files])

    def operate(self, name, *words):
        """Runs one of the commands for operators in ops/, in the same way."""
        return self._run([ROOT / "ops" / name, *words])

    def _run(self, words):
        return subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, cwd=self.folder.path,
            env={**os.environ, "REGIONSYNC": str(self.program), **self.environment})

    def difference(self):
        """None if PostgreSQL, caches and journals are equal, else a sentence that they are not."""
        equal = self.command("verify", "--json").returncode == 0
        return None if equal else "regions and PostgreSQL differ: see regionsync verify"

    # Faults of Redis.

    def change_password(self):
        self.redis["eu-west"].ask("CONFIG", "SET", "requirepass", self.canary.password("other"))
        self.redis["eu-west"].ask("CLIENT", "KILL", "TYPE", "normal")

    def restore_password(self):
        self.redis["eu-west"].ask("CONFIG", "SET", "requirepass", self.redis["eu-west"].password)

    def fill_redis(self):
        self.redis["us-east"].ask("CONFIG", "SET", "maxmemory", "1")
        self._make_tenant("full")  # so that capture has something to append

    def empty_redis(self):
        self.redis["us-east"].ask("CONFIG", "SET", "maxmemory", "0")

    # Faults of capture.

    def _make_tenant(self, name):
        self.postgres.sql(f"INSERT INTO provisioning.tenant (name) VALUES ('{name}')")

    def lock_capture_out(self):
        self.postgres.sql(
            f"ALTER ROLE {ROLE} NOLOGIN; "
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")

    def let_capture_in(self):
        self.postgres.sql(f"ALTER ROLE {ROLE} LOGIN")

    def drop_slot(self):
        self.lock_capture_out()
        free = f"SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
        servers.wait_until("release of the slot", lambda: self.postgres.sql(free) == "t")
        self.postgres.sql(f"SELECT pg_drop_replication_slot('{SLOT}')")
        # Two changes that no slot will ever show.
        self._make_tenant("unseen")
        self.postgres.sql("DELETE FROM provisioning.tenant WHERE name = 'full'")
        self.let_capture_in()

    def await_capture(self):
        """Capture finds by itself what it missed."""
        self.workers["us-east"].wait_working("capture", "mirror eu-west", "projection provisioning")

    # Faults of journals.

    def _add_event(self):
        self.redis["us-east"].ask("XADD", VOICE, "*", "event", "UserEvent", "key", "none", "data", "{}")

    def trim_journal(self):
        """Takes entries out of a journal before the mirror has seen them all."""
        self.workers["us-east"].pause()
        for _ in range(3):
            self._add_event()
        self.redis["us-east"].ask("XTRIM", VOICE, "MAXLEN", "0")
        self.workers["us-east"].resume()

    def write_copy(self):
        self.redis["eu-west"].ask("XADD", VOICE, "*", "stray", "entry")
        self._add_event()  # the next append finds it

    def set_copy_aside(self):
        """As the runbook of RegionsyncJournalStopped says."""
        self.redis["eu-west"].ask("RENAME", VOICE, f"{VOICE}:aside")
        self.redis["eu-west"].ask("DEL", f"{VOICE}:meta")
