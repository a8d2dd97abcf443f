"""The mail services' stand-ins, as their own clients would see them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import requests

from sandbox.testing import RunningSandbox

BASIC = f"Basic {b64encode(b'api:key').decode()}"
SENDGRID = {
    "personalizations": [{"to": [{"email": "ann@example.com"}], "substitutions": {"-name-": "Ann"}}],
    "from": {"email": "hello@shop.example"},
    "subject": "Hi -name-",
    "content": [{"type": "text/plain", "value": "Hello -name-"}],
}
POSTMARK = {"From": "hello@shop.example", "To": "ann@example.com", "Subject": "Hi", "TextBody": "Hello"}
BREVO = {
    "sender": {"email": "hello@shop.example"},
    "to": [{"email": "ann@example.com"}],
    "subject": "Hi",
    "textContent": "Hello",
}
RESEND = {"from": "hello@shop.example", "to": ["ann@example.com"], "subject": "Hi", "text": "Hello"}
MAILGUN = {"from": "hello@shop.example", "to": "ann@example.com", "subject": "Hi", "text": "Hello"}
SES = {
    "Destination": {"ToAddresses": ["ann@example.com"]},
    "Content": {"Raw": {"Data": b64encode(b"Subject: Hi\r\n\r\nHello").decode()}},
}
SES_LOGIN = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20260131/eu-central-1/ses/aws4_request"}

VENDORS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "sendgrid": ("/sendgrid/v3/mail/send", {"Authorization": "Bearer SG.shop.key"}, {"json": SENDGRID}),
    "mailgun": ("/mailgun/v3/mg.shop.example/messages", {"Authorization": BASIC}, {"data": MAILGUN}),
    "postmark": ("/postmark/email", {"X-Postmark-Server-Token": "token-of-a-shop"}, {"json": POSTMARK}),
    "brevo": ("/brevo/v3/smtp/email", {"api-key": "xkeysib-shop-key"}, {"json": BREVO}),
    "resend": ("/resend/emails", {"Authorization": "Bearer re_shop-key"}, {"json": RESEND}),
    "amazon_ses": ("/ses/v2/email/outbound-emails", SES_LOGIN, {"json": SES}),
}
every = pytest.mark.parametrize("name", VENDORS)


def ask(sandbox: RunningSandbox, name: str, headers: dict[str, str] | None = None) -> requests.Response:
    path, login, body = VENDORS[name]
    return requests.post(
        sandbox.http_url + path, headers=login if headers is None else headers, timeout=5, **body
    )


@every
def test_it_works(sandbox: RunningSandbox, name: str) -> None:
    assert ask(sandbox, name).ok
    (got,) = sandbox.messages(provider=name)
    assert (got["channel"], got["to"], got["data"]["status"]) == ("email", "ann@example.com", "accepted")
    assert got["text"].startswith("Hello")
    assert not [value for value in VENDORS[name][1].values() if value in str(got)], "it is shown around"


@every
def test_it_wants_credentials(sandbox: RunningSandbox, name: str) -> None:
    assert ask(sandbox, name, headers={}).status_code in {401, 403}
    assert sandbox.messages() == []


@every
@pytest.mark.parametrize("status", [401, 429, 503])
def test_it_fails_as_it_is_told(sandbox: RunningSandbox, name: str, status: int) -> None:
    sandbox.fault(name, status=status, retry_after=3)
    answer = ask(sandbox, name)
    assert answer.status_code == status
    assert status == 401 or answer.headers["Retry-After"] == "3"


@every
def test_it_refuses_an_address_for_good(sandbox: RunningSandbox, name: str) -> None:
    sandbox.fault(name, reject=True)
    assert ask(sandbox, name).status_code in {400, 422}
    assert sandbox.messages() == []


@every
def test_it_takes_a_message_and_never_answers(sandbox: RunningSandbox, name: str) -> None:
    sandbox.fault(name, accept_then_timeout=True)
    path, login, body = VENDORS[name]
    with pytest.raises(requests.Timeout):
        requests.post(sandbox.http_url + path, headers=login, timeout=0.3, **body)
    assert len(sandbox.messages()) == 1


def test_a_webhook_is_shown_without_its_secrets(sandbox: RunningSandbox) -> None:
    sandbox.webhook("postmark", "http://hook:secret@127.0.0.1:9/x", "signed by this")
    answer = requests.get(f"{sandbox.http_url}/api/webhooks", timeout=5)
    assert answer.json() == {"results": [{"name": "postmark", "url": "http://127.0.0.1:9/x"}]}
    sandbox.clear()
    assert requests.get(f"{sandbox.http_url}/api/webhooks", timeout=5).json() == {"results": []}


@pytest.mark.parametrize(
    "body", [b"{}", b"no JSON", b'{"url": "ftp://x"}', b'{"url": "http://"}', b'{"x": 1}']
)
def test_a_webhook_that_leads_nowhere_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    answer = requests.put(f"{sandbox.http_url}/api/webhooks/postmark", data=body, timeout=5)
    assert answer.status_code in {400, 422}


def test_sendgrid_has_its_limits(sandbox: RunningSandbox) -> None:
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations"""
    person: dict[str, Any] = {"to": [{"email": "ann@example.com"}], "substitutions": {"-name-": "A" * 10_001}}
    for people in ([], [person], [{"to": [{"email": "no address"}]}], [{"to": person["to"]}] * 2):
        answer = requests.post(
            f"{sandbox.http_url}/sendgrid/v3/mail/send",
            headers=VENDORS["sendgrid"][1],
            json={**SENDGRID, "personalizations": people},
            timeout=5,
        )
        assert (answer.status_code, len(answer.json()["errors"])) == (400, 1)
    assert sandbox.messages() == []
