"""Web Services (GWS): writes provisioning over 8888, controls calls over 8000 (connections 7 and 8)."""

import json
import time

import following
import ports
from peer import Peer
from peer_stage import EAST, WEST

PATIENCE = 60


class GWS(Peer):
    name = "gws"
    summary = "writes provisioning in one region and reads it in the other; a call through its life"

    def play(self):
        self.provision(self.client(WEST, "config"), self.client(EAST, "config"))
        front_end = self.stage.front_end()
        try:
            self.requests = self.client(EAST, "voice")
            self.voice = following.VoiceWatch(self.client(EAST, "voice"), self.tenant, EAST)
            self.agent()
            self.call()
            self.mistakes()
            self.voice.close()
        finally:
            front_end.stop()

    # Provisioning.

    def provision(self, west, east):
        user = f"gws-{self.stage.seed}-{time.time_ns()}"
        put = lambda *words: ports.fields(west.execute_command("CFG.PUT", self.tenant, *words))
        get = lambda client, kind, key, *words: ports.fields(
            client.execute_command("CFG.GET", self.tenant, kind, key, *words, "TIMEOUT", 20_000))
        words = ("person", "NEW", "user_name", user, "employee_id", user, "first_name", "Ada", "is_agent", "true")
        made = put(*words, "ONCE", user)
        self.did(f"made person {made['id']} in {WEST}, token {made['token']}")
        began = time.monotonic()
        seen = get(east, "person", made["id"], "AT", made["token"])
        self.did(f"read it in {EAST} with the token after {1000 * (time.monotonic() - began):.1f} ms")
        self.equal("it is as written", (seen["user_name"], seen["first_name"], seen["is_agent"]), (user, "Ada", "t"))
        self.equal("the same request again has no second effect", put(*words, "ONCE", user), made)
        self.refused("a user name is given once", "CONFLICT", lambda: put(*words))

        changed = put("person", made["id"], "last_name", "Lovelace", "NULL", "first_name", "IF", seen["_d"])
        now = get(east, "person", made["id"], "AT", changed["token"])
        self.equal("only the named fields change", (now.get("last_name"), "first_name" in now, now["user_name"]),
                   ("Lovelace", False, user))
        self.refused("a change of what somebody else has changed", "CONFLICT",
                     lambda: put("person", made["id"], "last_name", "Byron", "IF", seen["_d"]))
        self.together(west, east, made["id"], user, get)

    def together(self, west, east, person, user, get):
        skill = ports.fields(west.execute_command("CFG.PUT", self.tenant, "skill", "NEW", "name", f"skill-{user}"))
        both = west.pipeline(transaction=True)
        both.execute_command("CFG.PUT", self.tenant, "person_skill", "NEW", "person_dbid", person, "skill_dbid",
                             skill["id"], "level", 7)
        both.execute_command("CFG.PUT", self.tenant, "skill", skill["id"], "name", f"renamed-{user}")
        level, renamed = map(ports.fields, both.execute())
        self.did(f"gave the person a skill and renamed it in one transaction, token {renamed['token']}")
        seen = get(east, "person_skill", level["id"], "AT", renamed["token"])
        self.equal("the level is there", seen and seen["level"], "7")
        self.equal("and the new name", get(east, "skill", skill["id"])["name"], f"renamed-{user}")
        gone = ports.fields(west.execute_command("CFG.DEL", self.tenant, "person", person))
        self.did(f"deleted the person and what hung on it, {gone['removed']} objects")
        self.check("the level went first", int(gone["removed"]) >= 2, gone)
        self.equal("nobody finds it any more", get(east, "person", person, "AT", gone["token"]), None)
        self.equal("nor its level", get(east, "person_skill", level["id"]), None)
        west.execute_command("CFG.DEL", self.tenant, "skill", skill["id"])

    # Call control.

    def ask(self, *words):
        """A request; its reference."""
        reference = self.requests.execute_command(*words)
        self.did(f"{' '.join(map(str, words))}: reference {reference}")
        return reference

    def event(self, name, **attributes):
        """The data of the next event of this name with these attributes; passes over others."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            taken = self.voice.take(left)
            if taken is None:
                break
            _, _, fields = taken
            data = json.loads(fields["data"])
            if fields["event"] == f"Event{name}" and all(data.get(key) == value for key, value in attributes.items()):
                self.check(f"Event{name} at {data.get('ThisDN')}", True)
                return data
        self.check(f"Event{name} with {attributes}", False, "no such event")
        return {}

    def extensions(self):
        """Numbers of three extensions."""
        client = self.client(EAST, "config")
        ids, _ = self.pages(client, "dn")
        numbers = [dn["number"] for dn in self.objects(client, "dn", ids) if dn["type"] == "1"]
        return numbers[:3]

    def agent(self):
        # Both of its own: others may be logged in, or logged in at, by somebody else's traffic.
        dn = f"7{time.time_ns() % 1_000_000:06}"
        agent = f"agent-{time.time_ns()}"
        self.client(EAST, "config").execute_command(
            "CFG.PUT", self.tenant, "person", "NEW", "user_name", agent, "employee_id", agent, "is_agent", "true")
        self.event("AgentLogin", ReferenceID=self.ask("AGENT.LOGIN", self.tenant, dn, agent), AgentID=agent)
        self.event("AgentReady", ReferenceID=self.ask("AGENT.READY", self.tenant, dn, agent))
        record = self.state("AGENT.GET", agent, lambda found: found and found.get("region") == EAST)
        self.check(f"AGENT.GET shows the agent logged in in {EAST}", record and record["region"] == EAST, record)
        self.event("AgentNotReady",
                   ReferenceID=self.ask("AGENT.NOTREADY", self.tenant, dn, agent, "MODE", 3, "REASON", "wrap-up"))
        self.event("AgentLogout", ReferenceID=self.ask("AGENT.LOGOUT", self.tenant, dn, agent))

    def call(self):
        caller, called, third = self.extensions()
        reference = self.ask("CALL.MAKE", self.tenant, caller, called, "ONCE", f"make-{self.stage.seed}")
        self.equal("the same request again answers the same reference",
                   self.ask("CALL.MAKE", self.tenant, caller, called, "ONCE", f"make-{self.stage.seed}"), reference)
        call = self.event("Dialing", ReferenceID=reference, ThisDN=caller).get("ConnID")
        self.event("Ringing", ConnID=call, ThisDN=called)
        self.event("Established", ReferenceID=self.ask("CALL.ANSWER", self.tenant, called, call), ThisDN=called)
        self.event("Held", ReferenceID=self.ask("CALL.HOLD", self.tenant, called, call), ConnID=call)
        self.event("Retrieved", ReferenceID=self.ask("CALL.RETRIEVE", self.tenant, called, call), ConnID=call)
        self.event("AttachedDataChanged", ConnID=call,
                   ReferenceID=self.ask("CALL.DATA", self.tenant, called, call, '{"customer":"4711"}'))
        record = self.state("CALL.GET", call, lambda found: found and f"party:{called}" in found)
        self.check("CALL.GET shows both parties", record and {f"party:{caller}", f"party:{called}"} <= set(record),
                   record)
        self.check("CALL.LIST names it", call in self.requests.execute_command("CALL.LIST", self.tenant))
        self.equal("CALL.LIST of a DN, too",
                   self.requests.execute_command("CALL.LIST", self.tenant, "DN", called), [call])
        self.transfer(call, called, third)
        self.event("Released", ReferenceID=self.ask("CALL.RELEASE", self.tenant, caller, call), ThisDN=caller)
        self.ended(call)

    def transfer(self, call, by, to):
        reference = self.ask("CALL.TRANSFER", self.tenant, by, call, to)
        consult = self.event("Dialing", ReferenceID=reference, ThisDN=by)
        self.equal("the consult call names the main one", consult.get("PreviousConnID"), call)
        consult = consult.get("ConnID")
        self.event("Ringing", ConnID=consult, ThisDN=to)
        self.event("Established", ReferenceID=self.ask("CALL.ANSWER", self.tenant, to, consult), ThisDN=to)
        reference = self.ask("CALL.COMPLETE", self.tenant, by, call, consult)
        self.event("PartyChanged", ReferenceID=reference, ConnID=call, ThisDN=to, CallState=1)
        self.event("Released", ReferenceID=reference, ConnID=call, ThisDN=by)

    def ended(self, call):
        record = self.state("CALL.GET", call, lambda found: found and "endedAt" in found)
        self.check("the call is over, and its record readable", record and "endedAt" in record, record)
        self.check("CALL.LIST names it no more",
                   call not in self.requests.execute_command("CALL.LIST", self.tenant))
        there = self.state("CALL.GET", call, lambda found: found and "endedAt" in found,
                           self.client(WEST, "voice"))
        self.equal(f"{WEST} has the same record", there, record)

    def state(self, command, key, wanted, client=None):
        """A record, once it is as `wanted`: events come a little before the state they make."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = ports.fields((client or self.requests).execute_command(command, self.tenant, key))
            if wanted(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def mistakes(self):
        _, called, _ = self.extensions()
        reference = self.ask("CALL.ANSWER", self.tenant, called, "0000000000000000")
        error = self.event("Error", ReferenceID=reference)
        self.check("a call that is not there cannot be answered", error.get("ErrorMessage"), error)
        self.refused("nobody calls in another's name", "NOTENANT",
                     lambda: self.requests.execute_command("CALL.MAKE", self.stage.other, "1", "2"))
