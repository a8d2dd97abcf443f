"""A mail as SMTP takes it. Written by Django's message classes and the email package, with less waiting."""

from __future__ import annotations

import io
from email.generator import BytesGenerator
from email.policy import Compat32
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import sanitize_address

from delivery.providers.email.composing import Mail, bad_message, labels, written


class Letter:
    """A mail as SMTP takes it: an envelope of its own, and the source (RFC 5321, section 2.3.1)."""

    def __init__(self, mail: Mail) -> None:
        domain = parseaddr(mail.envelope.sender)[1].rpartition("@")[2]
        self.message_id = f"<{mail.message.id}@{domain}>"
        headers = {**labels(mail.envelope), **dict(mail.own_headers), "Message-ID": self.message_id}
        document = written(mail.words, mail.envelope, [mail.to], headers)
        try:
            self.sender = _path(document.from_email)
            self.recipients = [_path(address) for address in document.recipients()]
            self.source = _source(document)
        except ValueError as error:
            raise bad_message(f"cannot be written as a mail: {type(error).__name__}") from None
        self.to = self.recipients[0]


@lru_cache(1024)
def _path(address: str) -> str:
    return sanitize_address(address, "utf-8")


def _source(document: EmailMultiAlternatives) -> bytes:
    source = io.BytesIO()
    _Writer(source, mangle_from_=False, policy=_Folding()).flatten(document.message(), linesep="\r\n")
    return source.getvalue()


class _Folding(Compat32):
    """Folds only what has to be; looking at each header as if it had to takes a tenth of a mail's time.

    A word longer than a line, such as a link, would leave the name alone in the first line and not fit into
    the second: it is left where it is, up to what a line may hold at all (RFC 5322, section 2.1.1).
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        line = f"{name}: {value}"
        fits = len(line) <= 76 or (len(line) <= 998 and max(map(len, line.split(" "))) > 76)
        if fits and line.isascii() and line.isprintable():
            return f"{line}{self.linesep}".encode()
        return super().fold_binary(name, value)


class _Writer(BytesGenerator):
    @classmethod
    def _make_boundary(cls, text: str | None = None) -> str:
        """Of 122 random bits: to look for it in the text takes another tenth."""
        return f"=_{uuid4().hex}"
