from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import time_machine
from py_vapid import Vapid02
from py_vapid.jwt import decode
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from delivery import loop
from delivery.providers.base import Button, ErrorKind, Message, ProviderError, Sent
from delivery.providers.push.webpush import WebPush
from delivery.tests.contract import PROXY, Answer, Server, Signal
from delivery.tests.providers.browser import Browser
from delivery.tests.push import VAPID_KEY
from delivery.tests.url_contract import UrlContract
from tenants.ids import new_id

BROWSER = Browser()


LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class TestWebPush(UrlContract):
    provider = WebPush
    address = "browser-of-ann"
    bad_address = "browser-of-nobody"
    place = "/push/"
    secret = VAPID_KEY
    has_secret = True
    kinds: ClassVar[Mapping[Signal, ErrorKind]] = {
        **{signal: kind for signal, kind in UrlContract.kinds.items() if signal is not Signal.GARBLED},
        Signal.BAD_CREDENTIALS: ErrorKind.ACCOUNT,
    }
    proxy: ClassVar[Mapping[int, ErrorKind]] = {
        **PROXY,
        302: ErrorKind.ADDRESS,  # nobody's account: the browser chose where to send
        404: ErrorKind.ADDRESS,
    }

    @pytest.fixture(autouse=True)
    def _allow_this_machine(self, settings: Settings) -> None:
        settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {"private_key": VAPID_KEY, "subject": "mailto:push@shop.example"}

    def message(self, to: str = "") -> Message:
        plain = super().message(to)
        return replace(plain, to=BROWSER.subscription(plain.to))

    def taken(self, number: int) -> Answer:
        return 201, {"Location": f"https://push.example/message/{number}"}, b""

    def refused(self) -> Answer:
        return 410, {}, b""

    def pushed(self, **over: Any) -> tuple[Mapping[str, str], Any]:
        """The headers, and the message as the browser reads it."""
        with Server(self, Signal.TAKEN) as server:
            outcome = self.outcome_of(server, **over)
        assert isinstance(outcome, Sent)
        ((method, path, headers, body),) = server.requests
        assert (method, path) == ("POST", f"{self.place}{self.address}")
        return headers, BROWSER.read(body)

    def outcome(self, answer: Answer) -> ProviderError:
        with Server(self, Signal.TAKEN, always=answer) as server:
            outcome = self.outcome_of(server)
        assert isinstance(outcome, ProviderError)
        return outcome

    def outcome_of(self, server: Server, **over: Any) -> Sent | ProviderError:
        """What becomes of one message."""
        self.url = server.url
        message = replace(self.message(), **over)
        (outcome,) = loop.run(self.make(self.settings_for(server.url)).send([message]))
        return outcome

    def test_its_check_fails(self) -> None:  # type: ignore[override]  # there is nobody to ask
        good = self.settings_for("")
        for wrong in (
            {"private_key": ""},
            {"private_key": "no key"},
            {"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
            {"subject": "push@shop.example"},
            {"subject": "mailto:push@localhost"},
        ):
            with pytest.raises(ValidationError):
                WebPush.Settings.model_validate({**good, **wrong})

    def test_only_the_browser_reads_it(self) -> None:
        headers, document = self.pushed()
        assert headers["Content-Encoding"] == "aes128gcm"
        content = self.message().content
        assert document == {
            "web_push": 8030,
            "notification": {"title": content.title, "body": content.body},
        }

    def test_it_says_what_a_browser_can_show(self) -> None:
        id = new_id()
        _, document = self.pushed(
            notification_id=id,
            locale="en",
            badge=3,
            data={"order": "A-17", "count": 3},
            action=Button("https://shop.example/a", "Look"),
            overrides={
                "image": "https://shop.example/a.png",
                "collapse_key": "A-17",
                "data": {"screen": "order"},
                "webpush": {"notification": {"requireInteraction": True, "data": {"x": "y"}}},
            },
        )
        assert document["app_badge"] == 3
        shown = document["notification"]
        assert (shown["navigate"], shown["lang"], shown["tag"]) == ("https://shop.example/a", "en", "A-17")
        assert (shown["image"], shown["requireInteraction"]) == ("https://shop.example/a.png", True)
        assert shown["data"] == {
            "notification_id": str(id),
            "action_url": "https://shop.example/a",
            "order": "A-17",
            "screen": "order",
            "x": "y",
        }

    def test_it_says_who_we_are(self) -> None:
        """https://www.rfc-editor.org/rfc/rfc8292#section-2"""
        headers, _ = self.pushed()
        parts = dict(
            part.split("=", 1) for part in headers["Authorization"].removeprefix("vapid ").split(",")
        )
        claims = decode(parts["t"], parts["k"])
        assert (claims["aud"], claims["sub"]) == (self.url, "mailto:push@shop.example")
        assert 6 * 3600 <= claims["exp"] - time.time() <= 12 * 3600
        assert Vapid02.verify(headers["Authorization"])

    def test_an_authorization_is_used_for_hours_and_no_longer(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            for hours in (1, 2, 8):
                with time_machine.travel(dt.datetime(2026, 11, 21, hours, tzinfo=dt.UTC)):
                    self.outcome_of(server)
        first, same, other = (headers["Authorization"] for _, _, headers, _ in server.requests)
        assert first == same != other

    @pytest.mark.parametrize(
        ("over", "expected"),
        [
            ({}, {"TTL": str(28 * 24 * 3600), "Urgency": "normal"}),
            ({"is_urgent": True}, {"Urgency": "high"}),
            ({"expires_at": LONG_AGO}, {"TTL": "0"}),
            ({"overrides": {"collapse_key": "A-17"}}, {"Topic": "A-17"}),
        ],
    )
    def test_it_tells_the_service_how_to_treat_it(
        self, over: dict[str, Any], expected: dict[str, str]
    ) -> None:
        """https://www.rfc-editor.org/rfc/rfc8030#section-5"""
        headers, _ = self.pushed(**over)
        assert {name: headers[name] for name in expected} == expected

    def test_it_is_not_kept_past_its_deadline(self) -> None:
        headers, _ = self.pushed(expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        assert 3000 < int(headers["TTL"]) <= 3600

    @pytest.mark.parametrize(
        ("status", "kind", "is_permanent"),
        [
            (404, ErrorKind.ADDRESS, True),
            (410, ErrorKind.ADDRESS, True),
            (400, ErrorKind.ADDRESS, False),
            (413, ErrorKind.ADDRESS, False),
            (401, ErrorKind.ACCOUNT, False),
            (403, ErrorKind.ACCOUNT, False),
            (500, ErrorKind.TRANSIENT, False),
        ],
    )
    def test_only_a_subscription_that_ended_is_forgotten(
        self, status: int, kind: ErrorKind, is_permanent: bool
    ) -> None:
        error = self.outcome((status, {}, b'{"reason":"BadJwtToken"}'))
        assert (error.kind, error.permanent, error.code) == (kind, is_permanent, str(status))
        assert ("BadJwtToken" in error.message) == (status < 500)

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (400, '{"reason":"VapidPkHashMismatch"}'),
            (401, '{"code":401,"errno":109,"error":"Unauthorized","message":"VAPID public key mismatch"}'),
            (
                403,
                "the VAPID credentials in the authorization header do not correspond to the credentials used "
                "to create the subscriptions.\n",
            ),
        ],
    )
    def test_a_subscription_to_another_key_is_not_the_accounts_fault(self, status: int, said: str) -> None:
        """As Apple, Mozilla and Google say it."""
        error = self.outcome((status, {}, said.encode()))
        assert (error.kind, error.permanent, error.code) == (ErrorKind.ADDRESS, False, "other_key")
        assert error.elsewhere

    @pytest.mark.parametrize(
        "address",
        [
            "fcm-token:APA91b",
            "{}",
            "[]",
            "7",
            '{"endpoint":"https://push.example/1"}',
            '{"endpoint":"https://push.example/1","keys":{"p256dh":"AAAA","auth":"AAAA"}}',
            BROWSER.subscription("ftp://push.example/1"),
            json.dumps({**json.loads(BROWSER.subscription("https://x.example")), "endpoint": 7}),
        ],
    )
    def test_what_is_no_subscription_is_not_its_own(self, address: str) -> None:
        assert not WebPush.accepts(address)
        assert WebPush.accepts(BROWSER.subscription("https://push.example/1"))

    @pytest.mark.parametrize("endpoint", ["http://[::1]:9/1", "https://"])
    def test_an_endpoint_that_nobody_can_sign_for_is_none(self, endpoint: str) -> None:
        self.check_refused(BROWSER.subscription(endpoint))

    def test_a_key_that_is_on_no_curve_is_none(self) -> None:
        told = json.loads(BROWSER.subscription("https://push.example/1"))
        told["keys"]["p256dh"] = "A" * 87
        self.check_refused(json.dumps(told))

    def check_refused(self, address: str) -> None:
        message = replace(self.message(), to=address)
        (error,) = loop.run(self.make(self.settings()).send([message]))
        assert isinstance(error, ProviderError)
        assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "bad_subscription", True)

    def test_it_never_posts_inside(self, settings: Settings) -> None:
        settings.NOTIFICATION_PRIVATE_NETWORKS = []
        with Server(self, Signal.TAKEN) as server:
            outcome = self.outcome_of(server)
            assert not server.requests
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (
            ErrorKind.ADDRESS,
            "private_address",
            False,
        )

    def test_a_key_may_be_in_pem(self) -> None:
        made = Vapid02()
        made.generate_keys()
        settings = {**self.settings_for(""), "private_key": made.private_pem().decode()}
        loop.run(self.make(settings).check())
