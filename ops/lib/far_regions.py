"""Two regions far apart, under load: what the drills of links break, and how they look at it."""

import time

import lossy
import servers
from wan import Proxy

EAST, WEST = "us-east", "eu-west"
REGIONS = (EAST, WEST)
DURABLE = ["--appendonly", "yes", "--appendfsync", "everysec"]


class FarRegions:
    """PostgreSQL, two Redis servers and two workers, whose links lead through a proxy each, and traffic in both.

    `links[region]` is the proxy that the worker of `region` reaches its peer through: "there" is from that region to
    its peer. All is started by a drill, and ends with it.
    """

    def __init__(self, drill, events_per_second=500):
        self.drill = drill
        self.start_redis()
        self.postgres = drill.start(servers.Postgres(drill.folder))
        self.files = servers.region_files(drill.folder, self.redis, self.postgres, change=self.lead_far)
        self.postgres.migrate(drill.program, self.files[EAST])
        self.workers = {
            name: drill.start(servers.Worker(drill.folder, drill.program, self.files[name])) for name in REGIONS}
        self.traffic = drill.start(drill.generator(
            self.files.values(), persons=50, events_per_second=events_per_second, changes_per_second=5))
        for name in REGIONS:
            self.workers[name].wait_working(f"mirror {peer(name)}")
            self.wait_moving(name, time.monotonic_ns())
        time.sleep(2)  # for both sides to have heard of each other

    def start_redis(self):
        load_program = self.drill.program.parent / "regionsync-load"
        self.redis = {name: self.drill.start(servers.Redis(self.drill.folder, name, DURABLE)) for name in REGIONS}
        self.links = {name: self.drill.start(Proxy(load_program, self.redis[peer(name)])) for name in REGIONS}

    def lead_far(self, file):
        """Changes a region file so that its link goes the long way."""
        file.set("peers.redis.port", self.links[file.region].port)

    # The network between the regions: packets of both links.

    def cut_network(self, origin=None, stalls=False):
        """Cuts packets from region `origin` to its peer, or both ways. Returns when, by time.monotonic_ns()."""
        for name in REGIONS:
            direction = None if origin is None else ("there" if name == origin else "back")
            at = (self.links[name].stall if stalls else self.links[name].cut)(direction)["atNs"]
        return at

    def heal_network(self):
        return [self.links[name].heal()["atNs"] for name in REGIONS][-1]

    # What the workers say.

    def sample(self, region, name):
        return self.workers[region].metrics().get(f"regionsync_mirror_{name}")

    def is_up(self, region):
        return self.sample(region, f'link_up{{peer="{peer(region)}"}}') == 1

    def told_cut(self, region):
        """The direction in which the worker of `region` says its link is cut; None while it says nothing of the kind."""
        for direction in ("out", "in", "unknown"):
            if self.sample(region, f'cut{{peer="{peer(region)}",direction="{direction}"}}') == 1:
                return direction
        return None

    def appended(self, region):
        """Voice events that the peer has acknowledged to the worker of `region`."""
        return self.sample(region, f'appended_total{{peer="{peer(region)}",topic="voice"}}') or 0

    def last_lag(self, quantile):
        """The higher one of both directions in the last second, milliseconds; None where nothing arrived."""
        directions = self.traffic.numbers()["directions"]
        return max((one["lastSecondLagMs"][quantile] for one in directions if one.get("lastSecondLagMs")), default=None)

    def wait_known(self, region, since):
        """Seconds from `since` (ns) until the worker says that its link is down, in metric and state."""
        def known():
            if self.is_up(region):
                return False
            states = {one["component"]: one["state"]["name"] for one in self.workers[region].status()["components"]}
            return states.get(f"mirror {peer(region)}") == "connecting"

        servers.wait_until(f"{region}: link known to be down", known)
        return seconds_since(since)

    def wait_told(self, region, direction, since):
        """Seconds from `since` (ns) until the worker says that its link is cut in that direction."""
        servers.wait_until(
            f"{region}: cut reported as {direction}, not {self.told_cut(region)}",
            lambda: self.told_cut(region) == direction, seconds=15)
        return seconds_since(since)

    def wait_moving(self, region, since):
        """Seconds from `since` (ns) until the peer acknowledges events again."""
        before = self.appended(region)
        servers.wait_until(f"{region}: events moving", lambda: self.appended(region) > before)
        return seconds_since(since)

    # The end.

    def verify(self):
        """Stops the traffic, drains, compares everything with the ledger; what `regionsync verify --json` found."""
        for program in (self.traffic, *self.workers.values()):
            program.require_running()
        if (code := self.traffic.stop()) != 0:
            raise servers.ServerFailure(f"generate ended with code {code}\n{self.traffic.log_tail()}")
        regions = [word for path in self.files.values() for word in ("--region", path)]
        found = self.drill.verify("--ledger", self.traffic.ledger, "--wait", 60, *regions)
        acknowledged = sum(region["acknowledged"] for region in self.traffic.numbers()["regions"])
        produced = found["events"]["produced"]
        if produced != acknowledged or acknowledged == 0:
            raise servers.ServerFailure(
                f"nothing proved: the ledger holds {produced} events, {acknowledged} were acknowledged")
        return found


class LossyRegions(FarRegions):
    """The same without proxies: eu-west's Redis is in a namespace of its own, and the link to it loses packets."""

    delay_ms = 100
    loss = 0.02

    def start_redis(self):
        folder = self.drill.folder
        namespace = self.drill.start(lossy.FarNamespace(folder, self.delay_ms, self.loss, self.drill.seed))
        self.redis = {EAST: self.drill.start(servers.Redis(folder, EAST, DURABLE)),
                      WEST: self.drill.start(lossy.FarRedis(folder, WEST, namespace, DURABLE))}

    def lead_far(self, file):
        if file.region == EAST:
            file.set("peers.redis.host", self.redis[WEST].far_host)
        else:
            file.set("redis.host", self.redis[WEST].host)


def peer(region):
    return WEST if region == EAST else EAST


def seconds_since(nanoseconds):
    return (time.monotonic_ns() - nanoseconds) / 1e9
