"""Ordinary clients against a worker's ports: Python's redis, redis-cli, redis-benchmark. Run by ops/test."""

import asyncio
import concurrent.futures
import os
import re
import subprocess
import unittest

import staging
import redis
import redis.asyncio

import following
import ports
import protocol_examples as examples
import servers
from certificates import Authority
from peer_stage import EAST, WEST, Stage

PROTOCOLS = (2, 3)
# Who has this name in the certificate is the account `gws`.
GWS_NAME = "gws.example.org"


class TLSStage(Stage):
    """us-east in the clear; eu-west with TLS, and on 8000 with certificates of clients, too."""

    def __init__(self, folder, program):
        super().__init__(folder, program, seed=1, change=self.encrypt)
        self.authority = Authority(folder)
        self.stranger = Authority(folder, "stranger")
        self.server = self.authority.sign("server", "DNS:localhost,IP:127.0.0.1")
        self.certified = self.authority.sign("gws", f"DNS:{GWS_NAME}")
        self.accounts["gws"].certificate_names = [GWS_NAME]

    def encrypt(self, file):
        if file.region != WEST:
            return
        certificate, key = self.server
        for name, more in (("config", ""), ("voice", f", clientCAFile: {self.authority.path}")):
            [port] = servers.free_ports(1)
            tls = f"{{certFile: {certificate}, keyFile: {key}{more}}}"
            file.set(f"listeners.{name}", f"{{host: 127.0.0.1, port: {port}, tls: {tls}}}")


def setUpModule():
    global stage, folder
    folder = servers.Folder("clients")
    stage = TLSStage(folder, staging.program())
    unittest.addModuleCleanup(folder.__exit__, None, None, None)
    try:
        stage.__enter__()
    except BaseException:
        folder.keep = True
        raise
    unittest.addModuleCleanup(stage.__exit__, None, None, None)


class ClientTests(unittest.TestCase):
    def setUp(self):
        self.tenant = stage.tenant
        self.names = dict(line.split("|") for line in stage.postgres.sql(
            f"SELECT dbid || '|' || user_name FROM provisioning.person WHERE tenant_dbid = {self.tenant}"
        ).splitlines())
        self.person = next(iter(self.names))

    def client(self, port, protocol=3, account="gws", **options):
        client = ports.client(stage.workers[EAST].ports[port], stage.accounts[account], protocol, **options)
        self.addCleanup(client.close)
        return client

    def get(self, *words):
        return ("CFG.GET", self.tenant, "person", *(words or [self.person]))


def tokens(arguments):
    """The keywords of arguments as COMMAND DOCS describes them."""
    return {word for one in arguments for word in (one.get("token"), *tokens(one.get("arguments", [])))
            if word and word.isalpha()}


def keywords(forms):
    """Those of a command as the page says it is called. Of several forms only what they begin with: HELP is Redis' own."""
    if len(forms) > 1:
        return {form.split()[0] for form in forms} - {"HELP"}
    return set(re.findall(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])", "".join(forms)))


class SyncTests(ClientTests):
    def test_commands_of_the_connection(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                client = self.client("config", protocol)
                self.assertTrue(client.ping())
                self.assertEqual(client.echo("hello"), "hello")
                self.assertEqual(client.client_getname(), "gws")
                self.assertGreater(client.client_id(), 0)
                self.assertEqual(client.client_info()["resp"], str(protocol))
                self.assertIn("regionsync_version", client.info())
                self.assertGreater(client.command_count(), 20)

    def test_the_page_and_command_docs_say_the_same(self):
        named = set()
        for port in ("config", "voice"):
            docs = self.client(port, 3).execute_command("COMMAND DOCS")
            for name, described in docs.items():
                named.add(name.upper())
                if name.upper() in examples.headings():
                    with self.subTest(name):
                        self.assertEqual(tokens(described.get("arguments", [])), keywords(examples.usage(name.upper())))
        self.assertEqual(named, {*examples.headings(), *examples.connection_commands()})

    def test_objects_are_maps(self):
        client = self.client("config", 3)
        self.assertEqual(client.execute_command(*self.get())["user_name"], self.names[self.person])
        flat = self.client("config", 2).execute_command(*self.get())
        self.assertEqual(ports.fields(flat), client.execute_command(*self.get()))
        self.assertIsNone(client.execute_command(*self.get("4000000")))

    def test_pipelines_are_answered_in_order(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                pipeline = self.client("config", protocol).pipeline(transaction=False)
                wanted = list(self.names) * 20
                for person in wanted:
                    pipeline.execute_command(*self.get(person))
                found = [ports.fields(one)["dbid"] for one in pipeline.execute()]
                self.assertEqual(found, wanted)

    def test_an_error_within_a_pipeline_is_its_commands_own(self):
        pipeline = self.client("config").pipeline(transaction=False)
        pipeline.execute_command(*self.get())
        pipeline.execute_command("CFG.GET", "nobody", "person", "7")
        pipeline.execute_command(*self.get())
        first, second, third = pipeline.execute(raise_on_error=False)
        self.assertEqual(first, third)
        self.assertRegex(str(second), "^NOTENANT ")

    def test_reads_between_multi_and_exec(self):
        pipeline = self.client("config").pipeline(transaction=True)
        pipeline.execute_command(*self.get())
        pipeline.execute_command("CFG.TYPES")
        found, types = pipeline.execute()
        self.assertEqual(found["dbid"], self.person)
        self.assertIn("person", types)

    def test_a_pool_of_connections_for_many_threads(self):
        pool = redis.BlockingConnectionPool(
            host="127.0.0.1", port=stage.workers[EAST].ports["config"], protocol=3, max_connections=8, timeout=30,
            username="gws", password=stage.accounts["gws"].secret, decode_responses=True)
        self.addCleanup(pool.disconnect)
        client = redis.Redis(connection_pool=pool)
        wanted = list(self.names) * 25
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            found = list(threads.map(lambda person: client.execute_command(*self.get(person))["dbid"], wanted))
        self.assertEqual(found, wanted)

    def test_logins(self):
        port = stage.workers[EAST].ports["config"]
        with self.assertRaises(redis.AuthenticationError):
            redis.Redis(host="127.0.0.1", port=port).ping()
        with self.assertRaises(redis.AuthenticationError):
            redis.Redis(host="127.0.0.1", port=port, username="gws", password="wrong", protocol=3).ping()
        with self.assertRaises(redis.exceptions.NoPermissionError):
            self.client("config", account="billing").execute_command(
                "CFG.PUT", self.tenant, "skill", "NEW", "name", "none")

    def test_streams_by_the_librarys_own_methods(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                self.streams(self.client("voice", protocol), f"group-{protocol}")

    def streams(self, client, group):
        name = following.stream(self.tenant, EAST)
        fields = {"event": "EventUserEvent", "key": group, "data": "{}"}
        first = client.xadd(f"voice:{self.tenant}", fields)
        client.xgroup_create(name, group, id=first)
        second = client.xadd(f"voice:{self.tenant}", fields)
        self.assertEqual(client.xrange(name, first, first), [(first, fields)])
        self.assertEqual(client.xrevrange(name, count=1), [(second, fields)])
        self.assertEqual(following.entries(client.xread({name: first}))[name], [(second, following.flat(fields))])
        self.assertFalse(client.xread({name: second}, block=50))
        self.assertEqual(client.xlen(name), client.xinfo_stream(name)["length"])
        got = following.entries(client.xreadgroup(group, "one", {name: ">"}))
        self.assertEqual(got[name], [(second, following.flat(fields))])
        self.assertEqual(client.xpending(name, group)["pending"], 1)
        self.assertEqual(client.xautoclaim(name, group, "two", 0)[1], [(second, fields)])
        self.assertEqual(client.xack(name, group, second), 1)
        self.assertEqual(client.xinfo_groups(name)[-1]["pending"], 0)
        self.assertEqual(client.xgroup_destroy(name, group), 1)

    def test_a_blocked_reader_is_woken(self):
        name = following.stream(self.tenant, EAST)
        last = self.client("voice").xadd(f"voice:{self.tenant}", {"event": "EventUserEvent", "key": "a", "data": "{}"})
        reader = self.client("voice")
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            reading = threads.submit(reader.xread, {name: last}, block=20_000)
            added = self.client("voice").xadd(
                f"voice:{self.tenant}", {"event": "EventUserEvent", "key": "b", "data": "{}"})
            self.assertEqual(following.entries(reading.result())[name][0][0], added)


class AsyncTests(ClientTests):
    def test_many_at_once(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                self.assertEqual(asyncio.run(self.gather(protocol)), list(self.names) * 5)

    async def gather(self, protocol):
        pool = redis.asyncio.BlockingConnectionPool(
            host="127.0.0.1", port=stage.workers[EAST].ports["config"], protocol=protocol, decode_responses=True,
            username="gws", password=stage.accounts["gws"].secret, max_connections=20, timeout=30)
        client = redis.asyncio.Redis.from_pool(pool)
        try:
            pipeline = client.pipeline(transaction=False)
            for person in self.names:
                pipeline.execute_command(*self.get(person))
            first = [ports.fields(one)["dbid"] for one in await pipeline.execute()]
            rest = await asyncio.gather(*(client.execute_command(*self.get(person))
                                          for person in list(self.names) * 4))
            return first + [ports.fields(one)["dbid"] for one in rest]
        finally:
            await client.aclose()


class TLSTests(ClientTests):
    def encrypted(self, port, authority=None, **options):
        client = redis.Redis(
            host="localhost", port=stage.workers[WEST].ports[port], protocol=3, decode_responses=True, ssl=True,
            ssl_ca_certs=str((authority or stage.authority).path), **options)
        self.addCleanup(client.close)
        return client

    def test_with_a_password(self):
        client = self.encrypted("config", username="gws", password=stage.accounts["gws"].secret)
        self.assertEqual(client.execute_command(*self.get())["user_name"], self.names[self.person])

    def test_with_a_certificate_in_place_of_it(self):
        certificate, key = map(str, stage.certified)
        client = self.encrypted("voice", ssl_certfile=certificate, ssl_keyfile=key)
        self.assertEqual(client.execute_command("CALL.LIST", self.tenant), [])

    def test_strangers_are_not_let_in(self):
        with self.assertRaises(redis.ConnectionError):
            self.encrypted("voice", username="gws", password=stage.accounts["gws"].secret).ping()
        with self.assertRaises(redis.ConnectionError):
            self.encrypted("config", stage.stranger).ping()
        with self.assertRaises((redis.ConnectionError, redis.TimeoutError)):
            redis.Redis(host="127.0.0.1", port=stage.workers[WEST].ports["config"], socket_timeout=30).ping()


class ProgramTests(ClientTests):
    def run_program(self, name, *words, text=None):
        words = [name, *map(str, words)]
        environment = {**os.environ, "REDISCLI_AUTH": stage.accounts["gws"].secret}
        answer = subprocess.run(words, capture_output=True, text=True, input=text, env=environment, timeout=120)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout

    def cli(self, *words, port="config", text=None):
        return self.run_program(
            "redis-cli", "-p", stage.workers[EAST].ports[port], "--user", "gws", *words, text=text)

    def test_redis_cli(self):
        self.assertEqual(self.cli("PING"), "PONG\n")
        self.assertEqual(self.cli("CFG.FIND", self.tenant, "person", "user_name", self.names[self.person]),
                         f"{self.person}\n")
        shown = self.cli("-3", "--no-raw", *self.get())
        self.assertIn(f'"user_name" => "{self.names[self.person]}"', shown)

    def test_redis_cli_with_many_commands_on_its_input(self):
        text = "".join(f"ECHO {number}\n" for number in range(500))
        self.assertEqual(self.cli(text=text).split(), [str(number) for number in range(500)])

    def test_redis_cli_with_tls(self):
        shown = self.run_program(
            "redis-cli", "-h", "localhost", "-p", stage.workers[WEST].ports["config"], "--tls", "--cacert",
            stage.authority.path, "--user", "gws", "PING")
        self.assertEqual(shown, "PONG\n")

    def test_redis_benchmark(self):
        for depth in (1, 16):
            with self.subTest(depth):
                words = ["redis-benchmark", "-p", stage.workers[EAST].ports["config"], "--user", "gws", "-a",
                         stage.accounts["gws"].secret, "-c", 20, "-n", 4000, "-P", depth, "--csv", *self.get()]
                answer = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)
                self.assertNotIn("Error", answer.stderr)
                self.assertGreater(float(answer.stdout.splitlines()[-1].split('","')[1]), 0)


if __name__ == "__main__":
    unittest.main()
