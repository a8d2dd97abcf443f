"""Engines that are away: addresses where nobody listens, so that what happens is what happens in earnest."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections

from config.embedded.valkey import free_port


@contextmanager
def database_away() -> Iterator[None]:
    """For tests with `django_db(transaction=True)`: every thread's next connection is refused."""
    address = connections.settings["default"]
    known = {name: address[name] for name in ("HOST", "PORT")}
    connection.close()
    address.update(HOST="127.0.0.1", PORT=str(free_port()))
    try:
        yield
    finally:
        address.update(known)


def nowhere() -> str:
    """The URL of a Valkey that is not there."""
    return f"redis://127.0.0.1:{free_port()}/0"


@contextmanager
def mute_server() -> Iterator[str]:
    """The URL of a Valkey that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
