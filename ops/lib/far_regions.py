"""Two regions far apart, under load: what the drills of links break, and how they look at it."""

import time

import lossy
import servers
from regions import DURABLE, EAST, REGIONS, WEST, Regions, peer, seconds_since
from wan import Proxy


class FarRegions(Regions):
    """Two regions whose links lead through a proxy each.

    `links[region]` is the proxy that the worker of `region` reaches its peer through: "there" is from that region to
    its peer.
    """

    def __init__(self, drill):
        super().__init__(drill)
        time.sleep(2)  # for both sides to have heard of each other

    def start_redis(self):
        super().start_redis()
        load_program = self.drill.program.parent / "regionsync-load"
        self.links = {name: self.drill.start(Proxy(load_program, self.redis[peer(name)])) for name in REGIONS}

    def change_file(self, file):
        """The link goes the long way."""
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

    def is_up(self, region):
        return self.sample(region, f'mirror_link_up{{peer="{peer(region)}"}}') == 1

    def told_cut(self, region):
        """The direction in which the worker of `region` says its link is cut; None while it says nothing of the kind."""
        for direction in ("out", "in", "unknown"):
            if self.sample(region, f'mirror_cut{{peer="{peer(region)}",direction="{direction}"}}') == 1:
                return direction
        return None

    def last_lag(self, quantile):
        """The higher one of both directions in the last second, milliseconds; None where nothing arrived."""
        directions = self.traffic.numbers()["directions"]
        return max((one["lastSecondLagMs"][quantile] for one in directions if one.get("lastSecondLagMs")), default=None)

    def is_known(self, region):
        """Whether the worker says that its link is down, in metric and state."""
        return not self.is_up(region) and self.state(region, f"mirror {peer(region)}") == "connecting"

    def wait_told(self, region, direction, since):
        """Seconds from `since` (ns) until the worker says that its link is cut in that direction."""
        servers.wait_until(
            f"{region}: cut reported as {direction}, not {self.told_cut(region)}",
            lambda: self.told_cut(region) == direction, seconds=15)
        return seconds_since(since)


class LossyRegions(FarRegions):
    """The same without proxies: eu-west's Redis is in a namespace of its own, and the link to it loses packets."""

    delay_ms = 100
    loss = 0.02

    def start_redis(self):
        folder = self.drill.folder
        namespace = self.drill.start(lossy.FarNamespace(folder, self.delay_ms, self.loss, self.drill.seed))
        self.redis = {EAST: self.drill.start(servers.Redis(folder, EAST, DURABLE)),
                      WEST: self.drill.start(lossy.FarRedis(folder, WEST, namespace, DURABLE))}

    def change_file(self, file):
        if file.region == EAST:
            file.set("peers.redis.host", self.redis[WEST].far_host)
        else:
            file.set("redis.host", self.redis[WEST].host)
