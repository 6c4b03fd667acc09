"""A connection that knows when an answer came, however late the process that waits for it gets to run."""

import io
import socket
import struct
import time

from raw_resp import RawConnection

# <asm-generic/socket.h>; Python's socket has no names for them. The kernel stamps what arrives, in real time.
SO_TIMESTAMPNS = SCM_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@ll")


class TimedConnection(RawConnection):
    def __init__(self, port, timeout=60):
        super().__init__(port, timeout)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.arrivals = Arrivals(self.socket)
        self.replies = io.BufferedReader(self.arrivals)

    def timed(self, *words):
        """Asks; the seconds until the answer had arrived in this host's kernel, and from then until it was read."""
        began = time.time_ns()
        self.ask(*words)
        done, arrived = time.time_ns(), self.arrivals.last
        return (arrived - began) / 1e9, (done - arrived) / 1e9


class Arrivals(io.RawIOBase):
    """What a socket receives; `last` is when the latest of it came, in ns since 1970."""

    def __init__(self, connection):
        self.connection = connection
        self.last = None

    def readable(self):
        return True

    def readinto(self, buffer):
        count, ancillary, _, _ = self.connection.recvmsg_into([buffer], socket.CMSG_SPACE(TIMESPEC.size))
        self.last = time.time_ns()  # the kernel takes a moment until it stamps, where nobody has asked for it before
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SCM_TIMESTAMPNS):
                seconds, nanoseconds = TIMESPEC.unpack(data[:TIMESPEC.size])
                self.last = seconds * 1_000_000_000 + nanoseconds
        return count
