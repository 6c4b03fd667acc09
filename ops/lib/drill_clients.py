"""Drills of clients that do not behave: slow ones, silent ones, very many (operations.md)."""

import abc
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
        key = self.regions.quiet_journal(EAST)
        with WellBehaved(self.ports, self.regions.tenant, self.stream) as others:
            self.misbehave()
        held = [entry for entry, _ in self.regions.redis[EAST].ask("XRANGE", key, f"({others.began}", "+")]
        self.require(not others.errors, f"others are served without errors: {others.errors}")
        self.require(others.followed == held,
                     f"who follows the stream gets all {len(held)} events in order, not {len(others.followed)}")
        self.promise("others are answered, at the slowest", others.slowest, ANSWER_SECONDS)
        self.expect_moving(time.monotonic_ns())
        self.figures["others"] = {"answers": len(others.delays), "medianMs": round(1000 * others.median, 2),
                                  "slowestMs": round(1000 * others.slowest, 1), "events": len(others.followed)}

    @abc.abstractmethod
    def misbehave(self):
        """Ends when all that misbehaved are gone."""

    def rejected(self, port, reason):
        """How many clients a port has cut off for this reason."""
        return self.regions.sample(EAST, f'listener_rejected_total{{port="{port}",reason="{reason}"}}') or 0

    def wait_rejected(self, port, reason, count, seconds):
        """Waits until so many were cut off for this reason."""
        servers.wait_until(f"{count} clients of {port} cut off ({reason})",
                           lambda: self.rejected(port, reason) >= count, seconds, 0.1)

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
        before = {reason: self.rejected("voice", reason) for reason in ("output", "stalled")}
        watchers = [self.watcher() for _ in range(self.watchers)]
        self.burst(500)  # so that there is something to ask for
        askers = [self.asker() for _ in range(self.askers)]
        self.mark("clients stopped reading")
        self.burst(self.events)
        self.wait_rejected("voice", "output", before["output"] + len(watchers), 30)
        self.mark("watchers cut off")
        # Half a minute is the time that a client may leave replies lying about.
        self.wait_rejected("voice", "stalled", before["stalled"] + len(askers), 60)
        self.mark("askers cut off")
        for one in askers:
            one.close()
        for number, one in enumerate(watchers[:self.resuming]):
            self.resume(one, trickling=number % 2 == 1)
        for one in watchers[self.resuming:]:
            one.close()
        self.rounds.append({"fault": self.name, "watchers": len(watchers), "askers": len(askers),
                            "events": self.events})

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
    count = 500

    def misbehave(self):
        before = {port: self.rejected(port, "handshake") for port in self.ports}
        idle = self.rejected("config", "idle")
        # Who has said something, and then leaves half a command behind.
        quiet = [RawConnection(self.ports["config"]) for _ in range(20)]
        for one in quiet:
            one.ask("PING")
            one.socket.sendall(b"*1\r\n$4\r\nPI")
        began = time.monotonic()
        loris = [RawConnection(self.ports[port]) for _ in range(self.count // 2) for port in self.ports]
        self.mark("clients connected")
        text, ended = b"*1\r\n$4\r\nPING\r\n", {}
        for number in range(len(text) - 1):
            self.send_to_all(loris, text[number:number + 1])
            self.note_ended(loris, ended, began)
            if len(ended) == len(loris):
                break
            time.sleep(0.25)
        servers.wait_until("the end of those that sent a byte now and then",
                           lambda: self.note_ended(loris, ended, began) == len(loris), 30)
        self.mark("clients cut off")
        self.promise("who does not say anything whole is cut off, at the latest", max(ended.values()), 4)
        for port in self.ports:
            self.wait_rejected(port, "handshake", before[port] + self.count // 2, 10)
        self.wait_rejected("config", "idle", idle + len(quiet), 30)
        self.mark("silent clients cut off")
        for one in [*loris, *quiet]:
            one.close()
        self.rounds.append({"fault": self.name, "clients": len(loris), "silent": len(quiet),
                            "firstCutOffSeconds": round(min(ended.values()), 2),
                            "lastCutOffSeconds": round(max(ended.values()), 2)})

    @staticmethod
    def send_to_all(clients, byte):
        for one in clients:
            try:
                one.socket.send(byte)
            except OSError:
                pass  # it is cut off; noted elsewhere

    @staticmethod
    def note_ended(clients, ended, began):
        """Notes when the worker has closed which; returns how many it has."""
        poll = select.poll()
        numbers = {}
        for number, one in enumerate(clients):
            if number not in ended:
                poll.register(one.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
                numbers[one.socket.fileno()] = number
        for descriptor, _ in poll.poll(0):
            ended[numbers[descriptor]] = time.monotonic() - began
        return len(ended)


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
            for number in range(self.count - self.spare):
                clients.append(RawConnection(self.ports["voice"]))
                if number % 100 == 99:
                    self.greet(clients[-100:])
            self.greet(clients)
            self.mark("10,000 connections")
            held = self.regions.sample(EAST, 'listener_connections{port="voice"}')
            self.require(held >= len(clients), f"{len(clients)} connections are held open, not {held:.0f}")
            kib = (worker.resident_mib() - before) * 1024 / len(clients)
            self.refused(clients)
            self.burst(5_000)
            self.greet(clients)
            self.mark("all answered")
            self.rounds.append({"fault": self.name, "clients": len(clients), "residentKiBEach": round(kib, 1)})
        finally:
            for one in clients:
                one.close()

    def refused(self, clients):
        """As many more as there is room for, and then some: those are told, and nobody else suffers."""
        told = []
        for _ in range(self.spare + 50):
            one = RawConnection(self.ports["voice"])
            try:
                one.ask("PING")
                clients.append(one)
            except RuntimeError as error:
                told.append(str(error))
                one.close()
            except OSError:
                told.append("")
                one.close()
        self.require(len(told) >= 50, f"connections above the limit are refused, {len(told)} of 50 were")
        self.require(all("clients" in text for text in told if text), f"they are told why: {set(told)}")

    @staticmethod
    def greet(clients):
        for one in clients:
            one.send("PING")
        for one in clients:
            one.reply()


DRILLS = [ClientsSlow, ClientsSlowLoris, ClientsMany]
