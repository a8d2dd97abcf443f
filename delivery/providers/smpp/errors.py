"""Whose fault a refusal is: `command_status`, SMPP 3.4, section 5.1.3."""

from __future__ import annotations

import ssl

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.smpp.window import PAUSE

_ACCOUNT = {
    0x04: "ESME_RINVBNDSTS",  # this bind may not send
    0x06: "ESME_RINVPRTFLG",
    0x07: "ESME_RINVREGDLVFLG",
    0x0A: "ESME_RINVSRCADR",
    0x0D: "ESME_RBINDFAIL",
    0x0E: "ESME_RINVPASWD",
    0x0F: "ESME_RINVSYSID",
    0x15: "ESME_RINVSERTYP",
    0x43: "ESME_RINVESMCLASS",  # it takes no UDH: another way to join parts
    0x48: "ESME_RINVSRCTON",
    0x49: "ESME_RINVSRCNPI",
    0x50: "ESME_RINVDSTTON",  # every recipient is international, E.164: one refused is all refused
    0x51: "ESME_RINVDSTNPI",
    0x53: "ESME_RINVSYSTYP",
    0x61: "ESME_RINVSCHED",
    0x62: "ESME_RINVEXPIRY",
    0xC1: "ESME_ROPTPARNOTALLWD",  # it takes no sar_* or message_payload
}
_ADDRESS = {0x01: "ESME_RINVMSGLEN"}
_NEVER = {0x0B: "ESME_RINVDSTADR"}
_TOO_FAST = {0x14: "ESME_RMSGQFUL", 0x58: "ESME_RTHROTTLED"}
_PASSING = {
    0x05: "ESME_RALYBND",  # an earlier bind of ours that the SMSC has not noticed is gone
    0x08: "ESME_RSYSERR",
    0x45: "ESME_RSUBMITFAIL",
    0x64: "ESME_RX_T_APPN",
    0xFE: "ESME_RDELIVERYFAILURE",
    0xFF: "ESME_RUNKNOWNERR",
}


def is_too_fast(status: int) -> bool:
    return status in _TOO_FAST


def refused(status: int, others: ErrorKind = ErrorKind.TRANSIENT) -> ProviderError:
    """What a request that was answered by `status` came to: nothing was taken.

    `others` is for the statuses that vendors add, which say anything from spam to an empty purse: transient
    ones are tried again, then by the next account.
    """
    code = f"0x{status:08x}"
    if status in _TOO_FAST:
        return ProviderError(ErrorKind.RATE_LIMITED, _TOO_FAST[status], code=code, retry_after=PAUSE)
    if status in _NEVER:
        return ProviderError(ErrorKind.ADDRESS, _NEVER[status], code=code, permanent=True)
    for kind, names in _KINDS.items():
        if status in names:
            return ProviderError(kind, names[status], code=code)
    return ProviderError(others, "a status of the SMSC's own", code=code)


_KINDS = {ErrorKind.ACCOUNT: _ACCOUNT, ErrorKind.ADDRESS: _ADDRESS, ErrorKind.TRANSIENT: _PASSING}


def unreachable(error: Exception) -> ProviderError:
    """What a connection that did not come about came to: nothing was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the SMSC's certificate is not trusted: {error.verify_message}"
        return ProviderError(ErrorKind.ACCOUNT, words, code="certificate")
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorKind.TRANSIENT, "no bind in time", code="bind_timeout")
    words = f"could not connect: {type(error).__name__}"
    return ProviderError(ErrorKind.TRANSIENT, words, code="connection_refused")


def not_bound() -> ProviderError:
    return ProviderError(ErrorKind.TRANSIENT, "the bind was lost before it was sent", code="not_bound")


def no_answer() -> ProviderError:
    return ProviderError(ErrorKind.UNKNOWN, "no answer in time", code="timeout")


def line_lost() -> ProviderError:
    return ProviderError(ErrorKind.UNKNOWN, "the bind was lost before an answer", code="connection_lost")
