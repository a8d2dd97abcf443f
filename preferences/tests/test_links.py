"""Links: who they are for is sealed in them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import override_settings

from preferences.links import (
    Link,
    end_of_mail_links,
    preferences_url,
    seal,
    unseal,
    unsubscribe_url,
)

NOW = dt.datetime(2026, 5, 1, 9, 30, tzinfo=dt.UTC)
ANN = UUID("0199a0b4-0000-7000-8000-00000000000a")
LINK = Link(
    tenant_id=UUID("0199a0b4-0000-7000-8000-000000000001"),
    recipient_id=ANN,
    until=NOW,
    channel="email",
    category="marketing",
    address="ann@example.com",
)


def test_it_works() -> None:
    token = seal(LINK)
    assert unseal(token) == LINK
    assert seal(LINK) == token, "the same link is the same mail's"
    assert len(token) < 130
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "over",
    [
        {"recipient_id": None},
        {"recipient_id": None, "address": "änn@exämple.com"},
        {"channel": "", "category": "", "address": ""},
        {"category": "c" * 64, "address": "a" * 320},
    ],
)
def test_it_brings_back_what_was_sealed(over: dict[str, Any]) -> None:
    link = Link(**{**{name: getattr(LINK, name) for name in Link.__slots__}, **over})
    assert unseal(seal(link)) == link


def test_nothing_can_be_read_from_it() -> None:
    """SIV: what differs in one recipient differs from the first letter on."""
    token, another = (
        seal(Link(LINK.tenant_id, id, NOW, "email", "marketing", "ann@example.com")) for id in (ANN, uuid4())
    )
    assert token[:20] != another[:20]
    assert "ann" not in token.lower()


@pytest.mark.parametrize("place", [0, 30, 60, -2])
def test_whoever_changes_a_letter_has_no_link(place: int) -> None:
    token = seal(LINK)
    other = "A" if token[place] != "A" else "B"
    assert unseal(token[:place] + other + token[place % len(token) + 1 :]) is None


@pytest.mark.parametrize("token", ["", "x", "ä", "AAAA", "A" * 112, "A" * 5000, "../..", "a b", "=", "%00"])
def test_what_we_did_not_make_is_no_link(token: str) -> None:
    assert unseal(token) is None


def test_links_outlive_the_key_they_were_made_with() -> None:
    with override_settings(SECRET_KEY="first"):
        token = seal(LINK)
    with override_settings(SECRET_KEY="second"):
        assert unseal(token) is None
    with override_settings(SECRET_KEY="third", SECRET_KEY_FALLBACKS=["second", "first"]):
        assert unseal(token) == LINK
        assert seal(LINK) != token


@override_settings(PREFERENCE_LINK_DAYS=60)
def test_it_opens_preferences_for_as_long_as_it_says() -> None:
    until = end_of_mail_links(NOW)
    assert until - NOW >= dt.timedelta(days=60)
    assert end_of_mail_links(NOW + dt.timedelta(hours=9)) == until, "all of a day are alike"
    link = Link(LINK.tenant_id, ANN, until)
    assert link.opens_preferences(NOW)
    assert not link.opens_preferences(until)
    assert not Link(LINK.tenant_id, None, until).opens_preferences(NOW), "nothing is stored of a stranger"


@override_settings(PUBLIC_URL="https://notify.example.com")
def test_it_leads_to_the_installation() -> None:
    assert unsubscribe_url("token") == "https://notify.example.com/unsubscribe/token"
    assert preferences_url("token") == "https://notify.example.com/preferences/token"
