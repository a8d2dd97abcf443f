import base64
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

KEY = base64.b64encode(bytes(32)).decode()
SHORT = base64.b64encode(bytes(31)).decode()
SAFE = {
    "SECRET_KEY": "x" * 64,
    "DEBUG": False,
    "DEMO": False,
    "PUBLIC_URL": "https://notify.example.com",
    "ALLOWED_HOSTS": ["notify.example.com"],
    "METRICS_TOKEN": "token",
    "CREDENTIAL_KEYS": [f"k1:{KEY}"],
    "SUPPRESSION_KEYS": [f"k1:{KEY}"],
}


def ids(**over: Any) -> list[str]:
    with override_settings(**{**SAFE, **over}):
        found = run_checks(include_deployment_checks=True)
    assert all(message.hint for message in found if str(message.id).startswith("carillon."))
    return [str(message.id) for message in found if str(message.id).startswith("carillon.")]


def test_it_works() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"CREDENTIAL_KEYS": []}, "carillon.W001"),
        ({"OIDC_ISSUERS": '[{"issuer": "https://id.example"}]'}, "carillon.E012"),
        ({"OIDC_ISSUERS": "https://id.example"}, "carillon.E012"),
        ({"FEED_HEARTBEAT_SECONDS": 0.0}, "carillon.E004"),
        ({"CREDENTIAL_KEYS": [KEY]}, "carillon.E001"),
        ({"CREDENTIAL_KEYS": [f":{KEY}"]}, "carillon.E001"),
        ({"CREDENTIAL_KEYS": ["k1:not base64!"]}, "carillon.E001"),
        ({"CREDENTIAL_KEYS": [f"k1:{SHORT}"]}, "carillon.E001"),
        ({"CREDENTIAL_KEYS": [f"{'k' * 33}:{KEY}"]}, "carillon.E001"),
        ({"CREDENTIAL_KEYS": [f"k1:{KEY}", f"k1:{KEY}"]}, "carillon.E002"),
        ({"SUPPRESSION_KEYS": []}, "carillon.E006"),
        ({"SUPPRESSION_KEYS": [KEY]}, "carillon.E001"),
        ({"WEB_THREADS": 0}, "carillon.E004"),
        ({"NOTIFICATION_LEASE_SECONDS": 15, "NOTIFICATION_SEND_TIMEOUT": 10.0}, "carillon.E005"),
        ({"SECRET_KEY": "insecure-build-key-replace-me"}, "carillon.E010"),
        ({"SECRET_KEY_FALLBACKS": ["insecure-build-key-replace-me"]}, "carillon.E010"),
        ({"SECRET_KEY": "x" * 31}, "carillon.W016"),
        ({"SECRET_KEY_FALLBACKS": ["short"]}, "carillon.W016"),
        ({"DEBUG": True}, "carillon.E011"),
        ({"DEMO": True}, "carillon.W010"),
        ({"PUBLIC_URL": "https://localhost:8000", "ALLOWED_HOSTS": ["localhost"]}, "carillon.W011"),
        ({"ALLOWED_HOSTS": ["other.example.com"]}, "carillon.W012"),
        ({"METRICS_TOKEN": ""}, "carillon.W013"),
        ({"PUBLIC_URL": "http://notify.example.com"}, "carillon.W014"),
        ({"PREFERENCE_LINK_DAYS": 59}, "carillon.W015"),
    ],
)
def test_it_finds_each_misconfiguration(over: dict[str, Any], expected: str) -> None:
    assert ids(**over) == [expected]


@pytest.mark.parametrize(
    "url", ["", "notify.example.com", "ftp://notify.example.com", "https://", "https://x/?a=b"]
)
def test_it_refuses_a_public_url_that_is_none(url: str) -> None:
    assert "carillon.E003" in ids(PUBLIC_URL=url, ALLOWED_HOSTS=["*"])


def test_it_shows_no_key() -> None:
    with override_settings(CREDENTIAL_KEYS=["k1:c2VjcmV0"]):
        messages = [message.msg for message in run_checks()]

    assert "CREDENTIAL_KEYS: entry 1 holds 6 bytes instead of 32." in messages


def test_it_stops_commands() -> None:
    with override_settings(CREDENTIAL_KEYS=["rubbish"]), pytest.raises(SystemCheckError):
        call_command("check")
