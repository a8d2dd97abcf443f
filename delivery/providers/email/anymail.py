"""Email by the services that django-anymail speaks: it knows what each wants to be posted, and its answers.

The posting is ours, over the process's session, so that connections are kept, the caller's trace goes on,
and a line that breaks is told from a refusal. https://anymail.dev/en/stable/

Mails of a chunk that differ in their words alone share a call, as far as the service's limits let them;
each recipient's reference is metadata, which receipts bring back. When a call is refused for what it says
or to whom, nobody got it: it is made again by halves, until it is known who is to blame.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import time
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from anymail.backends.base_requests import AnymailRequestsBackend, RequestsPayload
from anymail.exceptions import AnymailError, AnymailWarning
from anymail.message import AnymailRecipientStatus
from pydantic import Field
from requests import PreparedRequest, Request, Response
from yarl import URL

from delivery.providers.base import (
    ErrorKind,
    Message,
    ProviderError,
    ProviderSettings,
    Sent,
    elapsed_ms,
    out_of_time,
)
from delivery.providers.email.batching import Batch, Limits, batches, say_the_same
from delivery.providers.email.composing import Composer, Mail, Words, bad_message, written
from delivery.providers.email.tracking import MAILED_TO, REFERENCE, Tracked
from delivery.providers.email.way_out import MAILTO
from delivery.providers.http import Reply, exchange

logger = logging.getLogger(__name__)

Outcome = Sent | ProviderError


class EspSettings(ProviderSettings):
    sender: str = Field(title="From", description="Ann's Shop <hello@shop.example>", pattern=r"@")
    unsubscribe_mailto: str = MAILTO


class Esp(Tracked):
    """An email service provider. A subclass says how a batch is handed over, and how many `at_once`."""

    channel = "email"
    limits: ClassVar[Limits] = Limits()
    at_once: ClassVar[int] = 100

    @abstractmethod
    async def hand_over(self, batch: Batch) -> Sequence[Outcome]:
        """One result a mail, in order; or raise `ProviderError` when the service took none of them."""

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        begun = time.monotonic()
        mails, outcomes = await asyncio.to_thread(self._compose, messages)
        turns = iter(batches(mails, self.limits))

        async def take_turns() -> None:
            for batch in turns:
                outcomes.update(await self._deliver(batch, begun))

        await asyncio.gather(*(take_turns() for _ in mails[: min(self.concurrency, self.at_once)]))
        return [outcomes[message.reference] for message in messages]

    def _compose(self, messages: Sequence[Message]) -> tuple[list[Mail], dict[str, Outcome]]:
        """The mails, and what is no mail."""
        composer = Composer(self.settings.sender, self.settings.unsubscribe_mailto)
        mails: list[Mail] = []
        refused: dict[str, Outcome] = {}
        for message in messages:
            try:
                mails.append(composer.compose(message))
            except ProviderError as error:
                refused[message.reference] = error
        return mails, refused

    async def _deliver(self, batch: Batch, begun: float) -> dict[str, Outcome]:
        if not self.has_time(begun):
            return _each(batch, [out_of_time()] * len(batch))
        try:
            return _each(batch, await self._timed_call(batch))
        except ProviderError as error:
            if error.kind is not ErrorKind.ADDRESS or len(batch) == 1:
                return _each(batch, [error] * len(batch))
        half = len(batch) // 2
        return await self._deliver(batch[:half], begun) | await self._deliver(batch[half:], begun)

    async def _timed_call(self, batch: Batch) -> Sequence[Outcome]:
        begun = time.perf_counter()
        try:
            outcomes = await self.hand_over(batch)
        except ProviderError as error:
            error.latency_ms = elapsed_ms(begun)
            raise
        except Exception:
            logger.exception("a provider raised what it should not", extra={"provider": self.name})
            raise ProviderError(ErrorKind.UNKNOWN, "a defect in the provider", code="defect") from None
        for outcome in outcomes:
            outcome.latency_ms = elapsed_ms(begun)
        return outcomes

    def merged(self, batch: Batch) -> Any:
        """One mail for all of them, in anymail's words: https://anymail.dev/en/stable/sending/templates/"""
        first, is_same = batch[0], say_the_same(batch)
        mail = labelled(batch, first.words if is_same else self.placeholders(first.words))
        if not is_same:
            mail.merge_data = {one.to: own_words(one) for one in batch}
        return mail

    def placeholders(self, words: Words) -> Words:
        """What stands in the call where each recipient's own `subject`, `text` and `html` are to be."""
        return words


class HttpEsp(Esp):
    """One whose API anymail calls by `requests`.

    `kinds` is what the service's own codes mean; words that match `ours` speak of us and not of the
    recipient, words that match `nobody` say that the address will never work.
    """

    backend: ClassVar[type[AnymailRequestsBackend]]
    kinds: ClassVar[Mapping[str, ErrorKind]] = {}
    ours: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    nobody: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    @property
    @abstractmethod
    def probe(self) -> str:
        """The path that is read to test the connection."""

    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """What anymail's backend is made with."""

    @abstractmethod
    def login(self) -> Mapping[str, str]:
        """The headers that open the API."""

    @abstractmethod
    def said(self, document: Any) -> tuple[str, str]:
        """Code and words of the service's error; raise what comes when there are none."""

    @cached_property
    def _backend(self) -> AnymailRequestsBackend:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnymailWarning)
            return self.backend(api_url=self.settings.base_url, **self.options())

    async def hand_over(self, batch: Batch) -> Sequence[Outcome]:
        payload, request = self._request(batch)
        url = URL(request.url or "", encoded=True)
        headers = {str(name): str(value) for name, value in request.headers.items()}
        method, body = request.method or "POST", _streamed(request.body)
        reply = await exchange(method, url, timeout=self.timeout, headers=headers, data=body)
        if not 200 <= reply.status < 300:
            raise self.refusal(reply)
        return self.read(reply, payload, batch)

    def _request(self, batch: Batch) -> tuple[RequestsPayload, PreparedRequest]:
        try:
            payload = self._backend.build_message_payload(self.merged(batch), {})
            return payload, Request(**payload.get_request_params(self._backend.api_url)).prepare()
        except (AnymailError, ValueError, TypeError) as error:
            raise bad_message(f"{self.label} cannot be told this: {_reason(error)}") from None

    def read(self, reply: Reply, payload: RequestsPayload, batch: Batch) -> Sequence[Outcome]:
        """What became of each, where the service took the call."""
        response = Response()
        response.status_code, response.raw = reply.status, io.BytesIO(reply.body)
        try:
            statuses = self._backend.parse_recipient_status(response, payload, payload.message)
        except (AnymailError, ValueError, TypeError, AttributeError):
            raise ProviderError(
                ErrorKind.UNKNOWN, "the answer is not as it says", code="unreadable"
            ) from None
        return [_outcome(statuses.get(mail.to)) for mail in batch]

    def refusal(self, reply: Reply) -> ProviderError:
        """By the service's own code and words, which say more than the status. A proxy's page has none."""
        plain = reply.error()
        try:
            code, words = self.said(reply.json())
        except (ProviderError, LookupError, TypeError, ValueError, AttributeError):
            return plain
        error = self.blamed(code or plain.code, words, plain.kind)
        error.retry_after = plain.retry_after
        return error

    def blamed(self, code: str, words: str, otherwise: ErrorKind) -> ProviderError:
        kind = self.kinds.get(code) or (ErrorKind.ACCOUNT if self.ours.search(words) else otherwise)
        is_gone = kind is ErrorKind.ADDRESS and bool(self.nobody.search(words))
        return ProviderError(kind, words, code=code, permanent=is_gone)

    async def check(self) -> None:
        url = f"{self.settings.base_url.rstrip('/')}/{self.probe}"
        reply = await exchange("GET", url, timeout=self.timeout, headers=self.login())
        if not 200 <= reply.status < 300:
            raise self.refusal(reply)


def labelled(batch: Batch, words: Words) -> Any:
    """A mail to all of them, with tags, metadata and own headers where anymail looks for them."""
    envelope = batch[0].envelope
    mail: Any = written(words, envelope, [one.to for one in batch])
    mail.metadata = dict(envelope.metadata)
    if envelope.tags:
        mail.tags = list(envelope.tags)
    if len(batch) == 1:
        mail.metadata |= _marks(batch[0])
        mail.extra_headers |= dict(batch[0].own_headers)
    else:
        mail.merge_metadata = {one.to: _marks(one) for one in batch}
        if batch[0].own_headers:  # then all have some
            mail.merge_headers = {one.to: dict(one.own_headers) for one in batch}
    return mail


def placeholders(spelled: str, words: Words) -> Words:
    """Those of a service that spells them like `spelled`, with `{}` for the name."""
    html = spelled.format("html") if words.html else ""
    return Words(spelled.format("subject"), spelled.format("text"), html)


def _streamed(body: bytes | str | None) -> io.BytesIO:
    """A long one is not written in one go, which would hold up everybody else on the loop."""
    return io.BytesIO(body.encode() if isinstance(body, str) else body or b"")


def _each(batch: Batch, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    return {mail.message.reference: outcome for mail, outcome in zip(batch, outcomes, strict=True)}


def _marks(mail: Mail) -> dict[str, str]:
    """What receipts bring back: whose they are, and who was meant where others got copies."""
    marks = {REFERENCE: mail.message.reference}
    if mail.envelope.cc or mail.envelope.bcc:
        marks[MAILED_TO] = mail.to
    return marks


def own_words(mail: Mail) -> dict[str, str]:
    own: dict[str, str] = mail.words._asdict()
    return own if mail.words.html else {name: own[name] for name in ("subject", "text")}


def _reason(error: Exception) -> str:
    """Anymail says in its first line what the service has no place for; other errors may quote the mail."""
    return str(error.args[0]) if isinstance(error, AnymailError) and error.args else type(error).__name__


_REFUSED = {
    "invalid": (ErrorKind.ADDRESS, "no address"),
    "rejected": (ErrorKind.ADDRESS, "the service writes to this address no more"),
    "failed": (ErrorKind.TRANSIENT, "the service could not send it"),
}


def _outcome(status: AnymailRecipientStatus | None) -> Outcome:
    """https://anymail.dev/en/stable/sending/anymail_additions/#anymail.message.AnymailStatus"""
    if status is not None and status.status in {"queued", "sent"}:
        return Sent(str(status.message_id or ""), status.status)
    if status is None or status.status not in _REFUSED:
        return ProviderError(ErrorKind.UNKNOWN, "the service does not say", code="unknown")
    kind, words = _REFUSED[status.status]
    return ProviderError(kind, words, code=status.status, permanent=kind is ErrorKind.ADDRESS)
