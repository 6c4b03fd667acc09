"""What became of acknowledged events in a region whose Redis lost some: in journals, in copies, in closed copies."""

import ledgers

# IDs of one page of a stream. ARGV: where to begin.
PAGE = """local ids = {}
for number, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 5000)) do ids[number] = entry[1] end
return ids"""


class KeptEvents:
    """The journals of `region` as the region and its peer hold them now, against the producer's ledger.

    `closed` are the entries of closed copies, by journal.
    """

    def __init__(self, ledger, region, own, peer, closed):
        self.acknowledged, self.own, self.copy, self.closed = {}, {}, {}, {}
        recorded = ledgers.VoiceLedger(ledger / f"voice-{region}.ledger").entries
        for key in journals(own, region) | journals(peer, region) | set(recorded):
            self.acknowledged[key] = set(recorded.get(key, ()))
            self.own[key] = entry_ids(own, key)
            self.copy[key] = entry_ids(peer, key)
            self.closed[key] = closed.get(key, set())

    @property
    def missing(self):
        """Acknowledged, and not in the region's journals any more."""
        return {key: self.acknowledged[key] - self.own[key] for key in self.own}

    @property
    def closed_only(self):
        """Entries that only closed copies hold, whoever wrote them."""
        return {key: self.closed[key] - self.own[key] for key in self.own}

    @property
    def nowhere(self):
        """Acknowledged, and held by nobody."""
        return {key: missing - self.closed[key] - self.copy[key] for key, missing in self.missing.items()}


def journals(redis, region, topics=("voice", "provisioning", "control")):
    """Keys of the mirrored journals born in a region, as a server holds them."""
    return {key for topic in topics for key in redis.ask("KEYS", f"rs:*:{topic}:{region}")}


def closed_copies(redis, key):
    return [name for name in redis.ask("KEYS", f"{key}:closed:*") if not name.endswith(":meta")]


def entry_ids(redis, key):
    """The IDs of a stream as (ms, sequence)."""
    ids, begin = set(), "-"
    while page := redis.ask("EVAL", PAGE, 1, key, begin):
        ids.update(map(ledgers.entry_id, page))
        begin = f"({page[-1]}"
    return ids


def last_ids(redis, region):
    """The newest entry of each of a region's journals, as a server holds them: (ms, sequence) by key."""
    ends = {key: redis.ask("XREVRANGE", key, "+", "-", "COUNT", 1) for key in journals(redis, region)}
    return {key: ledgers.entry_id(end[0][0]) for key, end in ends.items() if end}


def count(by_journal):
    return sum(map(len, by_journal.values()))
