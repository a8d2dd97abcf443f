"""What every email has in common, as the server gets it."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from delivery.providers.base import Attachment, Content, ErrorKind, Message, ProviderError
from delivery.providers.email.composing import Composer, Mail
from delivery.providers.email.letter import Letter

SENDER = "Shop <hello@shop.example>"
STYLED = (
    "<html><head><style>p{color:red} @media print{p{color:black}}</style></head><body><p>Hi</p></body></html>"
)
LOGO = Attachment("logo.png", "image/png", b"\x89PNG", "logo")
INVOICE = Attachment("Rechnung ü.pdf", "application/pdf", b"%PDF-1.7")


def message(content: Content | None = None, to: str = "ann@example.com", **over: Any) -> Message:
    id = uuid4()
    return Message(id, f"{id}.1", to, content or Content(subject="Hi", body="Hello"), **over)


def compose(content: Content | None = None, **over: Any) -> Mail:
    return Composer(SENDER).compose(message(content, **over))


def read(mail: Mail) -> EmailMessage:
    """As the package reads it that did not write it."""
    parsed: EmailMessage = message_from_bytes(Letter(mail).source, policy=policy.default)
    return parsed


def part(mail: EmailMessage, *kind: str) -> str:
    found = mail.get_body(kind)
    assert found is not None
    text: str = found.get_content()
    return text


def test_it_works() -> None:
    mail = read(compose(Content(subject="Grüße", body="Hallo Änn")))
    assert (mail["Subject"], mail["From"], mail["To"]) == ("Grüße", SENDER, "ann@example.com")
    assert mail.get_content() == "Hallo Änn\r\n" or mail.get_content() == "Hallo Änn"


def test_a_mail_of_html_alone_has_a_text_part() -> None:
    html = '<div style="display:none">x</div><h1>Shipped</h1><p>See <a href="https://s.example/a?b=1&amp;c=2">it</a></p>'
    text = part(read(compose(Content(subject="Hi", html=html))), "plain")
    assert "Shipped" in text
    assert "[it](https://s.example/a?b=1&c=2)" in text
    assert "<" not in text


@pytest.mark.parametrize(
    "html", ["<!-- -->", "<p>", "\0<p>x", "<div>" * 20_000 + "x", "<?xml version='1.0'?><p>x"]
)
def test_html_that_nobody_can_read_is_sent_as_it_is(html: str) -> None:
    assert read(compose(Content(subject="Hi", html=html)))["Subject"] == "Hi"


def test_a_body_of_its_own_is_the_text_part() -> None:
    mail = read(compose(Content(subject="Hi", body="own words", html="<p>others</p>")))
    assert part(mail, "plain").strip() == "own words"


def test_styles_stand_in_the_elements() -> None:
    html = part(read(compose(Content(subject="Hi", html=STYLED))), "html")
    assert '<p style="color: red;">' in html
    assert "@media print" in html


def test_html_without_styles_is_left_alone() -> None:
    assert compose(Content(subject="Hi", html="<p>half a page")).words.html == "<p>half a page"


def test_a_style_sheet_elsewhere_is_not_fetched() -> None:
    html = '<style>p{color:red}</style><link rel="stylesheet" href="http://127.0.0.1:9/a.css"><p>Hi</p>'
    assert '<p style="color: red;">' in compose(Content(subject="Hi", html=html)).words.html


def test_what_was_made_of_an_html_is_made_once_a_chunk() -> None:
    composer = Composer(SENDER)
    first, second = (composer.compose(message(Content(subject=s, html=STYLED))) for s in ("a", "b"))
    assert first.words.html is second.words.html
    assert (first.words.subject, second.words.subject) == ("a", "b")


def test_an_image_stands_inside_the_html() -> None:
    """RFC 2387 and RFC 2392."""
    html = Content(subject="Hi", body="b", html='<img src="cid:logo">')
    mail = read(compose(html, attachments=[LOGO]))
    assert mail.get_content_type() == "multipart/related"
    (image,) = (p for p in mail.walk() if p.get_content_maintype() == "image")
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")
    assert image.get_content() == b"\x89PNG"


def test_a_file_is_attached() -> None:
    mail = read(compose(attachments=[INVOICE, LOGO]))
    assert mail.get_content_type() == "multipart/mixed"
    invoice = next(p for p in mail.walk() if p.get_content_type() == "application/pdf")
    assert (invoice.get_filename(), invoice.get_content()) == ("Rechnung ü.pdf", b"%PDF-1.7")


def test_overrides_are_honoured() -> None:
    said = {
        "cc": ["Bob <bob@example.com>"],
        "bcc": ["archive@shop.example"],
        "reply_to": ["help@shop.example"],
        "headers": {"X-Campaign": "spring"},
        "tags": ["receipt"],
        "metadata": {"order": "A-17"},
    }
    mail = compose(overrides=said)
    shown = read(mail)
    assert (shown["Cc"], shown["Bcc"], shown["Reply-To"]) == (
        "Bob <bob@example.com>",
        None,
        "help@shop.example",
    )
    assert (shown["X-Campaign"], shown["X-Tags"]) == ("spring", "receipt")
    assert json.loads(shown["X-Metadata"]) == {"order": "A-17"}
    expected = ["ann@example.com", "Bob <bob@example.com>", "archive@shop.example"]
    assert Letter(mail).recipients == expected


@pytest.mark.parametrize(
    "over",
    [
        {"to": "ann@example.com, bob@example.com"},
        {"to": "Ann <ann@example.com>"},
        {"to": "ann"},
        {"to": ""},
        {"to": "ann@example.com\r\nBcc: all@example.com"},
        {"content": Content(subject="Hi\nBcc: all@example.com")},
        {"overrides": {"headers": {"X-A": "b\r\nBcc: all@example.com"}}},
        {"overrides": {"headers": {"X-A: b\r\nBcc": "all@example.com"}}},
        {"overrides": {"headers": {"X A": "b"}}},
        {"overrides": {"headers": {"From": "boss@bank.example"}}},
        {"overrides": {"headers": {"bcc": "all@example.com"}}},
        {"overrides": {"headers": {"Content-Type": "text/html"}}},
        {"overrides": {"headers": {"X-A": 1}}},
        {"overrides": {"cc": ["nobody"]}},
        {"overrides": {"cc": "bob@example.com"}},
        {"overrides": {"reply_to": ["a@example.com\nBcc: b@example.com"]}},
        {"overrides": {"tags": ["a\nBcc: b@example.com"]}},
        {"overrides": {"metadata": {"a": "b\nBcc: b@example.com"}}},
        {"attachments": [Attachment('a"\r\nBcc: b@example.com', "text/plain", b"")]},
        {"attachments": [Attachment("a", "text/plain\r\nBcc: b@example.com", b"")]},
        {"attachments": [Attachment("a", "no type", b"")]},
        {"attachments": [Attachment("a", "image/png", b"", "a>\r\nBcc: b@example.com")]},
    ],
)
def test_nothing_adds_a_header_or_a_recipient(over: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as refused:
        Letter(compose(**over))
    assert (refused.value.kind, refused.value.code) == (ErrorKind.ADDRESS, "bad_message")
    assert not refused.value.permanent


def test_a_long_header_is_folded() -> None:
    subject = "words " * 40
    source = Letter(compose(Content(subject=subject, body="b"))).source
    assert max(map(len, source.split(b"\r\n"))) <= 78
    assert message_from_bytes(source, policy=policy.default)["Subject"] == subject.strip()


WAY_OUT = "https://notify.example.com/unsubscribe/" + "t" * 112


def test_a_way_out_stands_in_the_headers() -> None:
    """https://www.rfc-editor.org/rfc/rfc8058#section-8.1"""
    mail = read(compose(unsubscribe_url=WAY_OUT))
    assert mail["List-Unsubscribe"] == f"<{WAY_OUT}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_where_there_is_none_nothing_says_so() -> None:
    mail = read(compose())
    assert "List-Unsubscribe" not in mail
    assert "List-Unsubscribe-Post" not in mail


def test_a_mailto_comes_second_and_says_who_writes() -> None:
    """RFC 2369, section 2: by preference."""
    composed = Composer(SENDER, "leave+news@shop.example").compose(message(unsubscribe_url=WAY_OUT))
    source = Letter(composed).source
    assert max(map(len, source.split(b"\r\n"))) < 998, "RFC 5322, section 2.1.1"
    told = "".join(str(read(composed)["List-Unsubscribe"]).split())
    assert b"\r\nList-Unsubscribe: <https" in source
    subject = f"unsubscribe%20{WAY_OUT.rpartition('/')[2]}"
    assert told == f"<{WAY_OUT}>,<mailto:leave+news@shop.example?subject={subject}>"


def test_a_way_out_of_the_requests_own_goes_first() -> None:
    own = {"headers": {"list-unsubscribe": "<https://shop.example/bye>"}}
    mail = read(compose(unsubscribe_url=WAY_OUT, overrides=own))
    assert mail.get_all("List-Unsubscribe") == ["<https://shop.example/bye>"]
    assert "List-Unsubscribe-Post" not in mail
