"""That a connection tells when an answer came, and not when somebody read it. Run by ops/test."""

import pathlib
import socket
import sys
import time
import unittest

sys.dont_write_bytecode = True
OPS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(OPS / "lib"))

from timed_resp import TimedConnection


class TimedConnectionTests(unittest.TestCase):
    def setUp(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.client = TimedConnection(listener.getsockname()[1])
        self.server, _ = listener.accept()
        listener.close()
        self.addCleanup(self.client.close)
        self.addCleanup(self.server.close)
        deadline = time.monotonic() + 30
        while not self.is_stamped():
            self.assertLess(time.monotonic(), deadline, "the kernel stamps nothing")

    def is_stamped(self):
        """Whether the kernel has begun to stamp what arrives."""
        self.server.sendall(b"+OK\r\n")
        after = time.time_ns()
        time.sleep(0.001)
        self.client.reply()
        return self.client.arrivals.last <= after

    def test_the_kernel_says_when_an_answer_came(self):
        for answer, expected in ((b"+PONG\r\n", "PONG"), (b"$3\r\nabc\r\n", "abc"), (b"*1\r\n:7\r\n", [7])):
            before = time.time_ns()
            self.server.sendall(answer)
            after = time.time_ns()
            time.sleep(0.05)  # the reader is late, which does not count
            self.assertEqual(self.client.reply(), expected)
            self.assertLessEqual(before, self.client.arrivals.last)
            self.assertLessEqual(self.client.arrivals.last, after)

    def test_an_answer_in_two_parts_came_with_the_second(self):
        self.server.sendall(b"$3\r\nab")
        between = time.time_ns()
        self.server.sendall(b"c\r\n")
        self.assertEqual(self.client.reply(), "abc")
        self.assertLessEqual(between, self.client.arrivals.last)

    def test_the_end_of_the_connection_is_an_error(self):
        self.server.sendall(b"$3\r\nab")
        self.server.shutdown(socket.SHUT_WR)
        with self.assertRaises(ConnectionError):
            self.client.reply()


if __name__ == "__main__":
    unittest.main()
