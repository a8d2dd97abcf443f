"""What becomes of a message at Twilio, with a signed callback for each step if it asked for them.

Callbacks: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
Signatures: https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import asyncio
from datetime import UTC, datetime
from functools import partial

from twilio.request_validator import RequestValidator

from sandbox import magic
from sandbox.faults import Fault
from sandbox.receipts import Post, Receipts
from sandbox.store import Message, Store
from sandbox.twilio_messages import ERRORS, VERSION, WHATSAPP, Form, channel_of

SENT_AFTER_S = 0.05
UNREACHABLE_HANDSET, NOBODYS_ADDRESS, OUTSIDE_WINDOW, INVALID_RECIPIENT = 30003, 63003, 63016, 63024

Step = tuple[str, int | None]
"""A status, and the code of the error that led to it."""


def course(form: Form, fault: Fault, *, may_write: bool) -> list[Step]:
    """The steps after `queued`; `may_write`: they have written by WhatsApp within a day."""
    is_whatsapp = channel_of(form) == "whatsapp"
    if is_whatsapp and magic.phone_fate(form["To"].removeprefix(WHATSAPP)) is not magic.Fate.OK:
        return [("undelivered", NOBODYS_ADDRESS)]
    if is_whatsapp and not (may_write or form.get("ContentSid")):
        return [("undelivered", OUTSIDE_WINDOW)]
    if fault.receipt == "failed":
        return [("sent", None), ("undelivered", INVALID_RECIPIENT if is_whatsapp else UNREACHABLE_HANDSET)]
    read: list[Step] = [("read", None)] if is_whatsapp and fault.receipt == "read" else []
    return [("sent", None), ("delivered", None), *read]


class Progress:
    """A message on its way to the phone.

    The initial `queued` has no callback, as at Twilio, where callbacks overtake each other too. Twilio tries
    one that failed once more, five times at most
    (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides); `Receipts` tries as often.
    """

    def __init__(self, store: Store, receipts: Receipts, message: Message, form: Form, token: str) -> None:
        self._store, self._receipts, self._message = store, receipts, message
        self._form, self._token = form, token

    def begin(self, steps: list[Step], fault: Fault) -> None:
        """Nothing is heard of it any more where the fault says so."""
        if fault.receipt == "none":
            return
        final = fault.receipt_delay_ms / 1000
        delays = [min(SENT_AFTER_S, final), final, final + SENT_AFTER_S] if len(steps) > 1 else [final]
        for delay, (status, code) in zip(delays, steps, strict=False):
            post = partial(self._become, status, code, 1 + fault.duplicate_receipts)
            asyncio.get_running_loop().call_later(delay, post)

    def _become(self, status: str, code: int | None, times: int) -> None:
        self._message.state |= {"status": status, "error_code": code}
        self._store.changed()
        if url := self._form.get("StatusCallback"):
            for _ in range(times):
                self._receipts.post(self._callback(url, status, code))

    def _callback(self, url: str, status: str, code: int | None) -> Post:
        sid = self._message.state["sid"]
        form = {
            "AccountSid": self._message.account,
            "ApiVersion": VERSION,
            "MessageSid": sid,
            "MessageStatus": status,
            "SmsSid": sid,
            "SmsStatus": status,
            "From": self._form.get("From", ""),
            "To": self._form["To"],
            **self._details(status, code),
        }
        report = partial(self._report, status)
        return Post(url, form, {"X-Twilio-Signature": signature(self._token, url, form)}, report)

    def _details(self, status: str, code: int | None) -> Form:
        details = {"ErrorCode": str(code)} if code else {}
        if channel_of(self._form) == "whatsapp":
            words = {"ErrorMessage": ERRORS[code]} if code else {}
            return {"ChannelPrefix": "whatsapp", "EventType": status.upper(), **details, **words}
        done = {"RawDlrDoneDate": datetime.now(UTC).strftime("%y%m%d%H%M")} if status != "sent" else {}
        return {**details, **done}

    def _report(self, status: str, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._message.state["callbacks"].append({"status": status, "answer": outcome, "at": at})
        self._store.changed()


def signature(token: str, url: str, form: Form) -> str:
    signed: str = RequestValidator(token).compute_signature(url, form)
    return signed
