"""What the live feed is held against: two ASGI applications under the same server.

`hub`: one subscriber, one message a chunk, each frame sent to its socket, and nothing else. `groups`: the way
of Channels' documentation, a group a user and a message each. Neither asks anybody who they are.
https://channels.readthedocs.io/en/stable/topics/channel_layers.html#groups
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

import redis.asyncio as redis  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import channel_layers  # noqa: E402
from django.conf import settings  # noqa: E402

from config.limits import raise_open_files  # noqa: E402
from notifications.realtime.frames import encode, unpack  # noqa: E402

CHANNEL = "bench:feed"
_GREETING = encode("connected", {}).decode()

raise_open_files()


def has_channel_layer() -> bool:
    return find_spec("channels_redis") is not None


@cache
def layer() -> Any:
    pubsub: Any = import_module("channels_redis.pubsub")  # for development only
    return pubsub.RedisPubSubChannelLayer(hosts=[settings.REDIS_URL])


def group(external_id: str) -> str:
    return f"user.{external_id}"


def _user(scope: Any) -> str:
    return str(scope["query_string"].decode())


class Hub:
    def __init__(self) -> None:
        self._sends: dict[str, list[Any]] = defaultdict(list)
        self._subscriber: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._subscriber is None:
            self._subscriber = asyncio.create_task(self._listen())
        await receive()
        await send({"type": "websocket.accept"})
        self._sends[_user(scope)].append(send)
        await send({"type": "websocket.send", "text": _GREETING})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._sends[_user(scope)].remove(send)

    async def _listen(self) -> None:
        async with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    for key, frames in unpack(message["data"]):
                        for send in self._sends[key.rpartition(b',"')[2][:-2].decode()]:
                            for frame in frames:
                                await send({"type": "websocket.send", "text": frame.decode()})


class GroupConsumer(AsyncWebsocketConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.groups = [group(_user(scope))]
        await super().__call__(scope, receive, send)

    async def connect(self) -> None:
        await self.accept()
        await self.send(_GREETING)

    async def feed_push(self, event: Any) -> None:
        await self.send(event["text"])


def groups() -> Any:
    """A factory: the layer is this process's only layer from then on."""
    channel_layers.set("default", layer())
    return GroupConsumer.as_asgi()


hub = Hub()
