"""Email by SMTP (RFC 5321), through Django's own backend: one connection for a chunk, in a thread.

Reply codes decide whose fault it was; see RFC 5321, section 4.2, and the enhanced codes of RFC 3463.
"""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Sequence
from email.utils import formataddr, parseaddr

from django.core.mail import EmailMultiAlternatives
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
)


class Smtp(Provider):
    name = "smtp"
    channel = "email"
    label = "SMTP"

    class Settings(ProviderSettings):
        host: str = Field(title="Host")
        port: int = Field(587, title="Port", ge=1, le=65535)
        username: str = Field("", title="User name")
        password: SecretStr | None = Field(None, title="Password")
        security: str = Field("starttls", title="Security", pattern=r"^(starttls|tls|none)$")
        sender: str = Field(title="From", description="Ann's Shop <hello@shop.example>")

    async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        return await asyncio.to_thread(self._send, messages)

    async def check(self) -> None:
        error = await asyncio.to_thread(self._try_to_open, self._backend())
        if error:
            raise error

    def _send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        backend = self._backend()
        try:
            return [self._send_by(backend, message) for message in messages]
        finally:
            self._close(backend)

    def _send_by(self, backend: EmailBackend, message: Message) -> Sent | ProviderError:
        """Over the open connection, or over a new one when the last message broke it."""
        begun = time.perf_counter()
        outcome = self._try_to_open(backend) if backend.connection is None else None
        outcome = outcome or self._transact(backend, message)
        outcome.latency_ms = elapsed_ms(begun)
        return outcome

    def _transact(self, backend: EmailBackend, message: Message) -> Sent | ProviderError:
        mail = self._mail(message)
        try:
            backend.send_messages([mail])
        except Exception as error:
            if not isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused):
                self._close(backend)
            return _sending_error(error)
        return Sent(mail.extra_headers["Message-ID"])

    def _backend(self) -> EmailBackend:
        own = self.settings
        return EmailBackend(
            host=own.host,
            port=own.port,
            username=own.username,
            password=own.password.get_secret_value() if own.password else "",
            use_tls=own.security == "starttls",
            use_ssl=own.security == "tls",
            timeout=self.timeout,
        )

    def _try_to_open(self, backend: EmailBackend) -> ProviderError | None:
        try:
            backend.open()
        except smtplib.SMTPAuthenticationError as error:
            return ProviderError(ErrorKind.ACCOUNT, _text(error.smtp_error), code=str(error.smtp_code))
        except smtplib.SMTPNotSupportedError as error:
            return ProviderError(ErrorKind.ACCOUNT, str(error), code="not_supported")
        except (smtplib.SMTPException, OSError) as error:
            return ProviderError(
                ErrorKind.TRANSIENT, f"could not connect: {type(error).__name__}", code="connection"
            )
        return None

    def _close(self, backend: EmailBackend) -> None:
        try:
            backend.close()
        except (smtplib.SMTPException, OSError):
            backend.connection = None

    def _mail(self, message: Message) -> EmailMultiAlternatives:
        content, overrides = message.content, message.overrides
        sender = overrides.get("from") or self.settings.sender
        domain = parseaddr(sender)[1].rpartition("@")[2]
        mail = EmailMultiAlternatives(
            subject=content.subject or content.title,
            body=content.body,
            from_email=formataddr(parseaddr(sender)),
            to=[message.to],
            cc=overrides.get("cc"),
            bcc=overrides.get("bcc"),
            reply_to=overrides.get("reply_to"),
            headers={**overrides.get("headers", {}), "Message-ID": f"<{message.id}@{domain}>"},
        )
        if content.html:
            mail.attach_alternative(content.html, "text/html")
        return mail


def _sending_error(error: Exception) -> ProviderError:
    """What a failed transaction means. Once DATA was on its way and the line broke, nobody knows."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return _reply(ErrorKind.ADDRESS, code, text, permanent=code in (550, 551, 553))
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _reply(ErrorKind.ACCOUNT, error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(ErrorKind.ADDRESS, error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPException | OSError):
        return ProviderError(
            ErrorKind.UNKNOWN, f"the connection broke: {type(error).__name__}", code="connection_lost"
        )
    return ProviderError(ErrorKind.ADDRESS, f"cannot be written as a mail: {error}", code="bad_message")


def _reply(kind: ErrorKind, code: int, text: bytes | str, *, permanent: bool = False) -> ProviderError:
    """5yz is final and somebody's fault; 4yz is for now; 4.7.x with 42y or 45y is a server that is kept too busy."""
    words = _text(text)
    if 400 <= code < 500:
        kind = ErrorKind.RATE_LIMITED if "4.7.28" in words or "rate" in words.lower() else ErrorKind.TRANSIENT
    return ProviderError(kind, words, code=str(code), permanent=permanent)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
