"""Drills of entries and keys that nobody of ours wrote, and of tables that change their shape (operations.md)."""

import abc
import time

import servers
from fault_drill import FaultDrill
from regions import REGIONS, Regions, peer, seconds_since

MEBIBYTE = 1 << 20
CALL = {"event": "EventRinging", "key": "0123456789abcdef"}
# What is no event of ours, as the fields of an entry.
BAD_ENTRIES = [
    {"foo": "bar"},
    {"": ""},
    {f"field{number}": "x" for number in range(300)},
    {"event": "EventRinging"},
    {"event": "", "key": "", "data": ""},
    {"event": "EventOfTomorrow", "key": "0123456789abcdef", "data": "{}"},
    {**CALL, "data": ""},
    {**CALL, "data": '{"ThisDN":'},
    {**CALL, "data": "[" * 20_000},
    {**CALL, "data": '{"time":1e999,"CallState":99999999999999999999}'},
    {**CALL, "data": "x" * MEBIBYTE},
    {"event": "x" * MEBIBYTE, "key": "k", "data": "{}"},
]
# Bytes that are no text, also in the names of fields. KEYS: the journal.
BAD_BYTES = """return redis.call('XADD', KEYS[1], '*', 'event', string.char(0xff, 0x00, 0x0d, 0x0a), 'key',
    string.char(0xc0, 0x80), string.char(0xfe), string.char(0xed, 0xa0, 0x80))"""

SPOILT_CALL = "00aa00aa00aa00aa"
SPOILT_DATA = (
    f'{{"id":1,"Server":"drill","ThisDN":"1","time":1,"CallID":1,"CallUUID":"u","ConnID":"{SPOILT_CALL}","CallState":0,'
    '"CallThreadID":1,"CallType":2,"ThisDNRole":2,"AgentID":"spoilt"}')


class ForeignDrill(FaultDrill):
    """Somebody else writes what he should not, in steps; whatever it is, everything else goes on."""

    @abc.abstractmethod
    def steps(self):
        """What is written, in order: methods."""

    def disturb(self):
        for step in self.steps():
            self.stay(0.2, 1)
            self.say(step.__name__.replace("_", " "))
            step()
            for region in REGIONS:
                self.regions.wait_moving(region, time.monotonic_ns(), 5)
            seconds = self.regions.wait_visible(self.regions.make_mark(), time.monotonic_ns(), seconds=15)
            self.moving.append(round(seconds, 3))


class BadEntries(ForeignDrill):
    name = "bad-entries"
    scale = "caches are verified every 10 s instead of at the interval of the shipped region file"
    summary = "foreign, huge and undecodable entries, a table altered under load; mirrored, counted, passed over"

    def stage(self):
        return VerifyingRegions(self)

    def steps(self):
        return self.random.sample([self.write_entries, self.alter_table], 2)

    # Entries.

    def write_entries(self):
        """Into journals that are busy, and into a quiet one."""
        regions, before = self.regions, {}
        for region in REGIONS:
            before[region] = regions.total(region, "projection_unreadable_total")
        written = 0
        for region in REGIONS:
            journals = sorted(regions.redis[region].ask("KEYS", f"rs:*:voice:{region}"))
            entries = BAD_ENTRIES + [BAD_BYTES]
            self.random.shuffle(entries)
            for entry in entries:
                self.write(regions.redis[region], self.random.choice(journals), entry)
                self.stay(0, 0.05)
                written += 1
        for region in REGIONS:
            servers.wait_until(
                f"{region}: {written} entries passed over and counted",
                lambda: regions.total(region, "projection_unreadable_total") - before[region] >= written)
            counted = regions.total(region, "projection_unreadable_total") - before[region]
            self.require(counted == written, f"{region}: {written} entries counted as unreadable, not {counted:.0f}")
        self.rounds.append({"fault": "bad entries", "written": written})

    @staticmethod
    def write(redis, journal, entry):
        if isinstance(entry, str):
            return redis.ask("EVAL", entry, 1, journal)
        return redis.ask("XADD", journal, "*", *(word for pair in entry.items() for word in pair))

    # Tables.

    def alter_table(self):
        """A column comes, changes its type and its name, and goes, while rows change."""
        regions = self.regions
        skills = regions.make_skills(5)
        update = lambda column, value: regions.postgres.sql(
            f"UPDATE provisioning.skill SET {column} = {value} WHERE dbid IN ({','.join(skills)})")
        alter = lambda words: regions.postgres.sql(f"ALTER TABLE provisioning.skill {words}")
        alter("ADD COLUMN note text")
        update("note", "'7'")
        self.expect_field(skills, "note", "7")
        alter("ALTER COLUMN note TYPE integer USING note::integer")
        update("note", "8")
        self.expect_field(skills, "note", "8")
        alter("RENAME COLUMN note TO remark")
        update("remark", "9")
        self.expect_field(skills, "remark", "9")
        self.expect_field(skills, "note", None)
        alter("DROP COLUMN remark")
        # No row was sent for that: verification finds what the caches show of it.
        self.expect_field(skills, "remark", None, 60)
        self.rounds.append({"fault": "ALTER TABLE"})

    def expect_field(self, skills, field, value, seconds=15):
        for region in REGIONS:
            redis = self.regions.redis[region]
            values = lambda: {redis.ask("HGET", self.regions.skill_key(dbid), field) for dbid in skills}
            servers.wait_until(f"{region}: field {field} of {len(skills)} skills being {value}",
                               lambda: values() == {value}, seconds)


class BadKeys(ForeignDrill):
    name = "bad-keys"
    summary = "keys of a wrong type where a copy, an object, an index, a call have to be; the rest goes on"

    def steps(self):
        return self.random.sample([self.spoil_copy, self.spoil_state], 2)

    def spoil_copy(self):
        """A key of a wrong type stands where a copy has to be: that journal stops and says so, until it is gone."""
        regions = self.regions
        region = self.random.choice(REGIONS)
        other = regions.redis[peer(region)]
        tenant = regions.postgres.sql("INSERT INTO provisioning.tenant (name) VALUES ('spoilt') RETURNING dbid")
        journal = f"rs:{{{tenant}}}:voice:{region}"
        other.ask("SET", journal, "no stream")
        for _ in range(3):
            regions.redis[region].ask("XADD", journal, "*", "event", "UserEvent", "key", "none", "data", "{}")
        since = time.monotonic_ns()
        seconds = regions.wait_said(region, journal)
        self.require(regions.state(region, f"mirror {peer(region)}") == "streaming", f"{region}: the link goes on")
        regions.wait_moving(region, time.monotonic_ns(), 5)
        other.ask("DEL", journal)
        servers.wait_until(f"{region}: the journal mirrored again", lambda: other.ask("XLEN", journal) == 3)
        self.rounds.append({"fault": "copy of a wrong type", "region": region, "saidSeconds": round(seconds, 3),
                            "mendedSeconds": round((time.monotonic_ns() - since) / 1e9, 3)})

    def spoil_state(self):
        """Keys of a wrong type stand where an object, a type's IDs, its index, a call and an agent have to be. What
        stands in the way is replaced and written anew; nothing else stands still meanwhile.
        """
        regions, tenant = self.regions, self.regions.tenant
        region = self.random.choice(REGIONS)
        redis = regions.redis[region]
        changed, *others = regions.make_skills(20)
        regions.wait_visible(regions.make_mark(), time.monotonic_ns())
        types, call = f"cfg:{{{tenant}}}:skill", f"call:{{{tenant}}}:{SPOILT_CALL}"
        for key in (regions.skill_key(changed), types, f"{types}:by:name", call, f"agent:{{{tenant}}}:spoilt"):
            redis.ask("DEL", key)
            redis.ask("RPUSH", key, "no hash, no set")
        regions.postgres.sql(f"UPDATE provisioning.skill SET name = 'after' WHERE dbid = {changed}")
        for event, key in (("EventRinging", SPOILT_CALL), ("EventAgentLogin", "spoilt")):
            redis.ask("XADD", regions.quiet_journal(region), "*", "event", event, "key", key, "data", SPOILT_DATA)
        mark, since = regions.make_mark(), time.monotonic_ns()
        self.stay(5)
        for place in REGIONS:
            regions.wait_moving(place, time.monotonic_ns(), 5)
            self.require(regions.is_visible(mark, place), f"{place}: other objects are projected meanwhile")
            self.require(regions.state(place, "projection voice") == "projecting",
                         f"{place}: other calls are projected meanwhile")

        def is_back():
            return (redis.ask("TYPE", regions.skill_key(changed)) == "hash"
                    and regions.skill_name(region, changed) == "after" and redis.ask("TYPE", types) == "set"
                    and set(others) <= set(redis.ask("SMEMBERS", types))
                    and redis.ask("TYPE", f"{types}:by:name") == "hash"
                    and redis.ask("HGET", f"{types}:by:name", "after") == changed)

        servers.wait_until(f"{region}: what was spoilt written anew", is_back, 60, pause=0.1)
        back, whole = round(seconds_since(since), 3), round(regions.wait_whole(region, since), 3)
        self.rounds.append({"fault": "state of a wrong type", "region": region, "writtenAnewSeconds": back,
                            "wholeSeconds": whole, "call": redis.ask("TYPE", call)})


class VerifyingRegions(Regions):
    """Two regions whose workers compare their caches with PostgreSQL every ten seconds."""

    def change_file(self, file):
        file.set("verification.interval", "10s").set("verification.delay", "1s")


DRILLS = [BadEntries, BadKeys]
