"""What a provider is: software that speaks one vendor's protocol for one channel, in one file.

Write a class, give it a `name`, a `Settings` model and `send_one` (or `send`, where the vendor takes many in
one call). Put the file under its channel's folder: it is found, routed to, retried, shown in the admin and
tested by the shared contract with nothing else to change. CONTRIBUTING.md walks through one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

logger = logging.getLogger(__name__)


def elapsed_ms(begun: float) -> int:
    """Milliseconds since `begun`, a reading of `time.perf_counter`."""
    return round((time.perf_counter() - begun) * 1000)


class ErrorKind(StrEnum):
    """Whose fault it is, which decides what happens next."""

    TRANSIENT = "transient"  # try again: nothing was accepted
    RATE_LIMITED = "rate_limited"  # too fast: wait, and do not count it as an attempt
    ACCOUNT = "account"  # bad credentials, suspended, out of credit: use another account
    ADDRESS = "address"  # this recipient cannot be reached here: use another route
    UNKNOWN = "unknown"  # the vendor may have accepted it: timeout after send


class ProviderError(Exception):
    """One message could not be sent.

    `retry_after` is in seconds, as the vendor gave it. `permanent` on an address error means that the address
    will never work on this channel, so it is suppressed; `elsewhere` on one, that another account may well
    reach it, so these are tried before the next route. `spares_health` on an account error means that the
    account cannot take this message, and does well otherwise: its health is left alone.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        permanent: bool = False,
        elsewhere: bool = False,
        spares_health: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code
        self.retry_after = retry_after
        self.permanent = permanent
        self.elsewhere = elsewhere
        self.spares_health = spares_health
        self.latency_ms = 0


def out_of_time() -> ProviderError:
    """For a message that was not begun, because the calls before it took the chunk's time."""
    return ProviderError(ErrorKind.RATE_LIMITED, "the chunk took too long: not sent yet", code="out_of_time")


class ProviderMisconfigured(Exception):  # noqa: N818 - a state, not an event
    """The account's settings cannot work. Stands outside `ProviderError` so that no retry swallows it."""


class AccountGone(Exception):  # noqa: N818 - a state, not an event
    """The account was removed, disabled or changed: a connection that was kept for it is to be closed."""


class ReceiptRefused(Exception):  # noqa: N818 - our refusal, nobody's error
    """A receipt whose signature does not hold, or that cannot be read."""


class LoginRequired(ReceiptRefused):
    """It came without the login of its URL: some vendors send that only when asked (RFC 9110, 11.6.1)."""


@dataclass(frozen=True, slots=True)
class Content:
    """The rendered words, and what the template says in the channel's own terms.

    A channel uses the fields it has a place for.
    """

    subject: str = ""
    title: str = ""
    body: str = ""
    html: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. With a `content_id` it is shown inside the HTML (RFC 2392)."""

    filename: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """Where the message leads: an http or https URL, and what stands on it."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One rendered message for one address.

    `id` is the delivery's. `reference` also names the attempt: put it where the vendor's receipts will bring
    it back (a callback URL, a tag), so that they find their delivery even if the answer to the send is lost.
    `overrides` is what template and request say in the channel's own terms (`templates_app.overrides`).
    `data` is the template's. `expires_at` is the deadline: ask a vendor that stores messages to drop it then.
    `badge` is how many the recipient has not read. `window_until` is until when the recipient may be written
    to freely, where a channel asks for their word first. `unsubscribe_url` is where the recipient leaves by
    one click, empty where the category has no way out. Messages of one `template_version_id` differ in their
    data alone.
    """

    id: UUID
    reference: str
    to: str
    content: Content
    overrides: Mapping[str, Any] = field(default_factory=dict)
    notification_id: UUID | None = None
    template_version_id: UUID | None = None
    category: str = ""
    locale: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    action: Button | None = None
    attachments: Sequence[Attachment] = ()
    is_urgent: bool = False
    expires_at: dt.datetime | None = None
    badge: int | None = None
    window_until: dt.datetime | None = None
    unsubscribe_url: str = ""


@dataclass(slots=True)
class Sent:
    """The vendor took it. `message_id` is what its receipts will call it.

    One that left in several parts, each with receipts of its own, names them all in `part_ids`: it is
    delivered when all of them are, and failed when one is.
    """

    message_id: str = ""
    detail: str = ""
    latency_ms: int = 0
    part_ids: Sequence[str] = ()


class ReceiptStatus(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ParsedReceipt:
    """A vendor's word in ours.

    `event_id` is the same when the vendor repeats itself. `reference` is the message's, where the vendor
    brought it back. `error` is set when the status is FAILED. `parts` is of how many parts of the message
    this speaks of one, where that is known and there is a reference.
    """

    event_id: str
    message_id: str
    status: ReceiptStatus
    occurred_at: dt.datetime
    error: ProviderError | None = None
    reference: str = ""
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a recipient wrote to us: `sender` is their address on the channel, `to` is ours."""

    event_id: str
    sender: str
    to: str
    text: str
    occurred_at: dt.datetime


Report = Callable[[Sequence[ParsedReceipt | Inbound]], None]
"""Hands over what came by another way than the webhook: it is kept, or raises, when this returns.

Called with nothing it only says whether the account is still the one that the provider was made for. Raises
`AccountGone` when it is not.
"""


@dataclass(frozen=True, slots=True)
class ReceiptRequest:
    """An HTTP request as the vendor signed it: `url` is the public one, header names are lower-case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class ProviderSettings(BaseModel):
    """What the admin form asks for. A field typed `SecretStr` is encrypted at rest and never shown again."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Provider(ABC):
    """One vendor on one channel. An instance lives as long as one chunk; it may keep what it looked up."""

    name: ClassVar[str]
    channel: ClassVar[str]
    label: ClassVar[str] = ""
    Settings: ClassVar[type[ProviderSettings]] = ProviderSettings
    needs_account: ClassVar[bool] = True
    each_address_is_a_server: ClassVar[bool] = False
    """One that fails is the recipient's own, and says nothing of the account's health."""
    receipts_by_get: ClassVar[bool] = False
    """Receipts may come as a GET, which is no challenge then."""
    receipt_answer: ClassVar[int] = 204
    """The HTTP status by which the vendor knows that its receipt was taken."""

    def __init__(
        self,
        settings: Any,
        *,
        receipt_url: str = "",
        account: str = "",
        report: Report | None = None,
        timeout: float = 10.0,
        budget: float = 35.0,
        concurrency: int = 100,
    ) -> None:
        """`receipt_url` is where the vendor is to post receipts, or empty.

        `account` is the account's id: what lives longer than a chunk (a token, a bind) is kept by it and by
        the settings. `report` takes receipts that come by a connection of the provider's own.

        `timeout` is for one call, in seconds. `budget` is how long after the start of `send` one may begin:
        when a chunk's lease runs out, somebody else sends what is not answered for.
        """
        self.settings = settings
        self.receipt_url = receipt_url
        self.account = account
        self.report = report
        self.timeout = timeout
        self.budget = budget
        self.concurrency = concurrency

    @classmethod
    def accepts(cls, address: str) -> bool:
        """Whether this vendor can be given such an address at all, where a channel has several kinds."""
        return True

    def subscription_key(self) -> str:
        """What a client needs of the account to make itself an address; empty where it needs nothing."""
        return ""

    def silence(self) -> str:
        """Why nobody will hear what became of the account's messages; empty where receipts come."""
        return "" if type(self).parse is not Provider.parse else "this vendor sends no receipts"

    def listens(self) -> bool:
        """Whether the vendor tells things by a connection that has to stand though nothing is sent."""
        return False

    async def listen(self) -> None:
        """See that this process has that connection, or tries to; it is not waited for."""
        raise NotImplementedError(f"{type(self).__name__} listens, and does not say how")

    async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        """One result a message, in order. Override where the vendor takes many in one call."""
        begun = time.monotonic()
        outcomes: list[Sent | ProviderError] = [out_of_time() for _ in messages]
        turns = iter(enumerate(messages))

        async def take_turns() -> None:
            for place, message in turns:
                if self.has_time(begun):
                    outcomes[place] = await self._timed(message)

        await asyncio.gather(*(take_turns() for _ in messages[: self.concurrency]))
        return outcomes

    def has_time(self, begun: float) -> bool:
        """Whether a call may begin, in a `send` that began at `begun`, a reading of `time.monotonic`."""
        return time.monotonic() - begun < self.budget

    async def _timed(self, message: Message) -> Sent | ProviderError:
        """The outcome of one message; a defect counts as unknown, since the vendor may have been reached."""
        begun = time.perf_counter()
        outcome: Sent | ProviderError
        try:
            outcome = await self.send_one(message)
        except ProviderError as error:
            outcome = error
        except Exception:
            logger.exception("a provider raised what it should not", extra={"provider": self.name})
            outcome = ProviderError(ErrorKind.UNKNOWN, "a defect in the provider", code="defect")
        outcome.latency_ms = elapsed_ms(begun)
        return outcome

    async def send_one(self, message: Message) -> Sent:
        """Hand one message over, or raise `ProviderError`."""
        raise NotImplementedError(f"{type(self).__name__} has neither send nor send_one")

    @abstractmethod
    async def check(self) -> None:
        """'Test connection': prove the credentials without writing to anybody, or raise `ProviderError`."""

    def verify(self, request: ReceiptRequest) -> None:
        """Refuse, with `ReceiptRefused`, a receipt that the vendor did not sign.

        Raises `ProviderError` when that cannot be found out now: the vendor is asked to post it again.
        """
        raise ReceiptRefused(f"{self.name} sends no receipts")

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt | Inbound]:
        """The receipts and replies in a verified request; words we do not know become `UNKNOWN`."""
        raise ReceiptRefused(f"{self.name} sends no receipts")

    def challenge(self, request: ReceiptRequest) -> str:
        """The body that answers the vendor's GET, by which it makes sure that the webhook is ours."""
        raise ReceiptRefused(f"{self.name} asks for nothing by GET")
