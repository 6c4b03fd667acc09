"""Drills of the worker: killed at any instant, paused and woken beside another one (operations.md, fault matrix)."""

import time

import servers
from fault_drill import FaultDrill
from regions import REGIONS, Regions, seconds_since, seconds_until, state_of

TAKEOVER_SECONDS = 3
MOVING_SECONDS = 2


class WorkerKill(FaultDrill):
    """SIGKILL at random instants, also while the worker starts, and started again at once."""

    name = "worker-kill"
    summary = "SIGKILL of workers of both regions at 16 random instants, four of them during their start"
    kills = 16

    def disturb(self):
        early = set(self.random.sample(range(self.kills), 4))
        for number in range(self.kills):
            region = self.random.choice(REGIONS)
            worker = self.regions.workers[region]
            if number in early:
                self.stay(0, 0.3)
            else:
                self.stay(0.2, 1.2)
            worker.require_running()  # one that has ended by itself crashed
            worker.kill()
            since = time.monotonic_ns()
            worker.start(wait=False)
            if number + 1 in early:
                continue  # the next kill meets it, or the other one, before it is settled
            seconds = self.expect_moving(since, [region], MOVING_SECONDS)
            self.rounds.append({"fault": "SIGKILL", "region": region, "movingSeconds": seconds})
        mark, since = self.regions.make_mark(), time.monotonic_ns()
        self.figures["visibleAfterLastKillSeconds"] = round(self.regions.wait_visible(mark, since), 3)
        self.figures["kills"] = self.kills


class WorkerPause(FaultDrill):
    """SIGSTOP for long; a second worker of the same region takes over; then the first one is woken."""

    name = "worker-pause"
    summary = "a worker is paused (10 s stand for 60) beside a second one of its region, and woken; in both regions"
    scale = "a pause of 10 s stands for 60 s: it outlasts the lease (2.4 s) and every time-out of Redis and PostgreSQL"
    pause_seconds = 10

    def stage(self):
        regions = Regions(self)
        self.others = {}
        for name in REGIONS:
            [port] = servers.free_ports(1)
            self.others[name] = self.start(servers.Worker(
                self.folder, self.program, regions.files[name], name=f"worker-{name}-second", port=port))
        for name, worker in self.others.items():
            servers.wait_until(f"{name}: second worker stands by", lambda: state_of(worker, "lease") == "standby")
        return regions

    def workers(self):
        return [*super().workers(), *self.others.values()]

    def disturb(self):
        for region in self.random.sample(REGIONS, 2):
            self.stay(0.5, 2)
            self.pause(region)

    def pause(self, region):
        regions = self.regions
        first, second = regions.workers[region], self.others[region]
        self.say(f"{first.name} is paused")
        first.pause()
        since = time.monotonic_ns()
        mark = regions.make_mark()
        # From here on the second one is the region's worker: what it says counts.
        regions.workers[region], self.others[region] = second, first
        took = seconds_until({
            "lease taken over": lambda: state_of(second, "lease") == "holding",
            "events moving": lambda: regions.appended(region) > 0,
            "change committed during the pause visible": lambda: regions.is_visible(mark, region)}, since)
        for what, seconds in took.items():
            self.promise(f"{region}: {what}", seconds, TAKEOVER_SECONDS)
        self.moving.append(took["events moving"])
        holder = regions.redis[region].ask("GET", "rs:{_}:worker")
        self.stay(self.pause_seconds - seconds_since(since))
        before = first.log.stat().st_size
        first.resume()
        woken = time.monotonic_ns()
        servers.wait_until(f"{first.name} standing by", lambda: state_of(first, "lease") == "standby")
        refused = round(seconds_since(woken), 3)
        applied, appended = self.done(first)
        said = first.log.read_bytes()[before:].decode(errors="replace")
        self.require("Lease changed state" in said and "level=warning" in said.lower(),
                     f"{first.name} warns that it works no more")
        self.expect_moving(time.monotonic_ns(), [region])
        self.stay(1)
        self.require(self.done(first) == (applied, appended), f"{first.name} does nothing once it stands by")
        self.require(state_of(second, "lease") == "holding", f"{second.name} goes on holding the lease")
        now = regions.redis[region].ask("GET", "rs:{_}:worker")
        self.require(holder_of(now) == holder_of(holder), f"one worker held the lease all the while: {holder}, {now}")
        taken, moving, visible = (round(seconds, 3) for seconds in took.values())
        self.rounds.append({"fault": "SIGSTOP", "region": region, "takenOverSeconds": taken, "movingSeconds": moving,
                            "visibleSeconds": visible, "wokenStandsBySeconds": refused})

    @staticmethod
    def done(worker):
        """What a worker has projected and mirrored since it started."""
        metrics = worker.metrics()
        return (metrics.get("regionsync_projection_applied_total"),
                sum(value for name, value in metrics.items() if name.startswith("regionsync_mirror_appended_total")))


def holder_of(lease):
    """The worker that a lease's value names; the rest of it changes at each renewal."""
    return (lease or "").split(" ")[0]


DRILLS = [WorkerKill, WorkerPause]
