"""SMS by SMPP 3.4, over a bind that stays: https://smpp.org/SMPP_v3_4_Issue1_2.pdf

The session is in `delivery/providers/smpp`. Where TON and NPI are worked out as most vendors document it:
https://www.infobip.com/glossary/ton-npi-settings
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence
from functools import cached_property

from pydantic import Field, SecretStr, field_validator

from delivery.providers.base import (
    ErrorKind,
    Message,
    Provider,
    ProviderError,
    ProviderSettings,
    Sent,
    out_of_time,
)
from delivery.providers.smpp import links
from delivery.providers.smpp.errors import is_too_fast, refused
from delivery.providers.smpp.link import MODES, Link, Terms
from delivery.providers.smpp.pdus import Command, Pdu, Status
from delivery.providers.smpp.receipts import ID_FORMATS
from delivery.providers.smpp.session import Endpoint, Origin, Session, bound
from delivery.providers.smpp.submission import Submission
from delivery.providers.smpp.trust import trusting
from delivery.providers.smpp.window import PAUSE

_E164 = re.compile(r"\+[1-9]\d{5,14}")


class SmppSms(Provider):
    name = "smpp"
    channel = "sms"
    label = "SMPP 3.4"

    class Settings(ProviderSettings):
        host: str = Field(title="Host", min_length=1)
        port: int = Field(2775, title="Port", ge=1, le=65535)
        system_id: str = Field(title="System ID", min_length=1, max_length=15)
        password: SecretStr = Field(title="Password", description="At most 8 characters, says the standard.")
        system_type: str = Field("", title="System type", max_length=12)
        sender: str = Field(
            "",
            title="From",
            max_length=20,
            description="+4915112345678, a short code, or a name of at most 11 characters."
            " Empty: what the SMSC has for you.",
        )
        bind: str = Field(
            "transceiver",
            title="Bind",
            description="Separate: a transmitter and a receiver. A transmitter alone hears no receipts.",
            pattern=r"^(transceiver|separate|transmitter)$",
        )
        security: str = Field("none", title="Security", pattern=r"^(none|tls)$")
        ca: str = Field(
            "", title="Trusted CA", description="Certificates in PEM. Empty: those that the system trusts."
        )
        window: int = Field(
            10, title="Window", description="Messages under way at once, a process.", ge=1, le=1000
        )
        enquire_link: int = Field(
            30,
            title="Seconds between two enquire_link",
            description="While nothing else comes.",
            ge=1,
            le=600,
        )
        registered_delivery: str = Field("all", title="Receipts", pattern=r"^(all|failures|none)$")
        long_messages: str = Field(
            "udh",
            title="Long messages",
            description="Joined by a user data header, by sar_* parameters, or in one message_payload.",
            pattern=r"^(udh|sar|payload)$",
        )
        message_ids: str = Field(
            "same",
            title="Message ids",
            description="For an SMSC that writes them in hex in one place and in decimal in the other.",
            pattern=r"^(same|hex_in_answers|hex_in_receipts)$",
        )

        @field_validator("ca")
        @classmethod
        def _is_pem(cls, value: str) -> str:
            trusting(value)
            return value

    @classmethod
    def accepts(cls, address: str) -> bool:
        return _E164.fullmatch(address) is not None

    async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        if not messages:
            return []
        return await links.here().run(self._send_all(messages))

    def silence(self) -> str:
        """Receipts come by the bind."""
        if self.settings.bind == "transmitter":
            return "a transmitter alone hears no receipts"
        asked = self.settings.registered_delivery
        return "" if asked == "all" else f"it asks for receipts of {asked}"

    def listens(self) -> bool:
        return bool(self.settings.bind != "transmitter")

    async def listen(self) -> None:
        await links.here().run(self._linked())

    async def check(self) -> None:
        """Bind and take leave. What is delivered meanwhile is asked for again."""
        session = await bound(self._terms().endpoint, MODES[self.settings.bind][0], _not_now, _forget)
        await session.unbind()

    # — on the links' loop

    async def _send_all(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        self._begun = time.monotonic()
        self._link = await self._linked()
        try:
            await self._link.session()
        except ProviderError as error:
            return [error] * len(messages)
        return await asyncio.gather(*(self._in_turn(message) for message in messages))

    async def _linked(self) -> Link:
        account = self.account or self._version
        return await links.here().link(account, self._version, self._terms, self.report)

    async def _in_turn(self, message: Message) -> Sent | ProviderError:
        await self._link.window.enter()
        try:
            return await self._timed(message) if self.has_time(self._begun) else out_of_time()
        finally:
            self._link.window.leave()

    async def send_one(self, message: Message) -> Sent:
        """All parts, one after the other, so that nothing was taken when the first is refused.

        When a later one fails, no phone can put the message together, and it may be sent again as a whole
        though the SMSC took some of it: even where no answer came, unless it was the last part's.
        """
        bodies = self._submission.bodies(message)
        origin = Origin(message.reference, len(bodies))
        ids: list[str] = []
        for body in bodies:
            try:
                ids.append(await self._submit(body, origin, has_begun=bool(ids)))
            except ProviderError as error:
                if error.kind is ErrorKind.UNKNOWN and len(ids) < len(bodies) - 1:
                    error.kind = ErrorKind.TRANSIENT
                raise
        return Sent(ids[0], part_ids=tuple(ids) if len(ids) > 1 else ())

    async def _submit(self, body: bytes, origin: Origin, *, has_begun: bool) -> str:
        """The part's message_id. One that comes too fast is tried again if those before it were taken."""
        while True:
            session = await self._link.session()
            answer = await session.request(Command.SUBMIT_SM, body, timeout=self.timeout, origin=origin)
            if answer.status == Status.OK:
                self._link.window.answered()
                return self._link.message_id(answer, origin)
            if is_too_fast(answer.status):
                self._link.window.too_fast()
                if has_begun and self.has_time(self._begun + PAUSE):
                    await asyncio.sleep(PAUSE)
                    continue
            raise refused(answer.status)

    # — settings

    @cached_property
    def _submission(self) -> Submission:
        own = self.settings
        return Submission(own.sender, own.registered_delivery, own.long_messages)

    @cached_property
    def _version(self) -> str:
        """Changes with any setting, the password included."""
        said = self.settings.model_dump_json() + self.settings.password.get_secret_value()
        return hashlib.sha256(said.encode()).hexdigest()

    def _terms(self) -> Terms:
        own = self.settings
        endpoint = Endpoint(
            host=own.host,
            port=own.port,
            system_id=own.system_id,
            password=own.password.get_secret_value(),
            system_type=own.system_type,
            tls=trusting(own.ca) if own.security == "tls" else None,
            enquire_link=own.enquire_link,
            timeout=self.timeout,
        )
        return Terms(endpoint, own.bind, own.window, ID_FORMATS[own.message_ids])


def _not_now(session: Session, pdu: Pdu) -> None:
    session.answer(pdu, Status.TRY_AGAIN, b"\0")


def _forget(answer: Pdu, origin: Origin) -> None:
    """Nothing was submitted."""
