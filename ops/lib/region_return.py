"""The second half of a region's death: it comes back, and gets everything back, while the survivor goes on."""

import json
import signal
import time

import drilling
import ledgers
import servers
import split_brain

DOWN, SURVIVOR = "us-east", "eu-west"


class ReturningRegion(drilling.Drill):
    """Subclasses kill DOWN and let SURVIVOR take over; they have redis, workers and region files by region, primary and
    standby, and the traffic of both regions and `after`, both ended.
    """

    def _go_on(self):
        """Calls in the surviving region from here to the end. There are no changes: those would have to follow the
        primary."""
        self.meanwhile = self.start(self.generator(
            [self.folder / "clients.yaml"], "meanwhile", ["--prefix", "meanwhile-"], seed=self.seed + 3000,
            events_per_second=100, changes_per_second=0))
        servers.wait_until("calls in the survivor", lambda: self._produced_meanwhile()["acknowledged"] > 0)

    def _produced_meanwhile(self):
        [region] = self.meanwhile.numbers()["regions"]
        return region

    def _return_region(self, lost):
        """The dead region comes back with its old primary, then with a standby of the new one."""
        self.redis[DOWN].start()
        self.primary.start()
        self.split_brain = self._measure_split_brain()
        self.workers[DOWN].start()

        def capture():
            found = self.workers[DOWN].status()["components"]
            return next((one["state"]["name"] for one in found if one["component"] == "capture"), None)

        servers.wait_until("the old primary is known for what it is", lambda: capture() == "former-primary", 120)
        self.mark("returned")
        servers.wait_until("the tail is mirrored", lambda: self._withheld() >= lost, 120)
        self.listed = self._listed_as_withheld()
        self.require(self.listed is None or self.listed >= lost,
                     f"{lost} entries stay out of the survivor's state, regionsync journals lists {self.listed}")
        self.require(self._open_calls() == 0, f"calls of {DOWN} beyond the cut are open in {SURVIVOR}")
        self.primary.become_standby(self.standby)
        servers.wait_until("the region waits as a standby", lambda: capture() == "in-recovery", 120)
        self.primary.wait_replayed(self.standby)

    def _listed_as_withheld(self):
        """How many entries of the region's voice journals `regionsync journals` lists as withheld in the survivor; None
        where it does not say."""
        code, text = self.command("journals", "--json", "--region", self.files[SURVIVOR])
        if code != 0:
            raise servers.ServerFailure(f"regionsync journals ended with {code}")
        return withheld_entries(json.loads(text)["journals"])

    def _measure_split_brain(self):
        """By the last commit that the old primary acknowledged to the traffic, and the new primary's first one: the row of
        its history, or what a client wrote there."""
        old = ledgers.transactions(self.traffic.ledger / "provisioning.ledger")
        new = ledgers.transactions(self.after.ledger / "provisioning.ledger")
        found = split_brain.window(
            split_brain.last_commit(self.primary, old),
            split_brain.first_commit(self.standby, [ledgers.first_transaction(self.standby, history=2), *new]))
        self.require(found["seconds"] == 0, f"two primaries acknowledged commits side by side: {found}")
        return found

    def _withheld(self):
        name = f'regionsync_projection_withheld_entries{{region="{DOWN}"}}'
        return self.workers[SURVIVOR].metrics().get(name, -1)

    def _fail_back(self):
        words = ["failback", "--to", DOWN, "--region", self.files[DOWN], "--json"]
        code, text = self.command(*words, "--dry-run")
        self.require(code == 0, f"a dry run of failback ends with {code}: {text}")
        self.mark("failback decided")
        before = self._produced_meanwhile()["acknowledged"]
        code, text = self.command(*words)
        report = json.loads(text)
        if code != 0:
            raise drilling.Broken(f"failback ended with {code}: {text}")
        self.mark("failed back")
        self.require(report["history"]["number"] == 3, "the third history")
        self.meanwhile.require_running()
        servers.wait_until("calls in the survivor during and behind the failback",
                           lambda: self._produced_meanwhile()["acknowledged"] > before)
        refusals = self._produced_meanwhile()["refusals"]
        self.require(refusals == 0, f"{SURVIVOR} refused {refusals} events of its own during return and failback")
        return report

    def _judge_circle(self, verdict):
        """Both regions under load again; at the end nothing is missing, not even what counted as lost."""
        files = [self.files[DOWN], self.files[SURVIVOR]]
        circle = self.start(self.generator(files, "circle", ["--prefix", "circle-"], seed=self.seed + 2000))
        time.sleep(4)
        for program in (circle, self.meanwhile, *self.workers.values()):
            program.require_running()
        self._end(circle, self.meanwhile)
        words = ["--region", self.files[DOWN], "--region", self.files[SURVIVOR], "--wait", "120"]
        for name, ledger in (("circle", circle.ledger), ("meanwhile", self.meanwhile.ledger),
                             ("all", self.folder / "ledger-judged")):
            found = self.verify(*words, "--ledger", ledger)
            self.require(found["ok"], f"all is equal, by ledger {name}: {json.dumps(found)}")
            self.require(found["events"]["produced"] > 0, f"ledger {name} holds events")
            verdict["checkers"][name] = found["events"]
        self.require(self._withheld() == -1, f"{DOWN} counts as down no more")

    def _open_calls(self):
        redis = self.redis[SURVIVOR]
        count = 0
        for tenant in redis.ask("SMEMBERS", "rs:{_}:tenants"):
            for call in redis.ask("SMEMBERS", f"calls:{{{tenant}}}:active"):
                count += redis.ask("HGET", f"call:{{{tenant}}}:{call}", "Region") == DOWN
        return count

    @staticmethod
    def _end(*generators):
        for generator in generators:
            if (code := generator.stop(signal.SIGTERM)) != 0:
                raise servers.ServerFailure(f"{generator.name} ended with code {code}\n{generator.log_tail()}")


def withheld_entries(journals):
    """What a listing of journals says of the entries of DOWN that are kept out of the state; None where it does not."""
    said = [one["withheld"] for one in journals
            if (one["origin"], one["topic"], one["own"]) == (DOWN, "voice", False) and one.get("withheld") is not None]
    return sum(said) if said else None
