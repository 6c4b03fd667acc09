"""Billing Data Service: reads a tenant's inventory over 8888 (connection 1)."""

import ports
from peer import Peer
from peer_stage import EAST

COUNTED = ("person", "dn", "place", "skill", "agent_login", "agent_group", "campaign", "calling_list")


class Billing(Peer):
    name = "billing"
    summary = "reads a tenant's inventory"

    def play(self):
        client = self.client(EAST, "config", protocol=2)
        self.freshness(client)
        self.inventory(client)
        self.boundaries(client)

    def freshness(self, client):
        state = ports.fields(client.execute_command("CFG.STATE", self.tenant))
        self.did(f"asked how fresh the data is: {state['state']}, position {state['position']}")
        self.equal("the region is the one asked", state["region"], EAST)
        tenant = ports.fields(client.execute_command("CFG.GET", self.tenant, "tenant", self.tenant))
        self.did(f"read tenant {tenant['name']}, charge number {tenant.get('charge_number')}")
        name = self.stage.postgres.sql(f"SELECT name FROM provisioning.tenant WHERE dbid = {self.tenant}")
        self.equal("its name is that in PostgreSQL", tenant["name"], name)
        again = ports.fields(client.execute_command("CFG.GET", name, "tenant", self.tenant))
        self.equal("a tenant may be named by its name as well", again, tenant)

    def inventory(self, client):
        types = client.execute_command("CFG.TYPES", self.tenant)
        for kind in COUNTED:
            self.equal(f"it is told whether there are any of type {kind}", kind in types, self.count(kind) > 0)
            ids, _ = self.pages(client, kind)
            self.did(f"listed {len(ids)} of type {kind}")
            self.equal(f"so many of type {kind} are in PostgreSQL", len(ids), self.count(kind))
        ids, _ = self.pages(client, "person")
        agents = sum(person["is_agent"] == "t" for person in self.objects(client, "person", ids))
        found = int(self.stage.postgres.sql(
            f"SELECT count(*) FROM provisioning.person WHERE tenant_dbid = {self.tenant} AND is_agent"))
        self.did(f"bills {agents} agents among {len(ids)} persons")
        self.equal("so many agents are in PostgreSQL", agents, found)

    def boundaries(self, client):
        other = str(self.stage.other)
        self.refused("another tenant does not exist for it", "NOTENANT",
                     lambda: client.execute_command("CFG.LIST", other, "person"))
        self.refused("nor does one that nobody has", "NOTENANT",
                     lambda: client.execute_command("CFG.LIST", "999999", "person"))
        self.refused("it may not write", "NOPERM",
                     lambda: client.execute_command("CFG.PUT", self.tenant, "skill", "NEW", "name", "none"))
