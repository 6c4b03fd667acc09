"""Two regions under load: what drills break, and how they look at it."""

import time

import servers

EAST, WEST = "us-east", "eu-west"
REGIONS = (EAST, WEST)
DURABLE = ["--appendonly", "yes", "--appendfsync", "everysec"]


class Regions:
    """PostgreSQL, two Redis servers and two workers, and traffic in both regions. us-east captures.

    All is started by a drill, and ends with it; the drill says how much traffic there is. Beside the tenants of the
    traffic there is one of the drill's own, `tenant`, whose row nobody else changes and whose journals nobody else
    writes to.
    """

    listeners = False  # whether the ports of provisioning and voice are open

    def __init__(self, drill):
        self.drill = drill
        self.start_redis()
        self.start_postgres()
        self.files = servers.region_files(
            drill.folder, self.redis, self.postgres, change=self.change_file, listeners=self.listeners)
        self.postgres.migrate(drill.program, self.files[EAST])
        self.workers = {name: self.start_worker(name) for name in REGIONS}
        self.traffic = drill.start(drill.generator(
            self.files.values(), persons=drill.persons, events_per_second=drill.events_per_second,
            changes_per_second=drill.changes_per_second))
        self.tenant = self.postgres.sql("INSERT INTO provisioning.tenant (name) VALUES ('drill') RETURNING dbid")
        self.marks = 0
        for name in REGIONS:
            self.workers[name].wait_working(f"mirror {peer(name)}")
            self.workers[name].wait_listening()
            self.wait_moving(name, time.monotonic_ns())
        self.wait_visible(self.make_mark(), time.monotonic_ns())

    # What subclasses may do otherwise.

    def start_redis(self):
        self.redis = {
            name: self.drill.start(servers.Redis(self.drill.folder, name, DURABLE)) for name in REGIONS}

    def start_postgres(self):
        self.postgres = self.drill.start(servers.Postgres(self.drill.folder))

    def change_file(self, file):
        """Changes a region file before it is written."""

    def start_worker(self, name):
        return self.drill.start(servers.Worker(self.drill.folder, self.drill.program, self.files[name]))

    # What the workers say.

    def sample(self, region, name):
        return self.workers[region].metrics().get(f"regionsync_{name}")

    def total(self, region, family):
        """The sum of a metric's series."""
        return sum(value for name, value in self.workers[region].metrics().items()
                   if name.partition("{")[0] == f"regionsync_{family}")

    def state(self, region, component):
        """Name of the state that a component is in; None where there is no such component, or no answer."""
        return state_of(self.workers[region], component)

    def wait_state(self, region, component, names, since, seconds=60):
        """Seconds from `since` (ns) until a component is in one of these states."""
        servers.wait_until(f"{region}: {component} {' or '.join(names)}",
                           lambda: self.state(region, component) in names, seconds)
        return seconds_since(since)

    def complaints(self, region):
        """What does not do all its work, as the worker says: state and reason by component."""
        return {one["component"]: f"{one['state']['name']}: {one['state'].get('reason', '')}"
                for one in self.workers[region].status()["components"] if one["state"]["health"] != "working"}

    def wait_said(self, region, word):
        """Seconds until some component says this in its reason."""
        since = time.monotonic_ns()
        servers.wait_until(f"{region}: {word} said",
                           lambda: any(word in text for text in self.complaints(region).values()))
        return seconds_since(since)

    # Whether everything moves.

    def appended(self, region):
        """Voice events that the peer has acknowledged to the worker of `region`."""
        return self.sample(region, f'mirror_appended_total{{peer="{peer(region)}",topic="voice"}}') or 0

    def wait_moving(self, region, since, seconds=120):
        """Seconds from `since` (ns) until the peer acknowledges events again."""
        before = self.appended(region)
        servers.wait_until(f"{region}: events moving", lambda: self.appended(region) > before, seconds)
        return seconds_since(since)

    def make_mark(self):
        """Commits a change of the drill's own tenant; returns what was written."""
        self.marks += 1
        self.postgres.sql(
            f"UPDATE provisioning.tenant SET charge_number = '{self.marks}' WHERE dbid = {self.tenant}")
        return str(self.marks)

    def is_visible(self, mark, region):
        """Whether a region's cache shows a mark."""
        key = f"cfg:{{{self.tenant}}}:tenant:{self.tenant}"
        return self.redis[region].ask("HGET", key, "charge_number") == mark

    def wait_visible(self, mark, since, regions=REGIONS, seconds=120):
        """Seconds from `since` (ns) until these regions' caches show a mark."""
        for region in regions:
            servers.wait_until(f"{region}: change {mark} visible", lambda: self.is_visible(mark, region), seconds)
        return seconds_since(since)

    def wait_whole(self, region, since, seconds=120):
        """Seconds from `since` (ns) until a region's cache counts as whole."""
        servers.wait_until(
            f"{region}: cache whole",
            lambda: self.redis[region].ask("HGET", "rs:{_}:projection", "stale") is None
            and self.state(region, "projection provisioning") == "projecting", seconds, pause=0.1)
        return seconds_since(since)

    # Objects that nobody but the drill changes.

    def make_skills(self, count):
        """New skills of the drill's own tenant; returns their dbids."""
        return self.postgres.sql(
            "INSERT INTO provisioning.skill (tenant_dbid, name) "
            f"SELECT {self.tenant}, 'drill-' || gen_random_uuid() FROM generate_series(1, {count}) RETURNING dbid"
        ).split()

    def skill_key(self, dbid):
        return f"cfg:{{{self.tenant}}}:skill:{dbid}"

    def skill_name(self, region, dbid):
        """Name of a skill as a region's cache has it; None where it has no such skill."""
        return self.redis[region].ask("HGET", self.skill_key(dbid), "name")

    # A journal that nobody but the drill writes to.

    def quiet_journal(self, region):
        return f"rs:{{{self.tenant}}}:voice:{region}"

    def write_quietly(self, region, count):
        """Adds events to the drill's own journal; returns when the peer has them."""
        key = self.quiet_journal(region)
        for _ in range(count):
            self.redis[region].ask("XADD", key, "*", "event", "UserEvent", "key", "none", "data", "{}")
        own = self.redis[region].ask("XLEN", key)
        servers.wait_until(f"{peer(region)}: copy of the quiet journal",
                           lambda: self.redis[peer(region)].ask("XLEN", key) == own)

    # The end.

    def verify(self):
        """Stops the traffic, drains, compares everything with the ledger; what `regionsync verify --json` found."""
        for program in (self.traffic, *self.workers.values()):
            program.require_running()
        self.stop_traffic()
        found = self.drill.verify("--ledger", self.ledger(), "--wait", 60, *self.region_words())
        acknowledged = sum(region["acknowledged"] for region in self.traffic.numbers()["regions"])
        produced = found["events"]["produced"]
        if produced != acknowledged or acknowledged == 0:
            raise servers.ServerFailure(
                f"nothing proved: the ledger holds {produced} events, {acknowledged} were acknowledged")
        return found

    def ledger(self):
        """The ledger to compare with."""
        return self.traffic.ledger

    def stop_traffic(self):
        if (code := self.traffic.stop()) != 0:
            raise servers.ServerFailure(f"generate ended with code {code}\n{self.traffic.log_tail()}")

    def region_words(self):
        return [word for path in self.files.values() for word in ("--region", path)]


def peer(region):
    return WEST if region == EAST else EAST


def state_of(worker, component):
    """Name of the state that a worker says a component is in; None where it says nothing of it."""
    found = {one["component"]: one["state"]["name"] for one in worker.status()["components"]}
    return found.get(component)


def seconds_until(conditions, since, seconds=120):
    """Seconds from `since` (ns) until each of these conditions, by name, was true first."""
    found = {}

    def all_found():
        for name, condition in conditions.items():
            if name not in found and condition():
                found[name] = seconds_since(since)
        return len(found) == len(conditions)

    try:
        servers.wait_until("all of that", all_found, seconds)
    except servers.ServerFailure:
        missing = ", ".join(name for name in conditions if name not in found)
        raise servers.ServerFailure(f"{missing} did not happen within {seconds} s") from None
    return {name: found[name] for name in conditions}


def seconds_since(nanoseconds):
    return (time.monotonic_ns() - nanoseconds) / 1e9
