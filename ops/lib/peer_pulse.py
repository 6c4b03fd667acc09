"""Pulse: reads provisioning over 8888 and follows voice events over 8000 (connections 2 and 3)."""

import collections
import time

import following
import ports
from peer import Peer
from peer_stage import EAST, REGIONS

SECONDS = 5


class Pulse(Peer):
    name = "pulse"
    summary = "reads provisioning, follows events of both regions"

    def play(self):
        config = self.client(EAST, "config")
        ids, position = self.pages(config, "person")
        names = {one["employee_id"]: one["user_name"] for one in self.objects(config, "person", ids)}
        self.did(f"read {len(names)} persons, as of position {position}")
        self.equal("all of PostgreSQL's", len(names), self.count("person"))
        with ports.Line(config) as line:
            watch = ports.fields(line.ask("CFG.WATCH", self.tenant, "person", "FROM", position))
            self.did(f"watches persons from there, watch {watch['watch']}")
            self.follow(line, config, position)

    def follow(self, line, config, position):
        voice = following.VoiceWatch(self.client(EAST, "voice"), self.tenant)
        self.did(f"watches voice events of {', '.join(sorted(voice.positions))}")
        self.equal("those of every region", sorted(voice.positions), sorted(REGIONS))
        traffic = self.stage.traffic("pulse", events_per_second=100, changes_per_second=20)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            voice.take(0.2)
        self.stage.stop_traffic(traffic)
        voice.drain({region: following.journal(self.stage.redis[region], self.tenant, region)[-1][0]
                     for region in REGIONS})
        voice.close()
        for region in REGIONS:
            self.judge(region, voice)
        self.changes(line, config, position)

    def judge(self, region, voice):
        """What was pushed is what the region itself holds behind where the watch began."""
        got = voice.got[region]
        events = collections.Counter(following.event(values) for _, values in got)
        common = ", ".join(f"{count} {name}" for name, count in events.most_common(3))
        self.did(f"{region}: {len(got)} events, {common}")
        self.check(f"{region}: there were events", len(got) > 0)
        self.check(f"{region}: in order, none twice", following.is_rising([entry for entry, _ in got]))
        held = following.journal(self.stage.redis[region], self.tenant, region, voice.positions[region])
        self.check(f"{region}: exactly those that its own Redis holds", got == held, f"{len(got)} of {len(held)}")

    def changes(self, line, config, position):
        pushes = []
        while (push := line.next(2)) is not None:
            pushes.append(push)
        self.did(f"saw {len(pushes)} changes of persons: "
                 + ", ".join(f"{count} {name}" for name, count in
                             collections.Counter(push[3] for push in pushes).most_common()))
        self.check("there were changes", len(pushes) > 0)
        history = []
        while True:
            page = ports.fields(config.execute_command(
                "CFG.HISTORY", self.tenant, "FROM", position, "TYPE", "person", "COUNT", 100))
            history += page["events"]
            if page["position"] == position:
                break
            position = page["position"]
        # What was told of is pushed, be it late.
        while len(pushes) < len(history) and (push := line.next(60)) is not None:
            pushes.append(push)
        self.check("CFG.HISTORY tells the same changes in the same order",
                   [[push[2], push[3], push[5], push[6], push[7]] for push in pushes] == history,
                   f"{len(pushes)} pushed, {len(history)} told")
        places = [tuple(map(int, push[2].split("-"))) for push in pushes]
        self.check("places rise, also within a transaction", places == sorted(set(places)))
