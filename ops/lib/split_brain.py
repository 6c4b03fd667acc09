"""How long two primaries took commits side by side: by the servers' own times of what they acknowledged."""

import datetime

# Both servers need it, from the beginning.
SETTINGS = {"track_commit_timestamp": "on"}


def last_commit(postgres, xids):
    """When a server committed the last one of these transactions, in seconds since 1970 by its host's clock; None where
    it committed none of them."""
    return _commit_time(postgres, "max", xids)


def first_commit(postgres, xids):
    """The same of the first one."""
    return _commit_time(postgres, "min", xids)


def window(last_old, first_new):
    """How long the old primary went on acknowledging commits once the new one had begun to, with both instants."""
    overlap = 0 if last_old is None or first_new is None else max(0, last_old - first_new)
    return {"seconds": round(overlap, 3), "oldPrimaryLastCommit": _text(last_old),
            "newPrimaryFirstCommit": _text(first_new)}


def _commit_time(postgres, function, xids):
    known = ",".join(str(xid) for xid in xids if xid > 0)
    found = postgres.sql(f"SELECT extract(epoch FROM {function}(pg_xact_commit_timestamp(xid))) "
                         f"FROM unnest('{{{known}}}'::xid[]) AS xid")
    return float(found) if found else None


def _text(seconds):
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="microseconds")
