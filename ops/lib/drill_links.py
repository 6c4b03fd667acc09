"""Drills of the link between two regions: cut, cut one way, slow, reset, flapping (operations.md, fault matrix).

In their reports `rtoSeconds` is the longest time from heal until events moved again, `knownSeconds` the longest from
cut until a worker said so.
"""

import statistics
import time

import drilling
import lossy
import servers
from far_regions import FarRegions, LossyRegions
from fault_drill import FaultDrill, longest
from regions import REGIONS, peer, seconds_since, seconds_until

KNOWN_SECONDS = 3
SLOW_LAG_SECONDS = 0.105  # p50 at a round trip of 200 ms
LOSSY_LAG_SECONDS = 0.450  # p99 at a round trip of 200 ms with 2 % of the packets lost


class LinkDrill(FaultDrill):
    """What all have in common: regions far apart. A subclass breaks something in `disturb`."""

    events_per_second = 500
    changes_per_second = 5

    def __init__(self, *words, **settings):
        super().__init__(*words, **settings)
        self.known = []

    def stage(self):
        return FarRegions(self)

    def judge(self, found):
        return {**super().judge(found), "knownSeconds": longest(self.known)}

    # Steps.

    def expect_known(self, since, regions=REGIONS):
        took = seconds_until({f"{region}: link known to be down": lambda region=region: self.regions.is_known(region)
                              for region in regions}, since)
        self.known += [self.promise(what, seconds, KNOWN_SECONDS) for what, seconds in took.items()]

    def expect_told(self, since, told):
        """`told` is {region: direction}."""
        for region, direction in told.items():
            seconds = round(self.regions.wait_told(region, direction, since), 3)
            self.figures["directionToldSeconds"] = max(seconds, self.figures.get("directionToldSeconds", 0))

    def stay_up(self, seconds, quantile):
        """Waits; the link must be up all the while. Returns the lag at the end of each second, ms."""
        lags = []
        for _ in range(seconds):
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                self.expect_up()
                self.stay(0.1)
            lags.append(self.regions.last_lag(quantile))
        return lags

    def expect_lag(self, what, milliseconds, limit):
        """Lags of an event, each over a second: their median must be within the limit, seconds."""
        known = sorted(one for one in milliseconds if one is not None)
        if not known:
            raise servers.ServerFailure(f"{what}: nothing arrived")
        self.figures["lagMs"] = {"what": what, "median": statistics.median(known), "worst": known[-1]}
        self.promise(what, statistics.median(known) / 1000, limit)

    def expect_up(self):
        for region in REGIONS:
            if not self.regions.is_up(region):
                self.require(False, f"{region}: link up although it is slow")


class LinkCut(LinkDrill):
    """The network between the regions is cut both ways: swallowed in silence, or held back and delivered late."""

    name = "link-cut"
    summary = "two-way cuts under load, short and long, swallowing or delivering late (a 15 s one stands for hours)"
    scale = "a cut of 15 s stands for hours"
    expected_alerts = [f"RegionsyncLinkDown {region} {peer(region)}" for region in REGIONS]

    def disturb(self):
        drawn = (self.random.uniform(3, 6), self.random.random() < 0.5)
        for seconds, stalls in [(4, False), (4, True), drawn, (15, False)]:
            self.say(f"cut for {seconds:.1f} s, {'delivered late' if stalls else 'swallowed'}")
            since = self.regions.cut_network(stalls=stalls)
            self.expect_known(since)
            self.expect_told(since, {region: "unknown" for region in REGIONS})
            self.stay(seconds - seconds_since(since))
            self.expect_moving(self.regions.heal_network())
            self.stay(1, 2)


class LinkCutOneWay(LinkDrill):
    """Packets of one direction vanish: of the whole network, then of one link alone."""

    name = "link-cut-one-way"
    summary = "one-way cuts of the network and of one link, each direction; the direction must be reported"
    scale = "4 to 6 s stand for a cut that lasts: it has been told by then, with its direction"

    def disturb(self):
        for origin in REGIONS:
            self.say(f"nothing from {origin} arrives in {peer(origin)}")
            since = self.regions.cut_network(origin)
            self.expect_known(since)
            # The one still hears its peer and says so; the other hears nothing and does not guess.
            self.expect_told(since, {origin: "out", peer(origin): "unknown"})
            self.end_cut(since)
        for region in REGIONS:
            for direction, told in [("there", "out"), ("back", "in")]:
                self.say(f"{direction} of the link from {region} alone")
                since = self.regions.links[region].cut(direction)["atNs"]
                self.expect_known(since, [region])
                self.expect_told(since, {region: told})
                self.require(self.regions.is_up(peer(region)), f"{peer(region)}: its own link stays up")
                self.end_cut(since)

    def end_cut(self, since):
        self.stay(self.random.uniform(4, 6) - seconds_since(since))
        self.expect_moving(self.regions.heal_network())
        self.stay(3)  # until both sides are heard again


class LinkSlow(LinkDrill):
    """A round trip of 200 ms: slow, not down."""

    name = "link-slow"
    summary = "a round trip of 200 ms comes, varies and goes; the link stays up all the while"
    scale = "5 s at each delay and 500 events/s stand for a long way that stays; ops/bench faults has 20,000/s"

    def disturb(self):
        for milliseconds in (100, self.random.randint(20, 150), 100):
            for link in self.regions.links.values():
                link.delay(milliseconds)
            self.say(f"{2 * milliseconds} ms there and back")
            lags = self.stay_up(5, "p50")
        # At 100 ms each way; in the first two seconds the delay before is felt as well.
        self.expect_lag("lag p50 at a round trip of 200 ms", lags[2:], SLOW_LAG_SECONDS)
        for link in self.regions.links.values():
            link.delay(0)
        for region in REGIONS:
            self.regions.wait_moving(region, time.monotonic_ns())


class LinkLossy(LinkDrill):
    """A round trip of 200 ms on which one packet of fifty is lost."""

    name = "link-lossy"
    summary = "a round trip of 200 ms with 2 % of the packets lost (needs root); the link stays up all the while"
    scale = "20 s stand for a network that loses packets all day"
    events_per_second = 200

    def stage(self):
        if obstacle := lossy.obstacle():
            raise drilling.Skipped(obstacle)
        return LossyRegions(self)

    def disturb(self):
        self.expect_lag("lag p99 with 2 % of the packets lost", self.stay_up(20, "p99"), LOSSY_LAG_SECONDS)


class LinkReset(LinkDrill):
    """RST in the middle of whatever is under way."""

    name = "link-reset"
    summary = "connections are reset after a random number of bytes, requests or answers, again and again"
    resets = 25

    def disturb(self):
        for number in range(self.resets):
            region = self.random.choice(REGIONS)
            direction, most = self.random.choice([("there", 200_000), ("back", 2_000), ("there", 2_000)])
            accepted = self.regions.links[region].stats()["accepted"]
            self.regions.links[region].reset_after(self.random.randint(0, most), direction)
            servers.wait_until(
                f"{region}: reset {number} happening",
                lambda: self.regions.links[region].stats()["accepted"] > accepted)
            self.expect_moving(time.monotonic_ns(), [region])
            self.stay(0, 0.3)
        self.figures["resets"] = self.resets


class LinkFlapping(LinkDrill):
    """Up and down faster than anybody can settle."""

    name = "link-flapping"
    summary = "the network is up and down by turns of 50 ms to 3 s, a minute scaled to 20 s; then it heals"
    scale = "20 s of flapping stand for a minute"

    def disturb(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            up, down = (round(50 * 60 ** self.random.random()) for _ in range(2))
            self.say(f"{up} ms up, {down} ms down")
            for link in self.regions.links.values():
                link.flap(up, down)
            self.stay(2, 5)
        self.expect_moving(self.regions.heal_network())


DRILLS = [LinkCut, LinkCutOneWay, LinkSlow, LinkLossy, LinkReset, LinkFlapping]
