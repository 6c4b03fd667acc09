"""Following the voice events of a tenant over 8000, and comparing them with what regions hold."""

import time

import ports


def journal(redis, tenant, region, after="-", last="+"):
    """The entries of a voice journal in a server's own words, behind the ID `after`: [(id, {field: value})]."""
    begin = after if after == "-" else f"({after}"
    return [(entry, tuple(fields)) for entry, fields in
            redis.ask("XRANGE", f"rs:{{{tenant}}}:voice:{region}", begin, last)]


def stream(tenant, region):
    return f"voice:{tenant}@{region}"


def entries(answer):
    """What one XREAD or XREADGROUP brought: {stream: [(id, fields as a flat tuple)]}."""
    found = {}
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    for name, batch in pairs:
        # Under RESP3 the library puts the batch of a stream into a list of its own.
        while batch and isinstance(batch[0], list) and batch[0] and not isinstance(batch[0][0], str):
            [batch] = batch
        found[name] = [(entry, flat(values)) for entry, values in batch]
    return found


def flat(values):
    if isinstance(values, dict):
        return tuple(word for pair in values.items() for word in pair)
    return tuple(values)


def event(values):
    """The event of an entry's fields."""
    return dict(zip(values[::2], values[1::2]))["event"]


def is_rising(ids):
    """Whether entry IDs rise, so that nothing came twice or out of order."""
    keys = [tuple(map(int, one.split("-"))) for one in ids]
    return all(first < second for first, second in zip(keys, keys[1:]))


class VoiceWatch:
    """A connection on which `VOICE.WATCH` pushes a tenant's events; `got` has them by region."""

    def __init__(self, client, tenant, *regions):
        self.line = ports.Line(client)
        answer = ports.fields(self.line.ask("VOICE.WATCH", tenant, *regions))
        self.number = answer["watch"]
        self.positions = ports.fields(answer["positions"])
        self.got = {region: [] for region in self.positions}

    def take(self, seconds):
        """The next event, (region, id, fields); None if none comes in time."""
        pushed = self.line.next(seconds)
        if pushed is None:
            return None
        kind, number, region, entry, values = pushed
        if kind != "voice" or number != self.number:
            raise AssertionError(f"an event of watch {self.number} was expected, found {pushed}")
        self.got[region].append((entry, tuple(values)))
        return region, entry, dict(zip(values[::2], values[1::2]))

    def drain(self, ends, patience=60, quiet=1.0):
        """Takes what comes until these entries have come, {region: id}, and then nothing for `quiet` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(
                not self.got[region] or self.got[region][-1][0] != end for region, end in ends.items()):
            self.take(quiet)
        while self.take(quiet):
            pass

    def close(self):
        self.line.close()
