"""Which mails share a call. Pure: no service is asked."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.providers.base import Attachment
from delivery.providers.email.batching import Limits, batches
from delivery.providers.email.composing import Composer, Mail
from delivery.tests.esp import mail

MANY = Limits(recipients=1000, own_words=1000)
FILE = Attachment("a.pdf", "application/pdf", b"x" * 5000)


def compose(to: str, text: str = "Hello", html: str = "", **over: Any) -> Mail:
    return Composer("hello@shop.example").compose(mail(to, "Hi", text, html, **over))


def people(number: int, text: str = "Hello", **over: Any) -> list[Mail]:
    return [compose(f"p{n}@example.com", text, **over) for n in range(number)]


@pytest.mark.parametrize(
    ("mails", "limits", "sizes"),
    [
        ([], MANY, []),
        (people(3), Limits(), [1, 1, 1]),
        (people(3), MANY, [3]),
        (people(5), Limits(recipients=2), [2, 2, 1]),
        ([compose(f"p{n}@example.com", f"Nr {n}") for n in range(3)], MANY, [3]),
        ([compose(f"p{n}@example.com", f"Nr {n}") for n in range(3)], Limits(recipients=9), [1, 1, 1]),
        ([compose(f"p{n}@example.com", f"Nr {n}" + "x" * 1000) for n in range(3)], MANY, [1, 1, 1]),
        (people(3, "x" * 2000), MANY, [3]),
        (people(3, "x" * 900), Limits(recipients=9, own_words=1000, size=4000), [2, 1]),
        ([compose("a@x.example"), compose("A@X.example"), compose("b@x.example")], MANY, [2, 1]),
        ([compose("a@x.example", html="<p>a</p>"), compose("b@x.example")], MANY, [1, 1]),
        (people(3, overrides={"cc": ["boss@x.example"]}), MANY, [1, 1, 1]),
        (people(3, overrides={"tags": ["a"]}) + people(2), MANY, [3, 2]),
        (people(2, attachments=[FILE]), MANY, [2]),
        (people(2, attachments=[FILE]), Limits(recipients=9, own_words=9, attachments=False), [1, 1]),
    ],
)
def test_it_works(mails: list[Mail], limits: Limits, sizes: list[int]) -> None:
    found = batches(mails, limits)
    assert [len(batch) for batch in found] == sizes
    sent = [one.message.reference for batch in found for one in batch]
    assert sorted(sent) == sorted(one.message.reference for one in mails)
    for batch in found:
        assert len({one.to.lower() for one in batch}) == len(batch)
        assert len({one.envelope for one in batch}) == 1
