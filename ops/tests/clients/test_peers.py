"""What peers make of replies, and of what they find; needs no program. Run by ops/test."""

import contextlib
import io
import types
import unittest

import staging  # noqa: F401, finds what is imported below
import redis

import following
from peer import Peer


class Played(Peer):
    name = "played"
    summary = "whatever the test wants"

    def __init__(self, body):
        super().__init__(types.SimpleNamespace(tenant=101))
        self.body = body

    def play(self):
        self.body(self)


def run(body):
    with contextlib.redirect_stdout(io.StringIO()):
        return Played(body).run()


class VerdictTests(unittest.TestCase):
    def test_a_peer_passes_if_all_is_right(self):
        found = run(lambda peer: peer.equal("one", 1, 1))
        self.assertEqual((found["pass"], found["checks"], found["failed"]), (True, 1, []))

    def test_one_mistake_is_enough(self):
        def body(peer):
            peer.check("first", False, "nothing")
            peer.check("second", True)
        found = run(body)
        self.assertEqual((found["pass"], found["checks"], found["failed"]), (False, 2, ["first"]))

    def test_a_peer_that_checks_nothing_does_not_pass(self):
        self.assertFalse(run(lambda peer: peer.did("nothing"))["pass"])

    def test_refusals(self):
        def refuse(error):
            raise error
        for error, code, right in (
                (redis.ResponseError("NOTENANT no such tenant"), "NOTENANT", True),
                (redis.ResponseError("NOTFOUND no such object"), "NOTENANT", False),
                (redis.ResponseError("syntax error"), "ERR", True),
                (redis.ResponseError("syntax error"), "CONFLICT", False),
                (redis.exceptions.ReadOnlyError("this is a copy"), "READONLY", True),
                (redis.exceptions.NoPermissionError("may not"), "NOPERM", True)):
            self.assertEqual(run(lambda peer: peer.refused("it", code, lambda: refuse(error)))["pass"], right, error)
        self.assertFalse(run(lambda peer: peer.refused("it", "NOPERM", lambda: "OK"))["pass"])


class FollowingTests(unittest.TestCase):
    entry = ("1-0", ("event", "EventHeld", "key", "k"))

    def test_entries_of_every_form_a_client_gives_them(self):
        fields = {"event": "EventHeld", "key": "k"}
        flat = ["event", "EventHeld", "key", "k"]
        for answer in ({"s": [[("1-0", fields)]]}, [["s", [("1-0", fields)]]], [["s", [["1-0", flat]]]],
                       {"s": [["1-0", flat]]}):
            self.assertEqual(following.entries(answer), {"s": [self.entry]}, answer)
        for nothing in (None, [], {}):
            self.assertEqual(following.entries(nothing), {})
        self.assertEqual(following.event(self.entry[1]), "EventHeld")

    def test_order(self):
        self.assertTrue(following.is_rising(["1-0", "1-1", "10-0"]))
        self.assertFalse(following.is_rising(["10-0", "9-0"]))
        self.assertFalse(following.is_rising(["1-0", "1-0"]))


if __name__ == "__main__":
    unittest.main()
