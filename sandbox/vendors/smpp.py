"""A mobile operator's SMSC, SMPP 3.4, with receipts by text and by optional parameters.

https://smpp.org/SMPP_v3_4_Issue1_2.pdf: statuses section 5.1.3, receipts Appendix B.
"""

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import gsm0338  # noqa: F401 - registers the codec
import orjson
from aiohttp import web
from smpp34 import DeliverSm, SubmitSm, Tlv

from sandbox import magic, smsc
from sandbox.faults import Fault
from sandbox.smsc import Smsc, Taken
from sandbox.store import Content, Message
from sandbox.vendor import Counter, Vendor

INVALID_PASSWORD, INVALID_DESTINATION, QUEUE_FULL, SUBMIT_FAILED, THROTTLED = 0x0E, 0x0B, 0x14, 0x45, 0x58
REFUSALS = {401: 0x0E, 403: 0x0A, 429: THROTTLED, 507: QUEUE_FULL}
UDH, RECEIPT = 0x40, 0x04
INTERNATIONAL = 1
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
RECEIPTED_MESSAGE_ID, MESSAGE_PAYLOAD, MESSAGE_STATE = 0x001E, 0x0424, 0x0427
STATES = {"DELIVRD": b"\x02", "UNDELIV": b"\x05"}
MOST_UNFINISHED = 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """A submit_sm, read: which part of what it is, and its octets without their header."""

    message_id: str
    reference: int
    total: int
    number: int
    octets: bytes
    coding: int


@dataclass(slots=True)
class Unfinished:
    """A message whose parts are not all here."""

    parts: dict[int, Part] = field(default_factory=dict)


class SmppVendor(Vendor):
    """Any password will do but an empty one. A fault's account name is the system_id; it strikes a submit_sm.

    A message is in the inbox when all its parts are here, as on a phone.
    """

    name = "smpp"
    channel = "sms"
    default_port = 2775

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._smsc = Smsc(self)
        self._unfinished: dict[tuple[str, str, int, int], Unfinished] = {}
        self._ids = itertools.count(time.time_ns() // 1_000_000)

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post("/smpp/{account}/replies", self._reply),)

    async def listen(self, host: str, port: int) -> int:
        return await self._smsc.listen(host, port)

    async def close(self) -> None:
        await self._smsc.close()

    def authenticate(self, system_id: str, password: str) -> int:
        if not (system_id and password):
            return INVALID_PASSWORD
        if self.faults.find(system_id, self.name).failure_status == 401:
            return REFUSALS[401] if self.faults.take(system_id, self.name).failure_status == 401 else smsc.OK
        return smsc.OK

    async def submit(self, system_id: str, message: SubmitSm) -> Taken | None:
        fault = self.faults.take(system_id, self.name)
        status = refusal(fault, phone_number(message))
        taken = Taken(status=status) if status else self._keep(system_id, message, fault)
        if fault.latency_ms:
            await asyncio.sleep(fault.latency_ms / 1000)
        return None if fault.accept_then_timeout and not status else taken

    def _keep(self, system_id: str, message: SubmitSm, fault: Fault) -> Taken:
        part = read(message, f"{next(self._ids):X}")
        parts = self._joined(system_id, message, part)
        if parts is not None:
            self.store.add(inbox_message(system_id, message, parts))
        wanted = message.registered_delivery & 3
        if fault.receipt != "none" and (wanted == 1 or (wanted == 2 and fault.receipt == "failed")):
            late = fault.receipt_delay_ms / 1000
            asyncio.get_running_loop().call_later(late, self._tell, system_id, message, part, fault)
        return Taken(part.message_id)

    def _joined(self, system_id: str, message: SubmitSm, part: Part) -> list[Part] | None:
        """All parts of the message, if this was the last that was missing."""
        if part.total == 1:
            return [part]
        key = (system_id, message.destination_addr, part.reference, part.total)
        unfinished = self._unfinished.setdefault(key, Unfinished())
        unfinished.parts[part.number] = part
        if len(unfinished.parts) == part.total:
            return [found for _, found in sorted(self._unfinished.pop(key).parts.items())]
        if len(self._unfinished) > MOST_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
        return None

    def _tell(self, system_id: str, message: SubmitSm, part: Part, fault: Fault) -> None:
        state = "UNDELIV" if fault.receipt == "failed" else "DELIVRD"
        for _ in range(1 + fault.duplicate_receipts):
            self._smsc.deliver(system_id, receipt(message, part, state))

    async def _reply(self, request: web.Request) -> web.Response:
        """`{"from", "to", "text"}`: somebody writes to us, in parts where it is long."""
        told = orjson.loads(await request.read())
        for reply in replies(told["from"], told["to"], told["text"], next(self._ids) % 256):
            self._smsc.deliver(request.match_info["account"], reply)
        return web.Response(status=202)


def replies(sender: str, to: str, text: str, reference: int) -> list[DeliverSm]:
    """As phones write them, joined by a header of 3GPP TS 23.040, section 9.2.3.24.1, in UTF-16."""
    octets = text.encode("utf-16-be")
    size = 140 if len(octets) <= 140 else 134
    parts = [octets[start : start + size] for start in range(0, len(octets), size)] or [b""]
    headers = [bytes([5, 0, 3, reference, len(parts), number]) for number in range(1, len(parts) + 1)]
    is_joined = len(parts) > 1
    return [
        DeliverSm(
            sender.removeprefix("+"),
            to.removeprefix("+"),
            header * is_joined + part,
            source_addr_ton=INTERNATIONAL,
            source_addr_npi=1,
            esm_class=UDH * is_joined,
            data_coding=8,
        )
        for header, part in zip(headers, parts, strict=True)
    ]


def refusal(fault: Fault, to: str) -> int:
    """The status to refuse with, or 0."""
    status = fault.failure_status
    if status is not None:
        return REFUSALS.get(status, smsc.SYSTEM_ERROR if status >= 500 else SUBMIT_FAILED)
    doomed = magic.phone_fate(to) in (magic.Fate.INVALID, magic.Fate.INCAPABLE)
    return INVALID_DESTINATION if fault.reject or doomed or not to.strip("+").isdecimal() else 0


def phone_number(message: SubmitSm) -> str:
    return ("+" if message.dest_addr_ton == INTERNATIONAL else "") + message.destination_addr


def read(message: SubmitSm, message_id: str) -> Part:
    parameters = {parameter.tag: parameter.value for parameter in message.tlvs}
    octets = message.short_message or parameters.get(MESSAGE_PAYLOAD, b"")
    reference, total, number = 0, 1, 1
    if message.esm_class & UDH and octets[1:3] == b"\x00\x03":
        reference, total, number = octets[3:6]
        octets = octets[1 + octets[0] :]
    elif SAR_TOTAL in parameters:
        reference, total, number = (
            int.from_bytes(parameters[tag]) for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)
        )
    return Part(message_id, reference, total, number, octets, message.data_coding)


def inbox_message(system_id: str, message: SubmitSm, parts: list[Part]) -> Message:
    return Message(
        channel=SmppVendor.channel,
        provider=SmppVendor.name,
        account=system_id,
        to=phone_number(message),
        sender=message.source_addr,
        size=sum(len(part.octets) for part in parts),
        parse=partial(content, message, parts),
    )


def content(message: SubmitSm, parts: list[Part]) -> Content:
    octets = b"".join(part.octets for part in parts)
    alphabet = "utf-16-be" if message.data_coding == 8 else "gsm03.38"
    data: dict[str, Any] = {
        "message_ids": [part.message_id for part in parts],
        "num_segments": len(parts),
        "data_coding": message.data_coding,
        "source": {"ton": message.source_addr_ton, "npi": message.source_addr_npi},
        "validity_period": message.validity_period,
        "registered_delivery": message.registered_delivery,
    }
    return Content(raw=octets.hex(), text=octets.decode(alphabet, "replace"), data=data)


def receipt(message: SubmitSm, part: Part, state: str) -> DeliverSm:
    """Appendix B, and the optional parameters that say the same."""
    at = datetime.now(UTC).strftime("%y%m%d%H%M")
    done, error = ("001", "000") if state == "DELIVRD" else ("000", "001")
    dates = f"submit date:{at} done date:{at}"
    text = f"id:{part.message_id} sub:001 dlvrd:{done} {dates} stat:{state} err:{error} text:"
    return DeliverSm(
        message.destination_addr,
        message.source_addr,
        text.encode() + part.octets[:20],
        source_addr_ton=message.dest_addr_ton,
        source_addr_npi=message.dest_addr_npi,
        dest_addr_ton=message.source_addr_ton,
        dest_addr_npi=message.source_addr_npi,
        esm_class=RECEIPT,
        tlvs=[
            Tlv(RECEIPTED_MESSAGE_ID, part.message_id.encode() + b"\0"),
            Tlv(MESSAGE_STATE, STATES[state]),
        ],
    )
