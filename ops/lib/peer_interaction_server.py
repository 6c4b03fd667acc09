"""Interaction Server: reads provisioning over 8888 (connection 4): who may be given which work."""

import collections

import ports
from peer import Peer
from peer_stage import REGIONS


class InteractionServer(Peer):
    name = "interaction-server"
    summary = "reads agents, their skills, places and groups in both regions"

    def play(self):
        seen = {region: self.read(region) for region in REGIONS}
        first, second = (seen[region] for region in REGIONS)
        self.check("both regions show the same", first == second)

    def read(self, region):
        client = self.client(region, "config")
        described = ports.fields(client.execute_command("CFG.DESCRIBE", "person"))
        self.did(f"{region}: a person has the key {described['key']}, and never shows {described['omitted']}")
        self.equal(f"{region}: no password hash leaves PostgreSQL", described["omitted"], ["password_hash"])
        ids, _ = self.pages(client, "person")
        agents = {one["dbid"]: one for one in self.objects(client, "person", ids) if one["is_agent"] == "t"}
        skills = self.skills(client, agents)
        places = {one["place_dbid"] for one in agents.values() if "place_dbid" in one}
        rooms = [one for one in self.objects(client, "place", sorted(places)) if one]
        self.did(f"{region}: {len(agents)} agents, {sum(map(len, skills.values()))} levels of skills,"
                 f" {len(rooms)} places")
        self.equal(f"{region}: every place of an agent is there", len(rooms), len(places))
        self.groups(region, client, agents)
        return agents, skills, sorted(place["name"] for place in rooms)

    def skills(self, client, agents):
        """Levels by agent and skill, asked for in one pipeline each."""
        finding = client.pipeline(transaction=False)
        for dbid in agents:
            finding.execute_command("CFG.FIND", self.tenant, "person_skill", "person_dbid", dbid)
        keys = dict(zip(agents, finding.execute()))
        asking = client.pipeline(transaction=False)
        wanted = [key for found in keys.values() for key in found]
        for key in wanted:
            asking.execute_command("CFG.GET", self.tenant, "person_skill", key)
        levels = collections.defaultdict(dict)
        for one in map(ports.fields, asking.execute()):
            levels[one["person_dbid"]][one["skill_dbid"]] = int(one["level"])
        total = int(self.stage.postgres.sql(
            "SELECT count(*) FROM provisioning.person_skill JOIN provisioning.person ON person_dbid = dbid "
            f"WHERE person.tenant_dbid = {self.tenant} AND is_agent"))
        self.equal("as many levels as PostgreSQL has", len(wanted), total)
        return dict(levels)

    def groups(self, region, client, agents):
        ids, _ = self.pages(client, "agent_group")
        members = 0
        for group in ids:
            members += len(client.execute_command(
                "CFG.FIND", self.tenant, "agent_group_member", "agent_group_dbid", group))
        self.did(f"{region}: {len(ids)} groups with {members} members")
        self.equal(f"{region}: as many members as PostgreSQL has", members, self.count("agent_group_member"))
        one = next(iter(agents.values()))
        found = client.execute_command("CFG.FIND", self.tenant, "person", "employee_id", one["employee_id"])
        self.equal(f"{region}: an employee's number names one person", found, [one["dbid"]])
        self.refused(f"{region}: a field without an index cannot be searched", "ERR",
                     lambda: client.execute_command("CFG.FIND", self.tenant, "person", "last_name", "x"))
