"""A WFM adapter: reads provisioning over 8888 and follows agent events over 8000 through breaks (connections 12, 13)."""

import collections
import random
import threading
import time

import redis

import following
import ledgers
import ports
from peer import Peer
from peer_stage import EAST, REGIONS

AGENT_EVENTS = ("EventAgentLogin", "EventAgentLogout", "EventAgentReady", "EventAgentNotReady",
                "EventAgentAfterCallWork")
SECONDS = 10
PATIENCE = 120


class WFM(Peer):
    name = "wfm"
    summary = "follows agent events, resumes after breaks without loss"

    def play(self):
        config = self.client(EAST, "config")
        ids, _ = self.pages(config, "person")
        self.did(f"read {len(ids)} persons")
        self.equal("all of PostgreSQL's", len(ids), self.count("person"))
        self.streams = {following.stream(self.tenant, region): region for region in REGIONS}
        self.cursors = {name: self.end(name) for name in self.streams}
        self.began = dict(self.cursors)
        self.got = collections.defaultdict(list)
        self.breaks = 0
        self.did("follows " + ", ".join(f"{name} behind {entry}" for name, entry in self.cursors.items()))
        self.follow()
        for name, region in self.streams.items():
            self.judge(name, region)

    def end(self, name):
        """The last ID of a stream."""
        last = self.client(EAST, "voice").xrevrange(name, count=1)
        return last[0][0] if last else "0-0"

    def follow(self):
        """Reads while connections break and the worker is killed once."""
        chance = random.Random(f"wfm {self.stage.seed}")
        traffic = self.stage.traffic("wfm", events_per_second=100)
        began = time.monotonic()
        kill = began + SECONDS / 2
        cut = began + chance.uniform(0.3, 1.5)
        client = self.client(EAST, "voice")
        while (now := time.monotonic()) < began + SECONDS:
            if now > cut:
                self.did("the connection breaks, perhaps within a reply")
                threading.Timer(chance.uniform(0, 0.2), ports.break_connections, [client]).start()
                cut = now + chance.uniform(0.3, 1.5)
            client = self.read(client)
            if kill and now > kill:
                self.did(f"the worker of {EAST} is killed, and starts again")
                self.stage.workers[EAST].kill()
                self.stage.workers[EAST].start(wait=False)
                kill = None
        self.stage.stop_traffic(traffic)
        self.ledger = traffic.ledger
        ends = {name: self.stage.redis[region].ask(
            "XREVRANGE", f"rs:{{{self.tenant}}}:voice:{region}", "+", "-", "COUNT", 1)[0][0]
            for name, region in self.streams.items()}
        deadline = time.monotonic() + PATIENCE
        while any(self.cursors[name] != end for name, end in ends.items()) and time.monotonic() < deadline:
            client = self.read(client)
        self.equal("followed to the end of every stream", self.cursors, ends)

    def read(self, client):
        """One read; on a broken connection, the next one goes on behind what was received."""
        try:
            answer = client.xread(self.cursors, count=200, block=200)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            self.breaks += 1
            time.sleep(0.05)
            return client
        except redis.exceptions.ResponseError as error:
            if not str(error).startswith("UNAVAILABLE "):
                raise
            time.sleep(0.05)  # the worker has just begun: the next read comes when it has its Redis
            return client
        for name, batch in following.entries(answer).items():
            self.got[name] += batch
            self.cursors[name] = batch[-1][0]
        return client

    def judge(self, name, region):
        got = self.got[name]
        agents = collections.Counter(
            event for event in (following.event(values) for _, values in got) if event in AGENT_EVENTS)
        self.did(f"{name}: {len(got)} events, of agents " + ", ".join(f"{n} {e}" for e, n in agents.most_common()))
        self.check(f"{region}: there were events of agents", agents.total() > 0)
        self.check(f"{region}: in order, none twice", following.is_rising([entry for entry, _ in got]))
        key = f"rs:{{{self.tenant}}}:voice:{region}"
        recorded = ledgers.VoiceLedger(self.ledger / f"voice-{region}.ledger").entries.get(key, [])
        missing = set(recorded) - {ledgers.entry_id(entry) for entry, _ in got}
        self.check(f"{region}: all {len(recorded)} that the producer was acknowledged", recorded and not missing,
                   f"{len(missing)} missing")
        held = following.journal(self.stage.redis[region], self.tenant, region, self.began[name])
        self.check(f"{region}: exactly what its own Redis holds, across {self.breaks} breaks", got == held,
                   f"{len(got)} of {len(held)}")
