"""What an email is made of, whoever carries it: its words, its envelope, and both as Django writes mails.

A mail always has a text part, made from the HTML where the message has no body of its own (RFC 2046,
section 5.1.4), and its styles stand in the elements themselves, since many readers drop a style sheet
(https://www.caniemail.com/features/html-style/). What a template says comes with both: that was done when its
version was published. Nothing that a request or a template says can add a header or a recipient: control
characters are refused, and so are the headers that say who writes to whom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.utils import formataddr, parseaddr
from functools import cache
from typing import Any, NamedTuple

import orjson
from anymail.exceptions import AnymailInvalidAddress
from anymail.utils import parse_address_list, parse_single_address
from django.core.mail import EmailMultiAlternatives
from django.utils.html import strip_tags

from delivery.providers.base import Attachment, ErrorKind, Message, ProviderError
from delivery.providers.email.way_out import PLACES, Headers, list_headers

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]+")  # RFC 5322, section 3.6.8
_PLAIN_ADDRESS = re.compile(r"[\w.+%-]+@[\w.-]+", re.ASCII)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\s*(;|$)", re.ASCII)  # RFC 6838, section 4.2
_RESERVED = {
    *{"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "return-path"},
    *{"received", "mime-version", "content-type", "content-transfer-encoding", "dkim-signature"},
}
"""Said by the mail itself, or by the servers that carry it."""


class Words(NamedTuple):
    """What the reader reads."""

    subject: str
    text: str
    html: str

    @property
    def size(self) -> int:
        return sum(len(part.encode()) for part in self)


class Envelope(NamedTuple):
    """All that two mails to two people may have in common beside their words."""

    sender: str
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """`own_headers` are this reader's alone, however many mails share a call."""

    message: Message
    words: Words
    envelope: Envelope
    own_headers: Headers = ()

    @property
    def to(self) -> str:
        return self.message.to


class Composer:
    """Composes one chunk's mails; what it made of an HTML is kept for the next that says the same."""

    def __init__(self, sender: str, mailto: str = "") -> None:
        """`mailto` is where readers may also write to if they want no more."""
        self._sender = sender
        self._mailto = mailto
        self._made: dict[tuple[str, str], Words] = {}

    def compose(self, message: Message) -> Mail:
        """The mail, or `ProviderError` for what cannot be one."""
        try:
            envelope = self._envelope(message)
            _refuse_other_recipients(message.to, envelope)
        except (AnymailInvalidAddress, ValueError, TypeError, AttributeError) as error:
            raise bad_message(f"cannot be written as a mail: {type(error).__name__}") from None
        return Mail(message, self._words(message), envelope, self._own_headers(message, envelope))

    def _envelope(self, message: Message) -> Envelope:
        said = message.overrides
        envelope = Envelope(
            sender=formataddr(parseaddr(said.get("from") or self._sender)),
            cc=_addresses(said.get("cc")),
            bcc=_addresses(said.get("bcc")),
            reply_to=_addresses(said.get("reply_to")),
            headers=_pairs(said.get("headers")),
            tags=tuple(said.get("tags") or ()),
            metadata=_pairs(said.get("metadata")),
            attachments=tuple(message.attachments),
        )
        _refuse_injection(message, envelope)
        return envelope

    def _own_headers(self, message: Message, envelope: Envelope) -> Headers:
        """None where the request names a way out of its own."""
        if any(name.lower() == PLACES.lower() for name, _ in envelope.headers):
            return ()
        return list_headers(message.unsubscribe_url, self._mailto)

    def _words(self, message: Message) -> Words:
        content = message.content
        subject = content.subject or content.title
        if not content.html:
            return Words(subject, content.body, "")
        if message.template_version_id is not None:
            return Words(subject, content.body or text_of(content.html), content.html)
        found = self._made.get((content.html, content.body))
        if found is None:
            found = Words("", content.body or text_of(content.html), inlined(content.html))
            self._made[content.html, content.body] = found
        return found._replace(subject=subject)


def bad_message(words: str) -> ProviderError:
    return ProviderError(ErrorKind.ADDRESS, words, code="bad_message")


def _addresses(said: Any) -> tuple[str, ...]:
    if isinstance(said, str):
        raise TypeError("a list is asked for")
    return tuple(said or ())


def _pairs(said: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((said or {}).items())


def _refuse_injection(message: Message, envelope: Envelope) -> None:
    headers = dict(envelope.headers)
    if not all(_HEADER_NAME.fullmatch(name) for name in headers):
        raise ValueError("no name of a header")
    if not _RESERVED.isdisjoint(name.lower() for name in headers):
        raise ValueError("a header that is not to be overridden")
    if any(_CONTROL.search(value) for value in _lines(message, envelope)):
        raise ValueError("a control character")
    if not all(_MEDIA_TYPE.match(file.content_type) for file in envelope.attachments):
        raise ValueError("no media type")


def _lines(message: Message, envelope: Envelope) -> Iterable[str]:
    """All that becomes a header, of the mail or of one of its parts."""
    yield message.content.subject or message.content.title
    yield from (message.to, envelope.sender, *envelope.cc, *envelope.bcc, *envelope.reply_to, *envelope.tags)
    for name, value in (*envelope.headers, *envelope.metadata):
        yield from (name, value)
    for file in envelope.attachments:
        yield from (file.filename, file.content_type, file.content_id)


def _refuse_other_recipients(to: str, envelope: Envelope) -> None:
    """`a@x.example, b@x.example` is two people to a mail server."""
    if not _PLAIN_ADDRESS.fullmatch(to) and parse_single_address(to).addr_spec != to:
        raise ValueError("not one address")
    parse_address_list([*envelope.cc, *envelope.bcc, *envelope.reply_to])


def written(
    words: Words, envelope: Envelope, to: Iterable[str], headers: Mapping[str, str] | None = None
) -> EmailMultiAlternatives:
    """As Django writes it, to one or to many; `headers` come after the envelope's own."""
    mail = EmailMultiAlternatives(
        subject=words.subject,
        body=words.text,
        from_email=envelope.sender,
        to=list(to),
        cc=list(envelope.cc),
        bcc=list(envelope.bcc),
        reply_to=list(envelope.reply_to),
        headers={**dict(envelope.headers), **(headers or {})},
    )
    if words.html:
        mail.attach_alternative(words.html, "text/html")
    for file in envelope.attachments:
        _attach(mail, file)
    if envelope.attachments and all(file.content_id for file in envelope.attachments):
        mail.mixed_subtype = "related"  # type: ignore[attr-defined]  # shown inside the HTML: RFC 2387
    return mail


def labels(envelope: Envelope) -> dict[str, str]:
    """Tags and metadata as headers, for a server that has no other place for them."""
    said = {}
    if envelope.tags:
        said["X-Tags"] = ", ".join(envelope.tags)
    if envelope.metadata:
        said["X-Metadata"] = orjson.dumps(dict(envelope.metadata)).decode()
    return said


def _attach(mail: EmailMultiAlternatives, file: Attachment) -> None:
    kind = file.content_type.partition(";")[0].strip()
    if not file.content_id:
        mail.attach(file.filename, file.content, kind)
        return
    main, _, sub = kind.partition("/")
    part = MIMEBase(main, sub)
    part.set_payload(file.content)
    encode_base64(part)
    part.add_header("Content-Disposition", "inline", filename=file.filename)
    part["Content-ID"] = f"<{file.content_id.strip('<>')}>"
    mail.attach(part)


@cache
def _inliner() -> Any:
    """Nothing is fetched: a template's style sheets are text of a tenant's, not addresses to be called."""
    from css_inline import CSSInliner  # noqa: PLC0415 - 3 MB, and many processes never send an HTML mail

    return CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


def inlined(html: str) -> str:
    """With the rules of its style sheets in the elements' own attributes; media queries stay."""
    if "<style" not in html.lower():
        return html
    try:
        inlined_html: str = _inliner().inline(html)
    except ValueError:  # it cannot be read as CSS: a browser would leave it out, too
        return html
    return inlined_html


def text_of(html: str) -> str:
    """What it says, with its links."""
    from inscriptis import get_text  # noqa: PLC0415 - 5 MB (lxml), and most templates have a body
    from inscriptis.model.config import ParserConfig  # noqa: PLC0415

    try:
        text: str = get_text(html, ParserConfig(display_links=True))
    except (ValueError, RecursionError):
        text = strip_tags(html)
    return text.strip() or strip_tags(html).strip()
