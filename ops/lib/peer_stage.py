"""What the peers of a worker play on: two whole regions with open ports, tenants with data, traffic when it is asked for."""

import types

import ports
import servers
from generating import FrontEnd, Generator
from ports import Account

EAST, WEST = "us-east", "eu-west"
REGIONS = (EAST, WEST)
FILLED = "4711"  # the charge number that a tenant gets when it has all its objects
DURABLE = ["--appendonly", "yes", "--appendfsync", "everysec"]


class Stage:
    """PostgreSQL, two Redis servers, two workers. us-east captures.

    There are two tenants, `tenant` and `other`; accounts see the first alone, so that every peer can find out that the
    second does not exist for it.
    """

    tenant, other = 101, 102
    persons = 40

    def __init__(self, folder, program, seed, change=lambda file: None):
        """`change` is called with each RegionFile before it is written."""
        self.change = change
        self.folder = folder
        self.program = program
        self.seed = seed
        self.started = []
        own = [self.tenant]
        self.accounts = {account.name: account for account in (
            Account("billing", ["read"], own), Account("pulse", ["read"], own),
            Account("interaction-server", ["read"], own), Account("gws", ["read", "write", "control"], own),
            Account("authentication", ["read", "write"], own), Account("wfm", ["read"], own))}

    def __enter__(self):
        try:
            self._start_all()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, error, trace):
        for program in reversed(self.started):
            program.stop()

    def start(self, program):
        self.started.append(program)
        program.start()
        return program

    def _start_all(self):
        self.postgres = self.start(servers.Postgres(self.folder))
        self.redis = {name: self.start(servers.Redis(self.folder, name, DURABLE)) for name in REGIONS}
        self.accounts_file = ports.write_accounts(self.folder / "accounts.yaml", self.accounts.values())
        self.files = servers.region_files(
            self.folder, self.redis, self.postgres, change=self._change, listeners=True)
        self.postgres.migrate(self.program, self.files[EAST])
        self.workers = {name: self.start(servers.Worker(self.folder, self.program, self.files[name]))
                        for name in REGIONS}
        for name, peer in zip(REGIONS, reversed(REGIONS)):
            self.workers[name].wait_working(f"mirror {peer}", "projection provisioning")
            self.workers[name].wait_listening()
        fill = Generator(self.folder, self.program, self.files.values(), self._load(), "fill", ["--fill-only"])
        self.started.append(fill)
        fill.start(wait=False)
        if (code := fill.process.wait(fill.patience)) != 0:
            raise servers.ServerFailure(f"generate --fill-only ended with code {code}\n{fill.log_tail()}")
        for tenant in (self.tenant, self.other):
            self.postgres.sql(f"UPDATE provisioning.tenant SET charge_number = '{FILLED}' WHERE dbid = {tenant}")
        for name in REGIONS:
            self.wait_projected(name)

    def _change(self, file):
        file.add("listeners.accountsFile", self.accounts_file)
        self.change(file)

    def _load(self, events_per_second=0, changes_per_second=0):
        return types.SimpleNamespace(tenants=2, persons=self.persons, seed=self.seed,
                                     events_per_second=events_per_second, changes_per_second=changes_per_second)

    def wait_projected(self, region):
        """Waits until a region's Redis has what was changed last of each tenant, and so all of it."""
        for tenant in (self.tenant, self.other):
            servers.wait_until(
                f"{region}: tenant {tenant} projected",
                lambda: self.redis[region].ask("HGET", f"cfg:{{{tenant}}}:tenant:{tenant}", "charge_number") == FILLED)

    # What peers use.

    def client(self, name, region, port, protocol=3, **options):
        """A client of `region`'s port (`config` or `voice`) under the account of the peer `name`."""
        return ports.client(self.workers[region].ports[port], self.accounts[name], protocol, **options)

    def traffic(self, name, events_per_second=0, changes_per_second=0):
        """Traffic in both regions, started; what it acknowledged stands in its ledger."""
        return self.start(Generator(self.folder, self.program, self.files.values(),
                                    self._load(events_per_second, changes_per_second), name))

    def front_end(self):
        """Who answers call-control requests, started."""
        return self.start(FrontEnd(self.folder, self.program, self.files.values()))

    def stop_traffic(self, traffic):
        """Ends it in order: calls are ended, answers awaited, the ledger is closed."""
        if (code := traffic.stop()) != 0:
            raise servers.ServerFailure(f"{traffic.name} ended with code {code}\n{traffic.log_tail()}")
