"""A connection that speaks RESP and keeps out of the way of measurements: words in, a reply out, no library between."""

import socket


class RawConnection:
    """To a port of the loopback address; RESP2 until told otherwise."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")

    def ask(self, *words):
        """One command and its reply: text, number, None, list; an error is raised as RuntimeError."""
        self.send(*words)
        return self.reply()

    def send(self, *words):
        self.socket.sendall(encoded(*words))

    def reply(self):
        line = self.replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._bulk(int(rest))
        if kind in b"*>~":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"%":
            return [self.reply() for _ in range(2 * int(rest))]
        return None if kind == b"_" else rest.decode(errors="replace")

    def _bulk(self, count):
        found = self.replies.read(count + 2)
        if len(found) < count + 2:
            raise ConnectionError("the connection was closed within a reply")
        return found[:-2].decode(errors="replace")

    def close(self):
        self.replies.close()
        self.socket.close()


def encoded(*words):
    """A command in wire form."""
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
