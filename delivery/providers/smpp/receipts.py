"""What an SMSC delivers to us: receipts in their two formats, and what people write.

A receipt is a deliver_sm whose esm_class says so (SMPP 3.4, section 5.2.12). What it says stands in optional
parameters (5.3.2.12, 5.3.2.35), in a text that Appendix B describes and vendors vary, or in both.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from delivery.providers.base import ErrorKind, Inbound, ParsedReceipt, ProviderError, ReceiptStatus
from delivery.providers.smpp.joining import Part, part_of
from delivery.providers.smpp.texts import said, source_of, text_of, without_header

if TYPE_CHECKING:
    from smpp34 import DeliverSm

_KIND = 0b0011_1100
_ORDINARY = 0
_RECEIPTS = {0x04, 0x20}  # final, intermediate; the others are acknowledgements by a phone's owner
_RECEIPTED_MESSAGE_ID, _MESSAGE_STATE = 0x001E, 0x0427

_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
"""Section 5.2.28, by the names of Appendix B."""
_STATUSES = {
    "ENROUTE": ReceiptStatus.SENT,
    "ACCEPTD": ReceiptStatus.SENT,
    "DELIVRD": ReceiptStatus.DELIVERED,
    "EXPIRED": ReceiptStatus.FAILED,
    "DELETED": ReceiptStatus.FAILED,
    "UNDELIV": ReceiptStatus.FAILED,
    "REJECTD": ReceiptStatus.FAILED,
    # as some vendors spell them out
    "DELIVERED": ReceiptStatus.DELIVERED,
    "UNDELIVERABLE": ReceiptStatus.FAILED,
    "REJECTED": ReceiptStatus.FAILED,
    "FAILED": ReceiptStatus.FAILED,
}
_MESSAGE = re.compile(rb"\btext:", re.IGNORECASE)
_FIELDS = re.compile(rb"\b(id|stat|err|done ?date): ?([^\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IdFormat:
    """The bases that an SMSC writes its message ids in, or 0 where they are mere text."""

    answers: int
    texts: int

    def of_answer(self, id: str) -> str:
        """As a submit_sm_resp has it, and a receipt's optional parameter."""
        return _canonical(id, self.answers)

    def of_text(self, id: str) -> str:
        return _canonical(id, self.texts)


ID_FORMATS: Mapping[str, IdFormat] = {
    "same": IdFormat(0, 0),
    "hex_in_answers": IdFormat(16, 10),
    "hex_in_receipts": IdFormat(10, 16),
}


def _canonical(id: str, base: int) -> str:
    try:
        return str(int(id, base)) if base else id
    except ValueError:
        return id


def read(pdu: DeliverSm, ids: IdFormat) -> ParsedReceipt | Inbound | Part | None:
    """What a deliver_sm means to us; None for what means nothing."""
    kind = pdu.esm_class & _KIND
    if kind in _RECEIPTS:
        return _receipt(pdu, ids)
    return part_of(pdu) or _inbound(pdu) if kind == _ORDINARY else None


def _receipt(pdu: DeliverSm, ids: IdFormat) -> ParsedReceipt | None:
    parameters, text = _parameters(pdu), _text(pdu)
    message_id = ids.of_text(text.get("id", ""))
    if told := parameters.get(_RECEIPTED_MESSAGE_ID):
        message_id = ids.of_answer(told.rstrip(b"\0").decode("latin-1"))
    state = text.get("stat", "").upper()
    if told := parameters.get(_MESSAGE_STATE):
        state = _STATES.get(told[-1], state)
    if not message_id:
        return None
    status = _STATUSES.get(state, ReceiptStatus.UNKNOWN)
    event = ".".join((message_id, state, text.get("donedate", "")))
    error = _error(state, text.get("err", "")) if status is ReceiptStatus.FAILED else None
    return ParsedReceipt(event, message_id, status, dt.datetime.now(dt.UTC), error)


def _error(state: str, code: str) -> ProviderError:
    """The network could not, or would not. What its `err` means is up to each SMSC."""
    return ProviderError(
        ErrorKind.ADDRESS, f"the SMSC says {state}", code=f"{state}:{code}" if code else state
    )


def _text(pdu: DeliverSm) -> dict[str, str]:
    """The fields of the text, the first of each name: the message's own beginning comes last, in `text:`."""
    fields: dict[str, str] = {}
    for name, value in _FIELDS.findall(_MESSAGE.split(said(pdu), 1)[0]):
        fields.setdefault(name.decode().lower().replace(" ", ""), value.decode("latin-1"))
    return fields


def _inbound(pdu: DeliverSm) -> Inbound:
    """Somebody wrote. An SMSC gives that no id: one delivered twice counts twice, for none may be lost."""
    text = text_of(without_header(pdu), pdu.data_coding)
    return Inbound(str(uuid4()), source_of(pdu), pdu.destination_addr, text, dt.datetime.now(dt.UTC))


def _parameters(pdu: DeliverSm) -> dict[int, bytes]:
    return {parameter.tag: parameter.value for parameter in pdu.tlvs}
