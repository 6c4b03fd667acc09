"""Authentication: looks persons up over 8888 and hears of password changes (connection 11)."""

import json

import ports
from peer import Peer
from peer_stage import WEST


class Authentication(Peer):
    name = "authentication"
    summary = "looks a person up by user name, sees a password change by watch"

    def play(self):
        client = self.client(WEST, "config")
        name, dbid = self.stage.postgres.sql(
            f"SELECT user_name || ' ' || dbid FROM provisioning.person WHERE tenant_dbid = {self.tenant} "
            "ORDER BY dbid LIMIT 1").split()
        found = client.execute_command("CFG.FIND", self.tenant, "person", "user_name", name)
        self.did(f"looked {name} up in {WEST}: {found}")
        self.equal("it is the person of PostgreSQL", found, [dbid])
        self.equal("a name that nobody has finds nobody",
                   client.execute_command("CFG.FIND", self.tenant, "person", "user_name", "nobody-at-all"), [])
        person = ports.fields(client.execute_command("CFG.GET", self.tenant, "person", dbid))
        self.check("the hash of the password is not shown", "password_hash" not in person, sorted(person))
        self.did(f"password changed at {person.get('password_changed_at')}, state {person['state']}")
        with ports.Line(client) as line:
            watch = ports.fields(line.ask("CFG.WATCH", self.tenant, "person"))
            self.did(f"watches persons from position {watch['position']}")
            self.change(client, line, dbid, person.get("password_changed_at"))
            self.disable(client, line, dbid)

    def change(self, client, line, dbid, before):
        self.stage.postgres.sql(
            f"UPDATE provisioning.person SET password_hash = 'scram-{self.stage.seed}' || gen_random_uuid() "
            f"WHERE dbid = {dbid}")
        self.did("somebody changed the password")
        event, data = self.next_of(line, dbid)
        self.equal("the watch tells of an update", event, "ObjectUpdated")
        self.check("it carries a newer time of change", data and data.get("password_changed_at") != before, data)
        self.check("and no hash", data and "password_hash" not in data, data)
        person = ports.fields(client.execute_command("CFG.GET", self.tenant, "person", dbid))
        self.equal("reading shows the same time", person["password_changed_at"],
                   str(data["password_changed_at"]) if data else None)

    def disable(self, client, line, dbid):
        answer = ports.fields(client.execute_command("CFG.PUT", self.tenant, "person", dbid, "state", 2))
        self.did(f"disabled the person over 8888, token {answer['token']}")
        event, data = self.next_of(line, dbid)
        self.equal("the watch tells of it", (event, str((data or {}).get("state"))), ("ObjectUpdated", "2"))
        person = ports.fields(client.execute_command(
            "CFG.GET", self.tenant, "person", dbid, "AT", answer["token"], "TIMEOUT", 20_000))
        self.equal("reading with the token shows it", person["state"], "2")
        client.execute_command("CFG.PUT", self.tenant, "person", dbid, "state", 1)

    def next_of(self, line, dbid):
        """The next event of a person: its name and its data."""
        while (push := line.next(60)) is not None:
            _, _, _, event, _, kind, key, data = push
            if (kind, key) == ("person", dbid):
                return event, json.loads(data) if data else None
        return None, None
