"""Email by SMTP (RFC 5321), through Django's own backend: one connection for a chunk, in a thread.

Whose fault it was is read off the reply code (RFC 5321, section 4.2) and, where the server gives one, the
enhanced code (RFC 3463), which tells a mailbox that is not there from a sender who is not wanted.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
import time
from collections.abc import Sequence
from typing import Any

from django.core.mail.backends.smtp import EmailBackend
from pydantic import Field, SecretStr

from delivery.providers.base import (
    ErrorKind,
    Message,
    Provider,
    ProviderError,
    ProviderSettings,
    Sent,
    elapsed_ms,
    out_of_time,
)
from delivery.providers.email.composing import Composer
from delivery.providers.email.letter import Letter
from delivery.providers.email.way_out import MAILTO

_ENHANCED = re.compile(r"\b[245]\.(\d{1,3}\.\d{1,3})\b")
_NOBODY = {"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"}
"""No such mailbox, no such domain, no address, moved, no mail there, disabled."""
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
"""What OpenSSL makes of an answer that is no TLS: the second since its version 3.2."""
_TOO_FAST = re.compile(r"\b4\.7\.28\b|\b(rate|throttl\w*|too (many|fast|much))\b", re.IGNORECASE)


class Smtp(Provider):
    name = "smtp"
    channel = "email"
    label = "SMTP"

    class Settings(ProviderSettings):
        host: str = Field(title="Host", min_length=1)
        port: int = Field(587, title="Port", ge=1, le=65535)
        username: str = Field("", title="User name")
        password: SecretStr | None = Field(None, title="Password")
        security: str = Field("starttls", title="Security", pattern=r"^(starttls|tls|none)$")
        sender: str = Field(title="From", description="Ann's Shop <hello@shop.example>", pattern=r"@")
        unsubscribe_mailto: str = MAILTO

    async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        return await asyncio.to_thread(self._send, messages)

    async def check(self) -> None:
        await asyncio.to_thread(self._check)

    def _check(self) -> None:
        backend = self._backend()
        try:
            self._open(backend)
        finally:
            self._close(backend)

    def _send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        backend, begun = self._backend(), time.monotonic()
        composer = Composer(self.settings.sender, self.settings.unsubscribe_mailto)
        outcomes: list[Sent | ProviderError] = []
        try:
            for message in messages:
                if not self.has_time(begun):
                    outcomes.append(out_of_time())
                elif not self._is_open(backend) and (closed := self._try_to_open(backend)):
                    return [*outcomes, *[closed] * (len(messages) - len(outcomes))]
                else:
                    outcomes.append(self._timed_send(backend, composer, message))
            return outcomes
        finally:
            self._close(backend)

    def _timed_send(self, backend: Backend, composer: Composer, message: Message) -> Sent | ProviderError:
        begun = time.perf_counter()
        outcome: Sent | ProviderError
        try:
            outcome = self._transact(backend, Letter(composer.compose(message)))
        except ProviderError as error:
            outcome = error
        outcome.latency_ms = elapsed_ms(begun)
        return outcome

    def _transact(self, backend: Backend, letter: Letter) -> Sent:
        try:
            refused = backend.hand_over(letter)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise _sending_error(error, backend) from None
        if letter.to in refused:  # and a copy went to somebody else
            raise _reply(ErrorKind.ADDRESS, *refused[letter.to], is_recipient=True)
        return Sent(letter.message_id)

    def _backend(self) -> Backend:
        own = self.settings
        return Backend(
            host=own.host,
            port=own.port,
            username=own.username,
            password=own.password.get_secret_value() if own.password else "",
            use_tls=own.security == "starttls",
            use_ssl=own.security == "tls",
            timeout=self.timeout,
        )

    def _open(self, backend: Backend) -> None:
        """A connection, or `ProviderError`. Nothing was sent yet, so nothing is in doubt."""
        begun = time.perf_counter()
        try:
            backend.open()
        except (smtplib.SMTPException, OSError) as error:
            refusal = _opening_error(error)
            refusal.latency_ms = elapsed_ms(begun)
            raise refusal from None

    def _try_to_open(self, backend: Backend) -> ProviderError | None:
        try:
            self._close(backend)
            self._open(backend)
        except ProviderError as error:
            return error
        return None

    def _is_open(self, backend: Backend) -> bool:
        """smtplib closes the socket by itself when the server goes away, and keeps the object."""
        return getattr(backend.connection, "sock", None) is not None

    def _close(self, backend: Backend) -> None:
        try:
            backend.close()
        except (smtplib.SMTPException, OSError):
            backend.connection = None


class Backend(EmailBackend):
    """Django's backend, which also knows whether the message itself was on its way when the line broke."""

    is_in_doubt = False

    def hand_over(self, letter: Letter) -> dict[str, tuple[int, bytes]]:
        """Which recipients the server refused, if it took any. Raises as `smtplib.SMTP.sendmail` does."""
        self.is_in_doubt = False
        assert self.connection is not None
        return self.connection.sendmail(letter.sender, letter.recipients, letter.source)

    @property
    def connection_class(self) -> Any:
        backend = self
        plain: type[smtplib.SMTP] = super().connection_class

        class Watched(plain):  # type: ignore[misc, valid-type]
            def data(self, msg: Any) -> tuple[int, bytes]:
                backend.is_in_doubt = True
                try:
                    answer: tuple[int, bytes] = super().data(msg)
                except smtplib.SMTPDataError:
                    backend.is_in_doubt = False  # refused before any of it was sent
                    raise
                backend.is_in_doubt = answer[0] < 0  # what smtplib makes of a reply that is none
                return answer

        return Watched


def _opening_error(error: Exception) -> ProviderError:
    if isinstance(error, ssl.SSLError):
        return _tls_error(error)
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
        return ProviderError(ErrorKind.ACCOUNT, _text(error.smtp_error), code=str(error.smtp_code))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ProviderError(ErrorKind.ACCOUNT, str(error), code="not_supported")
    if isinstance(error, smtplib.SMTPResponseException):
        return ProviderError(ErrorKind.TRANSIENT, _text(error.smtp_error), code=str(error.smtp_code))
    return ProviderError(ErrorKind.TRANSIENT, f"could not connect: {type(error).__name__}", code="connection")


def _tls_error(error: ssl.SSLError) -> ProviderError:
    """What would go wrong next time too is up to the operator: another setting, or a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the server's certificate is not trusted: {error.verify_message}"
        return ProviderError(ErrorKind.ACCOUNT, words, code="certificate")
    if error.reason in _NO_TLS:
        return ProviderError(
            ErrorKind.ACCOUNT, "the server does not begin with TLS on this port", code="no_tls"
        )
    return ProviderError(ErrorKind.TRANSIENT, f"could not connect: {type(error).__name__}", code="connection")


def _sending_error(error: Exception, backend: Backend) -> ProviderError:
    """What a failed transaction means. Once the message was on its way and the line broke, nobody knows."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return _reply(ErrorKind.ADDRESS, code, text, is_recipient=True)
    if isinstance(error, smtplib.SMTPResponseException) and not backend.is_in_doubt:
        is_sender = isinstance(error, smtplib.SMTPSenderRefused)
        return _reply(
            ErrorKind.ACCOUNT if is_sender else ErrorKind.ADDRESS, error.smtp_code, error.smtp_error
        )
    if isinstance(error, ValueError | smtplib.SMTPNotSupportedError):
        return ProviderError(ErrorKind.ADDRESS, "an address that mail cannot carry", code="bad_message")
    kind = ErrorKind.UNKNOWN if backend.is_in_doubt else ErrorKind.TRANSIENT
    return ProviderError(kind, f"the connection broke: {type(error).__name__}", code="connection_lost")


def _reply(kind: ErrorKind, code: int, text: bytes | str, *, is_recipient: bool = False) -> ProviderError:
    """4yz is for now, 5yz is final: the address's fault, or ours where it speaks of policy or the sender."""
    words = _text(text)
    if code < 500:
        kind = ErrorKind.RATE_LIMITED if _TOO_FAST.search(words) else ErrorKind.TRANSIENT
        return ProviderError(kind, words, code=str(code))
    found = _ENHANCED.search(words)
    subject = found[1] if found else ""
    if code in {530, 535} or subject in {"1.7", "1.8"} or subject.startswith("7."):
        kind = ErrorKind.ACCOUNT
    elif subject:
        kind = ErrorKind.ADDRESS if subject[0] in "1236" else kind
    gone = is_recipient and (subject in _NOBODY if subject else code in {550, 551, 553})
    return ProviderError(kind, words, code=str(code), permanent=gone)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
