"""Firebase and a browser's push service: our own providers post to them, so that both speak the same."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import jwt
import pytest
import requests
from pydantic import SecretStr
from pytest_django.fixtures import Settings
from pywebpush import WebPusher

from delivery import loop
from delivery.providers.base import Content, Message, Provider, ProviderError, Sent
from delivery.providers.push.fcm import Fcm
from delivery.providers.push.vapid import authorization, signer
from delivery.providers.push.webpush import WebPush
from delivery.tests.contract import PATIENCE, SILENCE
from delivery.tests.providers.google import PROJECT, key, service_account
from delivery.tests.push import VAPID_KEY, subscribe
from sandbox.testing import RunningSandbox
from sandbox.vendors.fcm import GRANT, TOKEN_URL

WORDS = Content(title="On its way", body="A-17 left us.")
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


def fcm(sandbox: RunningSandbox) -> Provider:
    settings = Fcm.Settings(
        service_account=SecretStr(service_account()),
        base_url=f"{sandbox.http_url}/fcm",
        token_url=f"{sandbox.http_url}/fcm/token",
    )
    return Fcm(settings, account=str(uuid4()), timeout=PATIENCE)


def webpush() -> Provider:
    settings = WebPush.Settings(private_key=SecretStr(VAPID_KEY), subject="mailto:push@shop.example")
    return WebPush(settings, timeout=PATIENCE)


class Vendor:
    """A provider that posts to the sandbox, the address there, one that is gone, and the fault's name."""

    def __init__(self, sandbox: RunningSandbox, name: str) -> None:
        self.name = name
        if name == "fcm":
            self.provider, self.address, self.gone = fcm(sandbox), "token-of-ann", "unregistered"
            self.account = PROJECT
        else:
            self.provider = webpush()
            self.address, self.gone = subscribe(sandbox, id="ann"), subscribe(sandbox, id="gone")
            self.account = "ann"

    def send(self, *to: str) -> Sequence[Sent | ProviderError]:
        messages = [Message(id := uuid4(), f"{id}.1", address, WORDS) for address in to or (self.address,)]
        return loop.run(self.provider.send(messages))

    def error(self, *to: str) -> ProviderError:
        (outcome,) = self.send(*to)
        assert isinstance(outcome, ProviderError)
        return outcome


@pytest.fixture(params=["fcm", "webpush"])
def vendor(request: pytest.FixtureRequest, sandbox: RunningSandbox, settings: Settings) -> Vendor:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    return Vendor(sandbox, request.param)


def test_it_works(vendor: Vendor, sandbox: RunningSandbox) -> None:
    (outcome,) = vendor.send()
    assert isinstance(outcome, Sent)
    (message,) = sandbox.messages()
    assert (message["provider"], message["channel"], message["account"]) == (
        vendor.name,
        "push",
        vendor.account,
    )
    assert (message["title"], message["text"]) == (WORDS.title, WORDS.body)
    assert "Authorization" not in message["headers"]


def test_it_answers_a_connection_test(vendor: Vendor, sandbox: RunningSandbox) -> None:
    loop.run(vendor.provider.check())
    assert not sandbox.messages(), "nobody is reached"


def test_a_device_that_is_gone_is_refused_for_good(vendor: Vendor, sandbox: RunningSandbox) -> None:
    gone, sent = vendor.send(vendor.gone, vendor.address)
    assert isinstance(gone, ProviderError)
    assert (gone.kind, gone.permanent) == ("address", True)
    assert isinstance(sent, Sent)
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(503, "transient"), (429, "rate_limited"), (401, "account"), (403, "account")]
)
def test_it_fails_as_it_is_told(vendor: Vendor, sandbox: RunningSandbox, status: int, kind: str) -> None:
    sandbox.fault(vendor.account, status=status, retry_after=7, times=1)
    error = vendor.error()
    assert (error.kind, error.permanent) == (kind, False)
    if kind in {"transient", "rate_limited"}:
        assert error.retry_after == 7
    assert isinstance(vendor.send()[0], Sent), "one request long"


def test_it_takes_a_message_and_never_answers(vendor: Vendor, sandbox: RunningSandbox) -> None:
    sandbox.fault(vendor.name, accept_then_timeout=True)
    vendor.provider.timeout = SILENCE
    assert vendor.error().kind == "unknown"
    assert len(sandbox.messages()) == 1


def test_it_refuses_everybody(vendor: Vendor, sandbox: RunningSandbox) -> None:
    sandbox.fault(vendor.name, reject=True)
    assert vendor.error().permanent
    assert not sandbox.messages()


class TestFcm:
    @pytest.mark.parametrize(
        ("token", "code", "is_permanent"),
        [
            ("malformed", "INVALID_ARGUMENT", True),
            ("another-sender", "SENDER_ID_MISMATCH", False),
            ("no-apns-key", "THIRD_PARTY_AUTH_ERROR", False),
        ],
    )
    def test_some_tokens_have_a_fate(
        self, sandbox: RunningSandbox, token: str, code: str, is_permanent: bool
    ) -> None:
        error = Vendor(sandbox, "fcm").error(token)
        assert (error.code, error.permanent) == (code, is_permanent)

    def test_some_tokens_are_one_projects(self, sandbox: RunningSandbox) -> None:
        vendor = Vendor(sandbox, "fcm")
        assert isinstance(vendor.send(f"of-project-{PROJECT}")[0], Sent)
        assert vendor.error("of-project-another").code == "SENDER_ID_MISMATCH"

    def test_a_topic_is_shown_as_one(self, sandbox: RunningSandbox) -> None:
        Vendor(sandbox, "fcm").send("/topics/news")
        assert [message["to"] for message in sandbox.messages()] == ["/topics/news"]

    def test_it_wants_a_token_of_googles(self, sandbox: RunningSandbox) -> None:
        for bearer in ("", "Bearer nobody", f"Bearer ya29.{int(time.time()) - 1}.x"):
            answer = self.post(sandbox, {"message": {"token": "x"}}, bearer)
            assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({}, "message"),
            ({"message": {"notification": {}}}, "message"),
            ({"message": {"token": "x", "topic": "y"}}, "message"),
            ({"message": {"token": "x", "data": {"a": "b", "c": 1}}}, "message.data[1].value"),
            ({"message": {"token": "x", "android": {"ttl": "60"}}}, "message.android.ttl"),
            ({"message": {"token": "x", "notification": {"body": "x" * 5000}}}, "message"),
            ({"message": {"topic": "x", "notification": {"body": "x" * 2500}}}, "message"),
        ],
    )
    def test_it_takes_only_what_firebase_takes(
        self, sandbox: RunningSandbox, document: Any, field: str
    ) -> None:
        answer = self.post(sandbox, document, f"Bearer ya29.{int(time.time()) + 60}.x")
        assert answer.status_code == 400
        violations = answer.json()["error"]["details"][-1]["fieldViolations"]
        assert [violation["field"] for violation in violations] == [field]

    @pytest.mark.parametrize(
        "over",
        [
            {"iss": ""},
            {"aud": "https://example.com"},
            {"scope": "https://www.googleapis.com/auth/drive"},
            {"exp": 1},
            {"exp": time.time() + 7200},
        ],
    )
    def test_it_grants_a_token_for_an_assertion_alone(
        self, sandbox: RunningSandbox, over: dict[str, Any]
    ) -> None:
        now = int(time.time())
        good = {"iss": "a@shop.example", "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + 3600}
        assert self.asked(sandbox, good).status_code == 200
        refused = self.asked(sandbox, {**good, **over})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    def test_it_says_why_there_is_no_token(self, sandbox: RunningSandbox) -> None:
        sandbox.fault("google_token", reject=True)
        assert Vendor(sandbox, "fcm").error().code == "invalid_grant"

    def asked(self, sandbox: RunningSandbox, claims: dict[str, Any]) -> requests.Response:
        form = {"grant_type": GRANT, "assertion": jwt.encode(claims, key(), "RS256")}
        return requests.post(f"{sandbox.http_url}/fcm/token", form, timeout=5)

    def post(self, sandbox: RunningSandbox, document: Any, bearer: str) -> requests.Response:
        url = f"{sandbox.http_url}/fcm/v1/projects/shop/messages:send"
        return requests.post(url, json=document, headers={"Authorization": bearer}, timeout=5)


class TestWebPush:
    def test_a_subscription_has_the_same_keys_after_a_restart(self, sandbox: RunningSandbox) -> None:
        assert subscribe(sandbox, id="bob") == subscribe(sandbox, id="bob")
        assert subscribe(sandbox) != subscribe(sandbox)

    def test_one_that_was_ended_is_gone(self, sandbox: RunningSandbox, settings: Settings) -> None:
        settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
        vendor = Vendor(sandbox, "webpush")
        requests.delete(f"{sandbox.http_url}/webpush/subscriptions/ann", timeout=5)
        assert (vendor.error().code, vendor.error().permanent) == ("410", True)

    @pytest.mark.parametrize(
        ("over", "status"),
        [
            ({"Authorization": None}, 401),
            ({"Authorization": "vapid t=a.b.c,k=d"}, 401),
            ({"TTL": None}, 400),
            ({"Content-Encoding": "aesgcm"}, 400),
            ({"Topic": "two words"}, 400),
            ({"Urgency": "now"}, 400),
        ],
    )
    def test_it_takes_only_what_a_push_service_takes(
        self, sandbox: RunningSandbox, over: dict[str, str | None], status: int
    ) -> None:
        url, headers, body = self.request(sandbox)
        changed = {name: value for name, value in {**headers, **over}.items() if value is not None}
        assert requests.post(url, body, headers=changed, timeout=5).status_code == status
        assert not sandbox.messages()

    def test_it_shows_whatever_the_browser_reads(self, sandbox: RunningSandbox) -> None:
        url, headers, body = self.request(sandbox)
        assert requests.post(url, body, headers=headers, timeout=5).status_code == 201
        assert [message["text"] for message in sandbox.messages()] == ["plain words"]

    def test_what_the_browser_cannot_read_is_refused(self, sandbox: RunningSandbox) -> None:
        url, headers, body = self.request(sandbox)
        for unreadable, status in ((body[:-1] + b"?", 400), (b"", 400), (b"x" * 4097, 413)):
            assert requests.post(url, unreadable, headers=headers, timeout=5).status_code == status

    @pytest.mark.parametrize(
        "over", [{"aud": "https://push.example"}, {"exp": 1}, {"exp": time.time() + 90_000}, {"sub": "ann"}]
    )
    def test_an_authorization_is_for_this_service_and_for_today(
        self, sandbox: RunningSandbox, over: dict[str, Any]
    ) -> None:
        url, headers, body = self.request(sandbox)
        claims = {
            "aud": sandbox.http_url,
            "sub": "mailto:a@shop.example",
            "exp": int(time.time()) + 60,
            **over,
        }
        headers |= signer(SecretStr(VAPID_KEY)).sign(claims)
        assert requests.post(url, body, headers=headers, timeout=5).status_code == 403

    def request(self, sandbox: RunningSandbox) -> tuple[str, dict[str, str], bytes]:
        """URL, headers and body of a message that is as it should be."""
        told = json.loads(subscribe(sandbox, id="ann"))
        signed = authorization(SecretStr(VAPID_KEY), "mailto:a@shop.example", sandbox.http_url)
        headers = {"Authorization": signed, "TTL": "60", "Content-Encoding": "aes128gcm"}
        return told["endpoint"], headers, WebPusher(told).encode(b"plain words")["body"]
