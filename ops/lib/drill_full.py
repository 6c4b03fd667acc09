"""Drills of a Redis that has no room: for memory, for its append-only file (operations.md, fault matrix)."""

import time

import drilling
import servers
from disks import SmallDisk, obstacle
from drill_peers import PeerDrill
from regions import DURABLE, REGIONS, Regions

FULL_SECONDS = 6


class FullDrill(PeerDrill):
    """A region's Redis takes no writes for longer than its lease lasts: back-pressure, and it resumes by itself."""

    scale = "6 to 8 s stand for a server that stays full until somebody comes: they outlast the lease (2.4 s)"

    def trouble(self):
        self.stay(0.5, 1.5)
        self.mark("injected")
        self.fill()
        known = round(self.regions.wait_said(self.victim, self.complaint), 3)
        self.stay(FULL_SECONDS, FULL_SECONDS + 2)
        said = self.regions.complaints(self.victim)
        self.clear()
        self.mark("cleared")
        since = time.monotonic_ns()
        moving = self.expect_all_moving(since, limit=None)
        self.rounds.append({"fault": self.name, "region": self.victim, "knownSeconds": known, "movingSeconds": moving,
                            "said": said})


class RedisFull(FullDrill):
    name = "redis-full"
    summary = "a region's Redis is at its maxmemory for 6 to 8 s; it says so, and resumes by itself"
    complaint = "OOM"

    def fill(self):
        self.regions.redis[self.victim].ask("CONFIG", "SET", "maxmemory", 1)

    def clear(self):
        self.regions.redis[self.victim].ask("CONFIG", "SET", "maxmemory", 0)


class AOFDiskFull(FullDrill):
    name = "aof-disk-full"
    summary = "the disk of a region's append-only file is full for 6 to 8 s (needs root); it resumes by itself"
    complaint = "MISCONF"
    disk_mebibytes = 64

    def stage(self):
        if reason := obstacle():
            raise drilling.Skipped(reason)
        self.disk = self.start(SmallDisk(self.folder, self.disk_mebibytes))
        return DiskRegions(self, self.disk)

    def fill(self):
        self.disk.fill()

    def clear(self):
        self.disk.clear()


class DiskRegions(Regions):
    """Two regions, of which one keeps its append-only file on a disk of its own."""

    def __init__(self, drill, disk):
        self.disk = disk
        super().__init__(drill)

    def start_redis(self):
        self.redis = {name: self.drill.start(servers.Redis(
            self.drill.folder, name, DURABLE, disk=self.disk if name == self.drill.victim else None))
            for name in REGIONS}


DRILLS = [RedisFull, AOFDiskFull]
