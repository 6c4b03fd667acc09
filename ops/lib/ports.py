"""The RESP ports of a worker as clients see them: accounts, connections of Python's `redis`, watches with push.

Whoever imports this has called `python_packages.use()` before.
"""

import contextlib
import hashlib
import json
import secrets
import socket

import redis


class Account:
    """An account of the ports, with a secret of its own."""

    def __init__(self, name, permissions=("read",), tenants="all"):
        self.name = name
        self.permissions = list(permissions)
        self.tenants = ["all"] if tenants == "all" else list(tenants)
        self.secret = secrets.token_urlsafe(24)
        self.certificate_names = []

    @property
    def entry(self):
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        certificates = {"certificateNames": self.certificate_names} if self.certificate_names else {}
        return {"name": self.name, "secretHashes": [f"#{digest}"], "tenants": self.tenants,
                "permissions": self.permissions, **certificates}


def write_accounts(path, accounts):
    """The file that `listeners.accountsFile` names; JSON, which YAML reads."""
    path.write_text(json.dumps({"accounts": [account.entry for account in accounts]}, indent=1) + "\n")
    return path


def client(port, account=None, protocol=3, **options):
    """A client of a port: text comes as str, a lost connection is an error instead of a silent second attempt."""
    login = {"username": account.name, "password": account.secret} if account else {}
    return redis.Redis(host="127.0.0.1", port=port, protocol=protocol, decode_responses=True, socket_timeout=30,
                       client_name=account.name if account else None, **login, **options)


def break_connections(client):
    """Breaks a client's connections as a network would, both ways, whatever another thread does with them now."""
    pool = client.connection_pool
    for connection in (*pool._in_use_connections, *pool._available_connections):
        with contextlib.suppress(OSError, AttributeError):  # it has none, or not any more
            connection._sock.shutdown(socket.SHUT_RDWR)


def fields(reply):
    """A map, which RESP2 carries as a flat array."""
    return reply if reply is None or isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


class Pushed(list):
    """What a port sent unasked."""


class Line:
    """One connection of a client's pool, held: for what belongs to a connection, such as watches and WAIT."""

    def __init__(self, client):
        self.client = client  # which closes its connections when nobody has it any more
        self.pool = client.connection_pool
        self.connection = self.pool.get_connection("_")
        self.pushed = []
        # The library hands pushes to who subscribed; of ours it knows nothing, so it is told to hand over all.
        self.connection._parser.set_pubsub_push_handler(Pushed)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def ask(self, *words):
        """One command and its reply; pushes that come before it are kept for `next`."""
        self.connection.send_command(*words)
        while True:
            answer = self.connection.read_response(push_request=True)
            if not isinstance(answer, Pushed):
                return answer
            self.pushed.append(answer)

    def next(self, seconds):
        """The next push; None if none comes in time."""
        if self.pushed:
            return self.pushed.pop(0)
        if not self.connection._sock:
            raise redis.ConnectionError("the connection is gone, and its watches with it")
        if not self.connection.can_read(timeout=seconds):
            return None
        return self.connection.read_response(push_request=True)

    def cut(self):
        """Breaks the connection, as a network would."""
        self.connection.disconnect()

    def close(self):
        self.connection.disconnect()
        self.pool.release(self.connection)
