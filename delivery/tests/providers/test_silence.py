"""Which accounts nobody will hear of again, which explain warns of."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.registry import provider, providers

SENDER = {"sender": "Shop <hello@shop.example>"}
AMAZON = {"region": "eu-central-1", "access_key_id": "AKIA00000000SHOP", "secret_access_key": "x"}
ARN = "arn:aws:sns:eu-central-1:123456789012:shop"
SMPP = {"host": "smsc.example", "system_id": "shop", "password": "x"}
GATEWAY = {"url": "https://gateway.example/send", "secret": "x"}
LOGIN = {"webhook_login": "user:password"}
NO_ACCOUNT_HEARS = {
    "smtp",
    "fcm",
    "webpush",
    "slack_bot",
    "slack_webhook",
    "discord_webhook",
    "standard_webhook",
}
EVERY_ACCOUNT_HEARS = {"feed", "twilio", "meta"}

BY_SETTINGS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("email", "amazon_ses", {**SENDER, "region": "eu-central-1"}, {"topics": ARN}),
    ("email", "brevo", {**SENDER, "api_key": "x"}, LOGIN),
    ("email", "mailgun", {**SENDER, "api_key": "x", "domain": "mg.shop.example"}, {"webhook_key": "x"}),
    ("email", "postmark", {**SENDER, "server_token": "x"}, LOGIN),
    ("email", "resend", {**SENDER, "api_key": "x"}, {"webhook_key": "whsec_Y2Fy"}),
    ("email", "sendgrid", {**SENDER, "api_key": "x"}, {"verification_key": "x"}),
    ("sms", "http", GATEWAY, {"receipt_proof": "hmac_sha256"}),
    ("sms", "smpp", {**SMPP, "bind": "transmitter"}, {"bind": "separate"}),
    ("sms", "smpp", {**SMPP, "registered_delivery": "failures"}, {"registered_delivery": "all"}),
    ("sms", "sns", AMAZON, {"topics": ARN}),
]


def silence(channel: str, name: str, settings: dict[str, Any]) -> str:
    cls = provider(channel, name)
    return cls(cls.Settings.model_validate(settings)).silence()


@pytest.mark.parametrize(("channel", "name", "without", "filled_in"), BY_SETTINGS)
def test_it_works(channel: str, name: str, without: dict[str, Any], filled_in: dict[str, Any]) -> None:
    assert silence(channel, name, without)
    assert silence(channel, name, {**without, **filled_in}) == ""


def test_the_others_hear_whatever_their_settings_are_or_nothing() -> None:
    by_settings = {name for _, name, _, _ in BY_SETTINGS}
    others = {(channel, name): cls for (channel, name), cls in providers().items() if name not in by_settings}
    silent = {name for (_, name), cls in others.items() if cls(cls.Settings.model_construct()).silence()}
    assert silent == NO_ACCOUNT_HEARS
    assert {name for _, name in others} - silent == EVERY_ACCOUNT_HEARS
