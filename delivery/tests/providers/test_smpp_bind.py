"""The bind that stays: made again when it is lost, watched, slowed down, left behind by a fork, closed."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from config.embedded.valkey import free_port
from delivery import loop
from delivery.providers.base import (
    AccountGone,
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptStatus,
    Report,
    Sent,
)
from delivery.providers.smpp import bind, link, links
from delivery.providers.smpp.window import Window
from delivery.providers.sms.smpp import SmppSms
from delivery.tests.certificates import Authority
from delivery.tests.contract import PATIENCE
from delivery.tests.smsc import DEADLINE_S, RunningSmsc, running_smsc, taken
from sandbox.smsc import Taken

RECEIPT = b"id:%b sub:001 dlvrd:001 submit date:2611210700 done date:2611210701 stat:DELIVRD err:000 text:Hi"


@pytest.fixture(autouse=True)
def _unbind() -> Iterator[None]:
    yield
    links.close()


class Heard:
    """A report that keeps what it is told, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.items: list[ParsedReceipt | Inbound] = []
        self.failures = failures
        self.is_gone = False

    def __call__(self, told: Sequence[ParsedReceipt | Inbound]) -> None:
        if self.is_gone:
            raise AccountGone
        if told and self.failures:
            self.failures -= 1
            raise ConnectionError("PostgreSQL is away")
        self.items.extend(told)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)


def provider(port: int, report: Report | None = None, timeout: float = PATIENCE, **over: Any) -> SmppSms:
    login = {"host": "127.0.0.1", "port": port, "system_id": "shop", "password": "open-sesame"}
    settings = SmppSms.Settings(**{**login, "sender": "Shop", **over})
    return SmppSms(settings, account="account-1", report=report, timeout=timeout)


def send(made: SmppSms, number: int = 1) -> list[Sent | ProviderError]:
    ids = [uuid4() for _ in range(number)]
    return loop.run(made.send([Message(id, f"{id}.1", "+15005550010", Content(body="Hi")) for id in ids]))


def sent(made: SmppSms, number: int = 1) -> list[str]:
    outcomes = send(made, number)
    assert all(isinstance(outcome, Sent) for outcome in outcomes), outcomes
    return [outcome.message_id for outcome in outcomes if isinstance(outcome, Sent)]


def test_it_works() -> None:
    """One bind for all chunks, and leave taken at the end."""
    with running_smsc() as smsc:
        for _ in range(3):
            sent(provider(smsc.port), 5)
        assert smsc.office.logins == ["shop"]
        links.close()
        until(lambda: not smsc.smsc.connections)


def test_it_makes_the_bind_anew_and_loses_nothing() -> None:
    """An SMSC that is killed comes back on its port; receipts that waited arrive without a message sent."""
    heard, port = Heard(), free_port()
    with running_smsc(port=port):
        sent(provider(port, heard))
    with running_smsc(port=port) as smsc:
        smsc.deliver("shop", "15005550010", "Shop", RECEIPT % b"7", esm_class=4)
        until(lambda: bool(heard.items))
        assert smsc.office.logins == ["shop"]
        sent(provider(port, heard), 5)


def test_a_chunk_waits_for_the_bind_to_come_back() -> None:
    port = free_port()
    with running_smsc(port=port):
        sent(provider(port))
    (used,) = links.here()._links["account-1"][1]._binds
    until(lambda: used._session is None)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(send, provider(port))
        with running_smsc(port=port):
            (outcome,) = waiting.result(DEADLINE_S)
        other.submit(loop.close)
    assert isinstance(outcome, Sent)


def test_a_line_that_breaks_before_the_answer_leaves_it_unknown() -> None:
    with running_smsc(lambda message, number: None) as smsc, ThreadPoolExecutor(1) as other:
        waiting = other.submit(send, provider(smsc.port))
        until(lambda: bool(smsc.office.messages))
        smsc.drop_all()
        (outcome,) = waiting.result(DEADLINE_S)
        other.submit(loop.close)
    assert isinstance(outcome, ProviderError)
    assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "connection_lost")


def test_the_pauses_grow_and_differ() -> None:
    pauses = [bind._pause(tries) for tries in range(20)]
    assert pauses[0] <= 0.25 <= pauses[3]
    assert max(pauses) <= 30
    assert len({bind._pause(3) for _ in range(10)}) > 1


def test_it_leaves_an_smsc_that_is_silent() -> None:
    with running_smsc() as smsc:
        made = provider(smsc.port, timeout=1, enquire_link=1)
        sent(made)
        smsc.fall_silent()
        until(lambda: smsc.office.logins == ["shop", "shop"])
        sent(made)


def test_it_answers_an_smsc_that_asks() -> None:
    with running_smsc(enquire_link_s=0.02) as smsc:
        sent(provider(smsc.port))
        (connection,) = smsc.smsc.connections
        until(lambda: connection.enquiries > 5)
        assert smsc.office.logins == ["shop"]


@pytest.mark.parametrize(
    ("mode", "hears"), [("transceiver", True), ("separate", True), ("transmitter", False)]
)
def test_it_binds_as_it_is_told(mode: str, hears: bool) -> None:
    heard = Heard()
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard, bind=mode))
        until(lambda: len(smsc.smsc.connections) == (2 if mode == "separate" else 1))
        smsc.deliver("shop", "15005550010", "Shop", RECEIPT % b"7", esm_class=4)
        if hears:
            until(lambda: bool(heard.items))
        else:
            assert list(smsc.smsc.subscriber("shop").receivers) == []


# — TLS


def test_it_speaks_tls_to_an_smsc_whose_ca_it_was_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pem = authority.file.read_text()
    with running_smsc(tls=authority.server_context("127.0.0.1")) as smsc:
        sent(provider(smsc.port, security="tls", ca=pem))
        sent(provider(smsc.port, security="tls", ca=pem.replace("\n", " ")))
        loop.run(provider(smsc.port, security="tls", ca=pem).check())


@pytest.mark.parametrize("trusts", [True, False])
def test_it_trusts_no_certificate_of_a_stranger(tmp_path: Path, trusts: bool) -> None:
    authority = Authority(tmp_path)
    pem, address = (authority.file.read_text(), "192.0.2.1") if trusts else ("", "127.0.0.1")
    with running_smsc(tls=authority.server_context(address)) as smsc:
        (outcome,) = send(provider(smsc.port, security="tls", ca=pem))
        assert smsc.office.logins == []
    assert isinstance(outcome, ProviderError)
    assert (outcome.kind, outcome.code) == (ErrorKind.ACCOUNT, "certificate")


# — how fast


def test_no_more_wait_for_answers_than_the_window_says() -> None:
    most, now = [0], [0]

    async def slow(message: object, number: int) -> Taken:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.005)
        now[0] -= 1
        return Taken(f"{number}")

    with running_smsc() as smsc:
        smsc.office.slowly = slow
        sent(provider(smsc.port, window=7), 60)
    assert most == [7]


def test_the_window_slows_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery.providers.smpp.window.PAUSE", 0.01)

    async def work() -> None:
        window = Window(8)
        window.too_fast()
        window.too_fast()
        assert window.width == 4
        begun = time.monotonic()
        await window.enter()
        assert time.monotonic() - begun >= 0.009
        for _ in range(100):
            window.answered()
        assert window.width == 8

    asyncio.run(work())


def test_who_gives_up_waiting_takes_no_place() -> None:
    async def work() -> None:
        window = Window(1)
        await window.enter()
        waiting = [asyncio.create_task(window.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        window.leave()
        await asyncio.wait_for(waiting[1], PATIENCE)

    asyncio.run(work())


def test_what_came_too_fast_waits_and_the_rest_goes_on() -> None:
    with running_smsc(lambda pdu, n: Taken(status=0x58) if n <= 2 else taken(pdu, n)) as smsc:
        outcomes = send(provider(smsc.port, window=2), 6)
    assert [getattr(outcome, "kind", "sent") for outcome in outcomes] == [ErrorKind.RATE_LIMITED] * 2 + [
        "sent"
    ] * 4


# — what comes in


def test_a_receipt_is_acknowledged_when_it_is_kept() -> None:
    """Until then it stays with the SMSC."""
    heard = Heard(failures=2)
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        for number in range(50):
            smsc.deliver("shop", "15005550010", "Shop", RECEIPT % (b"%d" % number), esm_class=4)
        until(lambda: len(heard.items) == 50)
        until(lambda: smsc.is_quiet("shop"))
    receipts = [item for item in heard.items if isinstance(item, ParsedReceipt)]
    assert {receipt.message_id for receipt in receipts} == {str(number) for number in range(50)}
    assert {receipt.status for receipt in receipts} == {ReceiptStatus.DELIVERED}


def test_a_receipt_brings_the_reference_back() -> None:
    heard = Heard()
    with running_smsc() as smsc:
        id = uuid4()
        message = Message(id, f"{id}.1", "+15005550010", Content(body="Hi"))
        (outcome,) = loop.run(provider(smsc.port, heard).send([message]))
        assert isinstance(outcome, Sent)
        smsc.deliver("shop", "15005550010", "Shop", RECEIPT % outcome.message_id.encode(), esm_class=4)
        until(lambda: bool(heard.items))
    (receipt,) = heard.items
    assert isinstance(receipt, ParsedReceipt)
    assert receipt.reference == f"{id}.1"


def test_it_brings_the_reference_of_an_answer_that_came_too_late() -> None:
    heard, is_late = Heard(), threading.Event()

    async def late(message: object, number: int) -> Taken:
        await asyncio.to_thread(is_late.wait, DEADLINE_S)
        return Taken("LATE")

    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        smsc.office.slowly = late
        (outcome,) = send(provider(smsc.port, heard, timeout=0.3))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "timeout")
        is_late.set()
        until(lambda: smsc.office.answered == 2)
        smsc.deliver("shop", "15005550010", "Shop", RECEIPT % b"LATE", esm_class=4)
        until(lambda: bool(heard.items))
    (receipt,) = heard.items
    assert isinstance(receipt, ParsedReceipt)
    assert receipt.reference.endswith(".1")


def test_what_cannot_be_read_does_not_come_again() -> None:
    heard = Heard()
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        smsc.deliver_octets("shop", b"\xff" * 30)
        smsc.deliver("shop", "15005550010", "Shop", b"no id", esm_class=4)
        smsc.deliver("shop", "15005550010", "Shop", b"Yes", source_addr_ton=1)
        until(lambda: bool(heard.items) and smsc.is_quiet("shop"))
    (reply,) = heard.items
    assert isinstance(reply, Inbound)
    assert (reply.sender, reply.to, reply.text) == ("+15005550010", "Shop", "Yes")


def deliver_parts(smsc: RunningSmsc, *numbers: int) -> None:
    """Of a message of three."""
    for number in numbers:
        octets = bytes([5, 0, 3, 7, 3, number]) + (b"Call ", b"me ", b"back.")[number - 1]
        smsc.deliver("shop", "15005550010", "Shop", octets, esm_class=0x40, source_addr_ton=1)


def replies(heard: Heard) -> list[str]:
    """As they are kept: what is told again, under the same id, is kept once."""
    return list({item.event_id: item.text for item in heard.items if isinstance(item, Inbound)}.values())


def test_a_long_reply_is_one() -> None:
    heard = Heard(failures=2)
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        deliver_parts(smsc, 2, 1, 1, 3)
        until(lambda: bool(heard.items))
        deliver_parts(smsc, 3)
        smsc.deliver("shop", "15005550010", "Shop", b"Thanks", source_addr_ton=1)
        until(lambda: "Thanks" in replies(heard))
    assert replies(heard) == ["Call me back.", "Thanks"]


def test_of_a_long_reply_that_stays_incomplete_there_is_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.02)
    monkeypatch.setattr("delivery.providers.smpp.joining.PATIENCE", 0.05)
    heard = Heard(failures=2)
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        deliver_parts(smsc, 1, 3)
        until(lambda: bool(heard.items))
    assert replies(heard) == ["Call […]back."]


def test_an_end_loses_nothing_that_came() -> None:
    heard = Heard()
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        deliver_parts(smsc, 1, 2)
        smsc.deliver("shop", "15005550010", "Shop", b"Hello?", source_addr_ton=1)
        until(lambda: bool(heard.items))
        links.close()
    assert replies(heard) == ["Hello?", "Call me […]"]


# — whose it is


def test_other_settings_make_another_bind() -> None:
    with running_smsc() as smsc:
        sent(provider(smsc.port))
        sent(provider(smsc.port, system_type="VMA"))
        until(lambda: len(smsc.smsc.connections) == 1)
        assert smsc.office.logins == ["shop", "shop"]


def test_an_account_that_is_gone_is_not_bound_again() -> None:
    heard = Heard()
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        heard.is_gone = True
        smsc.drop_all()
        until(lambda: not smsc.smsc.connections)
        until(lambda: all(link.is_gone for _, link in links.here()._links.values()))
        assert smsc.office.logins == ["shop"]


def test_an_account_that_is_gone_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LOOK_EVERY", 0.02)
    heard = Heard()
    with running_smsc() as smsc:
        sent(provider(smsc.port, heard))
        heard.is_gone = True
        until(lambda: not smsc.smsc.connections)


def test_a_forked_child_has_no_bind() -> None:
    """Its own messages go by its own bind, and its end does not end ours."""
    with running_smsc() as smsc:
        sent(provider(smsc.port))
        child = os.fork()
        if child == 0:
            os._exit(0 if links._links is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sent(provider(smsc.port))
        assert smsc.office.logins == ["shop"]
