"""Who is at the live feed: told by web processes to Valkey, asked there, and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from notifications.realtime.frames import Address
from notifications.realtime.presence import LIFETIME, Roll, processes
from notifications.tests.web import DEADLINE
from preferences import presence
from preferences.rules.presence import AWAY, UNKNOWN
from tenants.tests.outages import nowhere

TENANT, OTHER = uuid4(), uuid4()


def address(name: str, tenant: UUID = TENANT) -> bytes:
    return Address(tenant, "user", name).key()


def sockets(*names: str, tenant: UUID = TENANT) -> list[int]:
    known = presence.of(tenant, [("user", name) for name in names])
    return [known["user", name].sockets for name in names]


@pytest.fixture
def valkey() -> redis.Redis:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    return client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


def test_it_works(valkey: redis.Redis) -> None:
    async def story() -> None:
        here, there = Roll(), Roll()
        here.note(address("ann"), 1)
        await until(lambda: sockets("ann", "bob") == [1, 0])
        first = presence.of(TENANT, [("user", "ann")])["user", "ann"].since
        here.note(address("ann"), 2)
        there.note(address("ann"), 1)
        there.note(address("bob"), 1)
        await until(lambda: sockets("ann", "bob") == [3, 1])
        assert presence.of(TENANT, [("user", "ann")])["user", "ann"].since == first
        for roll in (here, there):
            roll.note(address("ann"), 0)
        await until(lambda: sockets("ann", "bob") == [0, 1])

    asyncio.run(story())
    (away, seen), (never, unseen) = (presence.sighting(TENANT, ("user", name)) for name in ("ann", "eve"))
    assert away == never == AWAY
    assert seen is not None
    assert unseen is None
    assert presence.of(uuid4(), []) == {}


def test_a_tenant_knows_nothing_of_anothers(valkey: redis.Redis) -> None:
    async def story() -> None:
        roll = Roll()
        roll.note(address("ann"), 1)
        roll.note(address("ann", OTHER), 2)
        await until(lambda: sockets("ann") == [1] and sockets("ann", tenant=OTHER) == [2])

    asyncio.run(story())
    keys = valkey.keys("carillon:presence:*")
    assert all(f"{{{TENANT}}}".encode() in key or f"{{{OTHER}}}".encode() in key for key in keys)
    said = [valkey.hgetall(key) for key in keys if valkey.type(key) == b"hash"]
    assert b"ann" not in repr((keys, said)).encode()


def test_what_was_lost_is_told_again(valkey: redis.Redis) -> None:
    async def story() -> None:
        roll = Roll(heartbeat=0.1)
        many = [f"p{n}" for n in range(2_500)]
        for name in many:
            roll.note(address(name), 1)
        await until(lambda: sum(sockets(*many)) == 2_500)
        await asyncio.to_thread(valkey.flushall)
        valkey.client_kill_filter(_type="normal", skipme=True)
        roll.note(address("ann"), 1)  # what changed is not taken for all there is
        await until(lambda: sum(sockets(*many, "ann")) == 2_501)
        (key,) = (key for key in valkey.keys("carillon:presence:*:*") if b":seen:" not in key)
        before: Any = valkey.dump(key)
        roll.note(address("ann"), 0)
        await until(lambda: sockets("ann") == [0])
        await asyncio.to_thread(valkey.restore, key, LIFETIME * 1_000, before, replace=True)
        await until(lambda: sockets("ann") == [0] and sum(sockets(*many)) == 2_500)

    asyncio.run(story())


def test_a_chunk_costs_one_round_trip(valkey: redis.Redis) -> None:
    async def story() -> None:
        rolls = [Roll() for _ in range(3)]
        for roll in rolls:
            for n in range(200):
                roll.note(address(f"p{n}"), 1)
        await until(lambda: sockets(*(f"p{n}" for n in range(200))) == [3] * 200)

    asyncio.run(story())
    names = [f"p{n}" for n in range(200)]
    before = asked(valkey)
    assert sockets(*names) == [3] * 200
    assert asked(valkey) - before == 1


def asked(valkey: redis.Redis) -> int:
    """How many scripts the server has run, which are all that asking sends."""
    return int(valkey.info("commandstats")["cmdstat_eval"]["calls"])


def test_nobody_is_known_to_be_online_while_valkey_is_away(settings: Settings) -> None:
    settings.REDIS_URL = nowhere()
    asyncio.run(told_in_vain())
    assert presence.sighting(TENANT, ("user", "ann")) == (UNKNOWN, None)


async def told_in_vain() -> None:
    roll = Roll(heartbeat=0.01)
    roll.note(address("ann"), 1)
    await asyncio.sleep(0.1)


def test_it_costs_an_online_recipient_little(valkey: redis.Redis) -> None:
    """However long its id is."""
    many = 10_000

    async def story() -> None:
        roll = Roll(heartbeat=0.1)
        for n in range(many):
            roll.note(address(f"{n:0>200}"), 1)
        await until(lambda: sum(processes(valkey, now=timezone.now()).values()) == many)
        assert sockets(f"{many - 1:0>200}") == [1]

    asyncio.run(story())
    held = sum(valkey.memory_usage(key, samples=0) or 0 for key in valkey.keys("carillon:presence:*"))
    print(
        "BYTES",
        held / many,
        {k[:70]: valkey.memory_usage(k, samples=0) for k in valkey.keys("carillon:presence:*")},
    )
    assert held / many < 200  # bytes, what is kept of when they were last seen included
