"""Drills of clients that do not behave: slow ones, silent ones, very many (operations.md)."""

import abc
import contextlib
import re
import select
import socket
import time

import drilling
import servers
from client_watch import WellBehaved
from fault_drill import FaultDrill
from open_files import allow_files
from raw_resp import RawConnection, encoded
from regions import EAST, Regions

# What others may at most wait for an answer meanwhile.
ANSWER_SECONDS = 0.5


class OpenRegions(Regions):
    """Regions whose ports are open, with the limits of the drill."""

    listeners = True

    def change_file(self, file):
        limits = ", ".join(f"{name}: {value}" for name, value in self.drill.limits.items())
        file.add("listeners.limits", f"{{{limits}}}")


class ClientDrill(FaultDrill, abc.ABC):
    """Clients misbehave at us-east, while others ask and follow."""

    limits = {}

    def stage(self):
        return OpenRegions(self)

    @property
    def ports(self):
        return self.regions.workers[EAST].ports

    @property
    def stream(self):
        return f"voice:{self.regions.tenant}@{EAST}"

    def disturb(self):
        key, redis, worker = self.regions.quiet_journal(EAST), self.regions.redis[EAST], self.regions.workers[EAST]
        asked = {**self.ports, "redis": redis.port}
        used, waited = worker.cpu_seconds(), worker.cpu_wait_seconds()
        with WellBehaved(asked, self.regions.tenant, self.stream, key) as others:
            try:
                expected = self.misbehave()
            except (ConnectionError, TimeoutError) as error:
                raise drilling.Broken(f"who did nothing wrong: {error}; cut off: {self.cut_off()}") from error
        self.figures["worker"] = {"cpuSeconds": round(worker.cpu_seconds() - used, 1),
                                  "waitedForCPUSeconds": round(worker.cpu_wait_seconds() - waited, 1)}
        held = [entry for entry, _ in redis.ask("XRANGE", key, f"({others.began}", "+")]
        self.require(not others.errors, f"others are served without errors: {others.errors}")
        self.require(others.followed == held,
                     f"who follows the stream gets all {len(held)} events in order, not {len(others.followed)}")
        found = self.cut_off()
        self.require(found == expected, f"cut off are {expected}, and nobody else, not {found}")
        for name in self.ports:
            self.promise(f"others are answered on {name}, at the slowest", others.answers[name].slowest, ANSWER_SECONDS)
        self.expect_moving(time.monotonic_ns())
        self.figures["cutOff"] = found
        self.figures["others"] = {name: one.figures(self.began) for name, one in others.answers.items()}
        self.figures["followed"] = len(others.followed)

    @abc.abstractmethod
    def misbehave(self):
        """Ends when all that misbehaved are gone; returns how many of them are cut off or refused, as `cut_off`."""

    def cut_off(self):
        """How many clients the worker has cut off or refused, by port and reason, such as `voice output`."""
        found = servers.wait_until("metrics of the worker", self.regions.workers[EAST].metrics)
        pattern = re.compile(r'regionsync_listener_rejected_total{port="(\w+)",reason="(\w+)"}')
        return {" ".join(match.groups()): int(value) for name, value in found.items()
                if value and (match := pattern.fullmatch(name))}

    def wait_cut_off(self, reason, count, seconds):
        """Waits until so many were cut off for this reason, `voice output`, say."""
        servers.wait_until(f"{count} clients cut off ({reason})",
                           lambda: self.cut_off().get(reason, 0) >= count, seconds, 0.1)

    def burst(self, count, size=400):
        """Adds events to the drill's own stream, as fast as Redis takes them."""
        redis = RawConnection(self.regions.redis[EAST].port)
        command = encoded("XADD", self.regions.quiet_journal(EAST), "*", "event", "EventUserEvent", "key", "none",
                          "data", '{"note":"' + "x" * size + '"}')
        for first in range(0, count, 500):
            number = min(500, count - first)
            redis.socket.sendall(command * number)
            for _ in range(number):
                redis.reply()
        redis.close()


class ClientsSlow(ClientDrill):
    name = "clients-slow"
    summary = "clients do not read what they asked for, or a little at a time; cut off, and they go on where they were"
    limits = {"outputBytes": "1MiB"}
    watchers, askers, resuming = 10, 5, 4
    events = 20_000  # more than the kernel keeps for a client, and the limit

    def misbehave(self):
        watchers = [self.watcher() for _ in range(self.watchers)]
        self.burst(500)  # so that there is something to ask for
        askers = [self.asker() for _ in range(self.askers)]
        self.mark("clients stopped reading")
        self.burst(self.events)
        self.wait_cut_off("voice output", len(watchers), 30)
        self.mark("watchers cut off")
        # Half a minute is the time that a client may leave replies lying about.
        self.wait_cut_off("voice stalled", len(askers), 60)
        self.mark("askers cut off")
        for one in askers:
            one.close()
        for number, one in enumerate(watchers[:self.resuming]):
            self.resume(one, trickling=number % 2 == 1)
        for one in watchers[self.resuming:]:
            one.close()
        self.rounds.append({"fault": self.name, "watchers": len(watchers), "askers": len(askers),
                            "events": self.events})
        return {"voice output": len(watchers), "voice stalled": len(askers)}

    def watcher(self):
        """Watches, and reads no more."""
        one = RawConnection(self.ports["voice"])
        one.ask("HELLO", 3)
        answer = one.ask("VOICE.WATCH", self.regions.tenant, EAST)
        one.last = dict(zip(*[iter(answer[answer.index("positions") + 1])] * 2))[EAST]
        return one

    def asker(self):
        """Asks for much, again and again, and reads nothing; each reply alone may wait for it."""
        one = RawConnection(self.ports["voice"])
        # Its kernel takes little, so that what it does not read waits at the worker.
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.socket.sendall(encoded("XRANGE", self.stream, "-", "+", "COUNT", 500) * 40)
        return one

    def resume(self, watcher, trickling):
        """Reads what is still on its way, then goes on behind the last whole event, in small pieces or large ones."""
        try:
            while True:
                watcher.last = watcher.reply()[3]
        except (OSError, ValueError):
            watcher.close()
        follower = RawConnection(self.ports["voice"])
        got, cursor, count = [], watcher.last, 500 if trickling else 5_000
        while answer := follower.ask("XREAD", "COUNT", count, "STREAMS", self.stream, cursor):
            [[_, entries]] = answer
            got += [entry[0] for entry in entries]
            cursor = got[-1]
        follower.close()
        held = [entry for entry, _ in self.regions.redis[EAST].ask(
            "XRANGE", self.regions.quiet_journal(EAST), f"({watcher.last}", "+")]
        self.require(got == held, f"a client that was cut off goes on without loss: {len(got)} of {len(held)}")


class ClientsSlowLoris(ClientDrill):
    name = "clients-slow-loris"
    summary = "clients send a byte now and then before they log in; cut off at the deadline"
    limits = {"handshakeTime": "2s", "idleTime": "5s"}
    count, silent = 500, 20
    pause = 0.25  # seconds from byte to byte

    def misbehave(self):
        # Who has said something, and then leaves half a command behind.
        quiet = [RawConnection(self.ports["config"]) for _ in range(self.silent)]
        for one in quiet:
            one.ask("PING")
            one.socket.sendall(b"*1\r\n$4\r\nPI")
        loris = [self.connected(self.ports[port]) for _ in range(self.count // 2) for port in self.ports]
        self.mark("clients connected")
        self.burst(500)
        self.trickle(loris, b"*1\r\n$4\r\nPING\r\n"[:-1])
        servers.wait_until("the end of those that sent a byte now and then", lambda: self.all_ended(loris), 30)
        self.mark("clients cut off")
        took = [one.ended - one.began for one in loris]
        self.promise("who does not say anything whole is cut off, at the latest", max(took), 4)
        self.wait_cut_off("config idle", len(quiet), 30)
        self.mark("silent clients cut off")
        for one in [*loris, *quiet]:
            one.close()
        self.rounds.append({"fault": self.name, "clients": len(loris), "silent": len(quiet),
                            "firstCutOffSeconds": round(min(took), 2), "lastCutOffSeconds": round(max(took), 2)})
        return {**{f"{port} handshake": self.count // 2 for port in self.ports}, "config idle": len(quiet)}

    @staticmethod
    def connected(port):
        one = RawConnection(port)
        one.began, one.ended = time.monotonic(), None
        return one

    def trickle(self, clients, text):
        """Lets each send this, a byte now and then, for as long as it may."""
        for number in range(len(text)):
            for one in clients:
                if not one.ended:
                    with contextlib.suppress(OSError):  # it is cut off, which is noted in a moment
                        one.socket.send(text[number:number + 1])
            due = time.monotonic() + self.pause
            while time.monotonic() < due:
                if self.all_ended(clients):
                    return
                time.sleep(0.02)

    @staticmethod
    def all_ended(clients):
        """Notes whom the worker has cut off by now; returns whether all are."""
        poll = select.poll()
        left = {one.socket.fileno(): one for one in clients if not one.ended}
        for descriptor in left:
            poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
        for descriptor, _ in poll.poll(0):
            left[descriptor].ended = time.monotonic()
        return all(one.ended for one in clients)


class ClientsMany(ClientDrill):
    name = "clients-many"
    summary = "10,000 connections; they and the others are served, one more than may be is refused"
    limits = {"clients": 10_000, "clientsPerSource": 10_000, "idleTime": "10m"}
    count = 10_000
    # Ten thousand connections are held, and some come to ask and follow.
    spare = 10

    def stage(self):
        try:
            allow_files(self.count + 1_000)
        except servers.ServerFailure as failure:
            raise drilling.Skipped(str(failure)) from None
        return super().stage()

    def misbehave(self):
        worker = self.regions.workers[EAST]
        before, clients = worker.resident_mib(), []
        try:
            while len(clients) < self.count - self.spare:
                clients += self.come(min(100, self.count - self.spare - len(clients)))
            self.mark("10,000 connections")
            held = self.held()
            self.require(held >= len(clients), f"{len(clients)} connections are held open, not {held:.0f}")
            kib = (worker.resident_mib() - before) * 1024 / len(clients)
            told = self.refused(clients)
            self.burst(5_000)
            for first in range(0, len(clients), 100):
                self.greet(clients[first:first + 100])
            self.mark("all answered")
            self.rounds.append({"fault": self.name, "clients": len(clients), "refused": told,
                                "residentKiBEach": round(kib, 1)})
            return {"voice clients": told}
        finally:
            for one in clients:
                one.close()
            servers.wait_until("the worker letting them go", lambda: self.held() < self.spare, 60)
            self.mark("all gone")

    def held(self):
        """Connections that the port holds open; as many as ever where the worker does not answer."""
        value = self.regions.sample(EAST, 'listener_connections{port="voice"}')
        return self.count if value is None else value

    def come(self, count):
        """New clients; each says something as soon as it is connected, before the time for that is up."""
        clients = []
        for _ in range(count):
            clients.append(RawConnection(self.ports["voice"]))
            clients[-1].send("PING")
        for one in clients:
            one.reply()
        return clients

    @staticmethod
    def greet(clients):
        """Lets each say something, and be answered."""
        for one in clients:
            one.send("PING")
        for one in clients:
            one.reply()

    def refused(self, clients):
        """As many more as there is room for, and then some: those are told, and nobody else suffers. How many were."""
        told = []
        for _ in range(self.spare + 50):
            one = RawConnection(self.ports["voice"])
            try:
                one.ask("PING")
                clients.append(one)
            except (RuntimeError, OSError) as error:
                told.append(str(error))
                one.close()
        self.require(len(told) >= 50, f"connections above the limit are refused, {len(told)} of 50 were")
        self.require(all("max number of clients" in text for text in told), f"they are told why: {set(told)}")
        return len(told)


DRILLS = [ClientsSlow, ClientsSlowLoris, ClientsMany]
