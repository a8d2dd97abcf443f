"""Kombu's Redis transport, but that a worker outlives its broker's restarts."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis as kombu
from redis.exceptions import ConnectionError as BrokerGoneError


class Channel(kombu.Channel):
    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Say of a connection that was given up that it is lost.

        What was taken before the broker went away is acknowledged, or put back, by the channel that it came
        through. Kombu 5.7.0 then asks a connection that is no more for its address: an AttributeError, which
        ends the worker. A lost connection is what Celery expects there.
        """
        transport: Any = self.connection
        if transport is None or transport.client is None:
            raise BrokerGoneError("the connection of this channel was given up")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class Transport(kombu.Transport):
    Channel = Channel
