"""The SMSC, as an engine that is not ours sees it: `smpp34`'s own client."""

import asyncio
import itertools
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from smpp34 import Client, DeliverSmEvent, Smsc, Tlv

from sandbox.smsc import ANSWER, BIND_TRANSCEIVER, HEADER
from sandbox.testing import RunningSandbox
from sandbox.vendors.smpp import (
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    RECEIPTED_MESSAGE_ID,
    SAR_NUMBER,
    SAR_REFERENCE,
    SAR_TOTAL,
)

DEADLINE_S = 30.0
_numbers = itertools.count(1)
ANN: dict[str, Any] = {"source_addr": "Shop", "source_addr_ton": 5, "dest_addr_ton": 1, "dest_addr_npi": 1}


@pytest.fixture
def shop() -> str:
    """A system_id of the test's own: what one leaves unacknowledged comes to whoever binds by it next."""
    return f"shop-{next(_numbers)}"


@asynccontextmanager
async def bound(sandbox: RunningSandbox, system_id: str, **over: Any) -> AsyncIterator[Smsc]:
    options = {"password": "secret", "bind_type": "TRX", **over}
    client = Client("127.0.0.1", sandbox.ports["smpp"], system_id, **options)
    smsc = await client.connect()
    try:
        yield smsc
    finally:
        await smsc.unbind()
        await client.stop()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, DEADLINE_S))


async def heard(smsc: Smsc) -> DeliverSmEvent:
    event = await smsc.next()
    assert isinstance(event, DeliverSmEvent)
    return event


def test_it_works(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            answer = await smsc.submit_sm("15005550010", b"Hello \x1be", registered_delivery=1, **ANN)
            assert answer.is_success
            receipt = await heard(smsc)
        assert (receipt.esm_class, receipt.source_addr, receipt.destination_addr) == (
            4,
            "15005550010",
            "Shop",
        )
        dates = r"submit date:\d{10} done date:\d{10}"
        text = rf"id:{answer.message_id} sub:001 dlvrd:001 {dates} stat:DELIVRD err:000 text:Hello "
        assert re.match(text, receipt.short_message.decode("latin-1"))
        parameters = {tlv.tag: tlv.value for tlv in receipt.tlvs}
        assert answer.message_id is not None
        assert parameters[RECEIPTED_MESSAGE_ID] == answer.message_id.encode() + b"\0"
        assert parameters[MESSAGE_STATE] == b"\x02"

    run(work())
    [message] = sandbox.messages()
    assert (message["channel"], message["provider"], message["account"]) == ("sms", "smpp", shop)
    assert (message["to"], message["from"], message["text"]) == ("+15005550010", "Shop", "Hello €")
    assert message["data"]["num_segments"] == 1


def sar(number: int) -> list[Tlv]:
    return [
        Tlv(SAR_REFERENCE, b"\x01\x02"),
        Tlv(SAR_TOTAL, b"\x02"),
        Tlv(SAR_NUMBER, bytes([number])),
    ]


@pytest.mark.parametrize("how", ["udh", "sar"])
def test_it_joins_parts_in_whatever_order_they_come(sandbox: RunningSandbox, shop: str, how: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            for number, text in ((2, "мир"), (1, "Привет, ")):
                octets = text.encode("utf-16-be")
                fields: dict[str, Any] = {"tlvs": sar(number)}
                if how == "udh":
                    octets = bytes([5, 0, 3, 77, 2, number]) + octets
                    fields = {"esm_class": 0x40}
                assert sandbox.messages() == []
                await smsc.submit_sm("15005550010", octets, data_coding=8, **ANN, **fields)

    run(work())
    [message] = sandbox.messages()
    assert message["text"] == "Привет, мир"
    assert message["data"]["num_segments"] == len(set(message["data"]["message_ids"])) == 2


def test_it_takes_a_message_payload(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            payload = Tlv(MESSAGE_PAYLOAD, b"x" * 500)
            await smsc.submit_sm("15005550010", tlvs=[payload], **ANN)

    run(work())
    assert sandbox.messages()[0]["text"] == "x" * 500


def test_it_sends_only_receipts_that_were_asked_for(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            await smsc.submit_sm("15005550010", b"none", registered_delivery=0, **ANN)
            await smsc.submit_sm("15005550010", b"failures", registered_delivery=2, **ANN)
            sandbox.fault("smpp", receipt="failed")
            last = await smsc.submit_sm("15005550010", b"failures", registered_delivery=2, **ANN)
            receipt = await heard(smsc)
            assert f"id:{last.message_id}".encode() in receipt.short_message
            assert b"stat:UNDELIV err:001" in receipt.short_message

    run(work())


def test_receipts_wait_for_a_bind(sandbox: RunningSandbox) -> None:
    async def work() -> None:
        async with bound(sandbox, "quiet", bind_type="TX") as smsc:
            sent = await smsc.submit_sm("15005550010", b"Hi", registered_delivery=1, **ANN)
        async with bound(sandbox, "another"), bound(sandbox, "quiet", bind_type="RX") as smsc:
            assert f"id:{sent.message_id}".encode() in (await heard(smsc)).short_message

    run(work())


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 429}, 0x58),
        ({"status": 507}, 0x14),
        ({"status": 503}, 0x08),
        ({"status": 403}, 0x0A),
        ({"status": 400}, 0x45),
        ({"reject": True}, 0x0B),
    ],
)
def test_it_refuses_as_it_is_told(
    sandbox: RunningSandbox, shop: str, fault: dict[str, Any], status: int
) -> None:
    async def work() -> None:
        sandbox.fault(shop, times=1, **fault)
        async with bound(sandbox, shop) as smsc:
            assert (await smsc.submit_sm("15005550010", b"Hi", **ANN)).command_status == status
            assert (await smsc.submit_sm("15005550010", b"Hi", **ANN)).is_success

    run(work())
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize("to", ["15005550001", "15005550009", "ann"])
def test_it_knows_the_magic_numbers(sandbox: RunningSandbox, shop: str, to: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            assert (await smsc.submit_sm(to, b"Hi", **ANN)).command_status == 0x0B

    run(work())
    assert sandbox.messages() == []


def test_it_refuses_a_bind_when_told_401_or_without_a_password(sandbox: RunningSandbox) -> None:
    sandbox.fault("mallory", status=401)
    assert bind_status(sandbox, "mallory", "secret") == bind_status(sandbox, "ann", "") == 0x0E
    assert bind_status(sandbox, "ann", "secret") == 0


def bind_status(sandbox: RunningSandbox, system_id: str, password: str) -> int:
    """By hand: the client does not say how it was refused."""
    body = f"{system_id}\0{password}\0\0\x34\0\0\0".encode()
    with socket.create_connection(("127.0.0.1", sandbox.ports["smpp"]), DEADLINE_S) as line:
        line.sendall(HEADER.pack(HEADER.size + len(body), BIND_TRANSCEIVER, 0, 1) + body)
        _, command, status, sequence = HEADER.unpack(line.recv(HEADER.size))
    assert (command, sequence) == (BIND_TRANSCEIVER | ANSWER, 1)
    return int(status)


def test_it_accepts_and_never_answers(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        sandbox.fault("smpp", accept_then_timeout=True)
        async with bound(sandbox, shop) as smsc:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(smsc.submit_sm("15005550010", b"Hi", **ANN), 0.3)

    run(work())
    assert len(sandbox.messages()) == 1


def test_it_is_slow_when_told(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        sandbox.fault("smpp", latency_ms=200)
        async with bound(sandbox, shop) as smsc:
            begun = time.monotonic()
            assert (await smsc.submit_sm("15005550010", b"Hi", **ANN)).is_success
            assert time.monotonic() - begun >= 0.2

    run(work())


def test_somebody_replies(sandbox: RunningSandbox, shop: str) -> None:
    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            await asyncio.to_thread(reply, sandbox, shop, "+15005550010", "Shop", "STOP ☕")
            said = await heard(smsc)
        assert (said.source_addr, said.source_addr_ton, said.esm_class) == ("15005550010", 1, 0)
        assert said.short_message.decode("utf-16-be") == "STOP ☕"

    run(work())


def test_somebody_replies_at_length(sandbox: RunningSandbox, shop: str) -> None:
    text = "I would like to know more. " * 4

    async def work() -> None:
        async with bound(sandbox, shop) as smsc:
            await asyncio.to_thread(reply, sandbox, shop, "+15005550010", "Shop", text)
            parts = [await heard(smsc), await heard(smsc)]
        first, second = sorted(parts, key=lambda part: bytes(part.short_message[5:6]))
        assert (first.esm_class, first.short_message[:3]) == (0x40, b"\5\0\3")
        assert [part.short_message[4:6] for part in (first, second)] == [b"\2\1", b"\2\2"]
        assert first.short_message[3] == second.short_message[3]
        assert (first.short_message[6:] + second.short_message[6:]).decode("utf-16-be") == text

    run(work())


def reply(sandbox: RunningSandbox, account: str, sender: str, to: str, text: str) -> None:
    body = json.dumps({"from": sender, "to": to, "text": text}).encode()
    request = Request(f"{sandbox.http_url}/smpp/{account}/replies", body)
    with build_opener(ProxyHandler({})).open(request, timeout=DEADLINE_S) as answer:
        assert answer.status == 202
