"""What goes over the wire, and whose fault a refusal is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from smpp34 import SubmitSm

from config.embedded.valkey import free_port
from delivery import loop
from delivery.providers.base import Content, ErrorKind, ProviderError, Sent
from delivery.providers.smpp import links
from delivery.providers.sms.smpp import SmppSms
from delivery.tests.contract import PATIENCE, SILENCE, ProviderContract, Signal
from delivery.tests.smsc import Answers, running_smsc, taken
from sandbox.smsc import Taken

LONG = "A long message. " * 20  # 320 septets: three parts


@pytest.fixture(autouse=True)
def _unbind() -> Iterator[None]:
    yield
    links.close()


class TestSmpp(ProviderContract):
    provider = SmppSms
    address = "+15005550010"
    bad_address = "+15005550009"

    def settings_for(self, port: int, **over: Any) -> dict[str, Any]:
        login = {"host": "127.0.0.1", "port": port, "system_id": "shop", "password": self.secret}
        return {**login, "sender": "Shop", **over}

    @contextmanager
    def vendor(self, signal: Signal) -> Iterator[dict[str, Any]]:
        if signal is Signal.AWAY:
            yield self.settings_for(free_port())
            return
        binds = [0x0E] * 100 if signal is Signal.BAD_CREDENTIALS else []
        with running_smsc(answers_by(signal, self.bad_address), binds=binds) as smsc:
            if signal is Signal.GARBLED:
                smsc.office.answers = lambda message, number: smsc.write(b"<html>sorry</html>")
            yield self.settings_for(smsc.port)

    def say(
        self, text: str, answers: Answers = taken, overrides: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[Sent | ProviderError, list[SubmitSm]]:
        """What becomes of a message, and what of it reached the SMSC."""
        message = replace(self.message(), content=Content(body=text), overrides=overrides or {})
        with running_smsc(answers) as smsc:
            provider = self.make(self.settings_for(smsc.port, **settings))
            (outcome,) = loop.run(provider.send([message]))
        return outcome, smsc.office.messages

    def test_it_submits(self) -> None:
        """SMPP 3.4, section 4.4.1"""
        outcome, (pdu,) = self.say("Grüße, 5 €")
        assert isinstance(outcome, Sent)
        assert (outcome.message_id, list(outcome.part_ids)) == ("00000001", [])
        assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == ("15005550010", 1, 1)
        assert (pdu.short_message, pdu.data_coding, pdu.esm_class) == (b"Gr~\x1ee, 5 \x1be", 0, 0)
        assert (pdu.registered_delivery, pdu.validity_period) == (1, "")

    @pytest.mark.parametrize(
        ("sender", "address", "ton", "npi"),
        [
            ("+4915112345678", "4915112345678", 1, 1),
            ("12345", "12345", 3, 0),
            ("4915112345678", "4915112345678", 0, 1),
            ("Ann's Shop", "Ann's Shop", 5, 0),
            ("", "", 0, 0),
        ],
    )
    def test_it_says_what_its_own_address_is(self, sender: str, address: str, ton: int, npi: int) -> None:
        """https://www.infobip.com/glossary/ton-npi-settings"""
        _, (pdu,) = self.say("Hi", sender=sender)
        assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == (address, ton, npi)

    @pytest.mark.parametrize(("receipts", "flag"), [("all", 1), ("failures", 2), ("none", 0)])
    def test_it_asks_for_receipts(self, receipts: str, flag: int) -> None:
        assert self.say("Hi", registered_delivery=receipts)[1][0].registered_delivery == flag

    def test_it_sends_ucs_2_where_gsm_has_no_letter(self) -> None:
        _, (pdu,) = self.say("Привет ☕")
        assert (pdu.short_message, pdu.data_coding) == ("Привет ☕".encode("utf-16-be"), 8)

    def test_it_heeds_the_overrides(self) -> None:
        _, (pdu,) = self.say("It is here", overrides={"sender": "12345"})
        assert pdu.source_addr == "12345"

    def test_it_sends_no_more_parts_than_a_header_can_number(self) -> None:
        outcome, pdus = self.say("x" * (153 * 255 + 1))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, pdus) == (ErrorKind.ADDRESS, "too_long", [])

    def test_it_names_the_deadline(self) -> None:
        """Section 7.1.1"""
        at = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        with running_smsc() as smsc:
            provider = self.make(self.settings_for(smsc.port))
            loop.run(provider.send([replace(self.message(), expires_at=at)]))
        assert smsc.office.messages[0].validity_period == "261121073000000+"

    # — parts

    def test_it_joins_parts_by_a_header(self) -> None:
        """3GPP TS 23.040, section 9.2.3.24.1"""
        outcome, pdus = self.say(LONG)
        assert isinstance(outcome, Sent)
        assert outcome.message_id == "00000001"
        assert list(outcome.part_ids) == ["00000001", "00000002", "00000003"]
        assert {pdu.esm_class for pdu in pdus} == {0x40}
        headers = [pdu.short_message[:6] for pdu in pdus]
        assert [header[:3] + header[4:] for header in headers] == [bytes([5, 0, 3, 3, n]) for n in (1, 2, 3)]
        assert len({header[3] for header in headers}) == 1
        assert b"".join(pdu.short_message[6:] for pdu in pdus).decode() == LONG

    def test_another_message_has_another_reference(self) -> None:
        first, second = (self.say(LONG)[1][0].short_message[3] for _ in range(2))
        assert first != second

    def test_it_joins_parts_by_parameters(self) -> None:
        """Section 5.3.2.22"""
        _, pdus = self.say(LONG, long_messages="sar")
        found = [{tlv.tag: int.from_bytes(tlv.value) for tlv in pdu.tlvs} for pdu in pdus]
        assert [(tlvs[0x020E], tlvs[0x020F]) for tlvs in found] == [(3, 1), (3, 2), (3, 3)]
        assert len({tlvs[0x020C] for tlvs in found}) == 1
        assert b"".join(pdu.short_message for pdu in pdus).decode() == LONG

    def test_it_sends_one_payload(self) -> None:
        """Section 5.3.2.32"""
        outcome, (pdu,) = self.say(LONG, long_messages="payload")
        assert isinstance(outcome, Sent)
        assert (list(outcome.part_ids), pdu.short_message) == ([], b"")
        assert [(tlv.tag, tlv.value.decode()) for tlv in pdu.tlvs] == [(0x0424, LONG)]

    @pytest.mark.parametrize(
        ("failing", "answer", "kind", "sent"),
        [
            (1, Taken(status=0x0B), ErrorKind.ADDRESS, 1),
            (2, Taken(status=0x08), ErrorKind.TRANSIENT, 2),
            (2, None, ErrorKind.TRANSIENT, 2),
            (3, None, ErrorKind.UNKNOWN, 3),
        ],
    )
    def test_a_message_of_which_a_part_fails_has_failed(
        self, failing: int, answer: Taken | None, kind: ErrorKind, sent: int
    ) -> None:
        """Nothing more is sent of it. Without an answer to the last part nobody knows."""
        message = replace(self.message(), content=Content(body=LONG))
        with running_smsc(lambda pdu, number: answer if number == failing else taken(pdu, number)) as smsc:
            provider = self.make(self.settings_for(smsc.port), timeout=PATIENCE if answer else SILENCE)
            (outcome,) = loop.run(provider.send([message]))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, len(smsc.office.messages)) == (kind, sent)

    def test_a_part_that_comes_too_fast_is_tried_again(self) -> None:
        outcome, pdus = self.say(LONG, lambda pdu, n: Taken(status=0x58) if n == 2 else taken(pdu, n))
        assert isinstance(outcome, Sent)
        assert [pdu.short_message[5] for pdu in pdus] == [1, 2, 2, 3]

    # — errors

    @pytest.mark.parametrize(
        ("status", "kind", "is_permanent"),
        [
            (0x0B, ErrorKind.ADDRESS, True),
            (0x01, ErrorKind.ADDRESS, False),
            (0x0A, ErrorKind.ACCOUNT, False),
            (0x50, ErrorKind.ACCOUNT, False),
            (0x14, ErrorKind.RATE_LIMITED, False),
            (0x58, ErrorKind.RATE_LIMITED, False),
            (0x08, ErrorKind.TRANSIENT, False),
            (0x45, ErrorKind.TRANSIENT, False),
            (0x0400, ErrorKind.TRANSIENT, False),
        ],
    )
    def test_it_knows_the_statuses(self, status: int, kind: ErrorKind, is_permanent: bool) -> None:
        """Section 5.1.3"""
        outcome, _ = self.say("Hi", lambda pdu, number: Taken(status=status))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, f"0x{status:08x}", is_permanent)
        assert (outcome.retry_after is not None) is (kind is ErrorKind.RATE_LIMITED)

    @pytest.mark.parametrize("status", [0x0D, 0x0E, 0x0F, 0x0400])
    def test_a_refused_bind_is_the_accounts_fault(self, status: int) -> None:
        with running_smsc(binds=[status] * 9) as smsc:
            settings = self.settings_for(smsc.port)
            (outcome,) = self.send(settings)
            assert isinstance(outcome, ProviderError)
            assert (outcome.kind, outcome.code) == (ErrorKind.ACCOUNT, f"0x{status:08x}")
            with pytest.raises(ProviderError):
                loop.run(self.make(settings).check())
        assert smsc.office.messages == []

    @pytest.mark.parametrize(
        ("address", "can"),
        [
            ("+15005550010", True),
            ("15005550010", False),
            ("12345", False),
            ("+1500555001x", False),
            ("", False),
        ],
    )
    def test_it_takes_international_numbers(self, address: str, can: bool) -> None:
        assert SmppSms.accepts(address) is can

    def test_it_refuses_a_ca_that_is_none(self) -> None:
        with pytest.raises(ValidationError, match="no certificate in PEM"):
            SmppSms.Settings(**self.settings_for(1, ca="-----BEGIN CERTIFICATE-----AAAA-----END"))


def answers_by(signal: Signal, bad_address: str) -> Answers:
    def answer(message: SubmitSm, number: int) -> Taken | None:
        match signal:
            case Signal.TOO_FAST:
                return Taken(status=0x58)
            case Signal.BROKEN:
                return Taken(status=0x08)
            case Signal.SILENT:
                return None
            case _ if f"+{message.destination_addr}" == bad_address:
                return Taken(status=0x0B)
            case _:
                return taken(message, number)

    return answer
