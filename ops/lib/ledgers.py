"""Reading the ledgers of `regionsync generate`, where a drill has to judge for itself. Their form: LedgerLine.swift."""

import shutil


class VoiceLedger:
    """The acknowledged events of one region: by journal key, entry IDs as (ms, sequence), rising."""

    def __init__(self, path):
        self.entries = {}
        names = {}
        for words in _lines(path):
            if words[0] == "J":
                names[words[1]] = words[2]
                self.entries[words[2]] = []
            elif words[0] == "E":
                self.entries[names[words[1]]].append(entry_id(words[4]))
        for ids in self.entries.values():
            ids.sort()


def entry_id(text):
    first, second = text.split("-")
    return int(first), int(second)


def transactions(path):
    """The IDs of the transactions that were acknowledged."""
    return [int(words[2]) for words in _lines(path) if words[0] == "T"]


def withdraw(source, target, is_lost):
    """Copies a provisioning ledger, in which transactions whose ID is lost count as unanswered: the server that
    acknowledged them is gone, and its successor never had them. Returns how many they are."""
    withdrawn = 0
    with open(source) as old, open(target, "w") as new:
        for text in old:
            words = text.split(" ", 3)
            if words[0] == "T" and is_lost(int(words[2])):
                text = "V" + text[1:]
                withdrawn += 1
            new.write(text)
    return withdrawn


def judge_by(postgres, ledger, judged, first):
    """Copies a ledger folder, with the transactions withdrawn that a promoted server never had: those from `first` on,
    the first one that was its own, and those that it does not know as committed. Returns how many they are.
    """
    shutil.copytree(ledger, judged)
    source = ledger / "provisioning.ledger"
    known = [xid for xid in transactions(source) if xid < first]
    # One that had begun when the standby got its last is known there, and was never committed.
    lacking = postgres.sql(
        f"SELECT xid FROM unnest('{{{','.join(map(str, known))}}}'::text[]) AS xid "
        "WHERE pg_xact_status(xid::xid8) IS DISTINCT FROM 'committed'").split()
    return withdraw(source, judged / "provisioning.ledger", lambda xid: xid >= first or str(xid) in lacking)


def first_transaction(postgres, history):
    """The transaction in which a promoted server was given this history number."""
    return int(postgres.sql(f"SELECT xmin::text FROM regionsync.history WHERE number = {history}"))


def _lines(path):
    with open(path) as file:
        for text in file:
            if words := text.split():
                yield words
