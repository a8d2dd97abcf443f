from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr, ValidationError
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from delivery import loop
from delivery.providers.base import Button, Content, ErrorKind, ProviderError, Sent
from delivery.providers.webhook.standard import StandardWebhook
from delivery.tests.contract import PROXY, Answer, Server, Signal
from delivery.tests.url_contract import UrlContract
from tenants.ids import new_id

SECRET = "whsec_" + b64encode(b"a secret of twenty-four+").decode()
OLD = "whsec_" + b64encode(b"the secret before this one").decode()
OTHER = "whsec_" + b64encode(b"a secret of somebody else").decode()


class TestWebhook(UrlContract):
    provider = StandardWebhook
    address = "bell"
    bad_address = "gone"
    place = "/hooks/"
    secret = SECRET
    has_secret = True
    kinds: ClassVar[Mapping[Signal, ErrorKind]] = {
        signal: kind
        for signal, kind in UrlContract.kinds.items()
        if signal is not Signal.GARBLED  # whatever it says, a 2xx is a yes
    }
    proxy: ClassVar[Mapping[int, ErrorKind]] = {
        status: ErrorKind.ADDRESS if kind is ErrorKind.ACCOUNT else kind for status, kind in PROXY.items()
    }

    @pytest.fixture(autouse=True)
    def _allow_this_machine(self, settings: Settings) -> None:
        settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {"secrets": f"{SECRET} {OLD}"}

    def taken(self, number: int) -> Answer:
        return 204, {}, b""

    def refused(self) -> Answer:
        return 410, {}, b""

    def test_its_check_fails(self) -> None:  # type: ignore[override]  # there is nobody to ask
        for secrets in ("", "whsec_*", f"{SECRET} whsec_dG9vIHNob3J0", SECRET.replace("whsec", "wrong")):
            with pytest.raises(ValidationError):
                StandardWebhook.Settings(secrets=SecretStr(secrets))

    def test_it_is_signed_with_every_secret(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            assert isinstance(self.ask(server), Sent)
            _, _, headers, body = server.requests[0]
        for secret in (SECRET, OLD):
            Webhook(secret).verify(body, dict(headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER).verify(body, dict(headers))

    def test_it_says_what_the_notification_says(self) -> None:
        id = new_id()
        with Server(self, Signal.TAKEN) as server:
            self.url = server.url
            message = replace(
                self.message(),
                content=Content(title="On its way", body="A-17"),
                notification_id=id,
                category="transactional",
                locale="en",
                data={"order": "A-17"},
                action=Button("https://shop.example", "Track it"),
            )
            loop.run(self.make(self.settings_for("")).send([message]))
            _, _, headers, body = server.requests[0]
        document = json.loads(body)
        assert document["type"] == "notification"
        assert document["data"] == {
            "id": str(id),
            "category": "transactional",
            "locale": "en",
            "title": "On its way",
            "body": "A-17",
            "action": {"url": "https://shop.example", "text": "Track it"},
            "data": {"order": "A-17"},
        }
        assert headers["webhook-id"] == str(message.id)

    def test_a_receiver_that_is_gone_is_not_asked_again(self) -> None:
        assert self.error(Signal.BAD_ADDRESS).permanent

    def test_it_never_posts_inside(self, settings: Settings) -> None:
        settings.NOTIFICATION_PRIVATE_NETWORKS = []
        with Server(self, Signal.TAKEN) as server:
            outcome = self.ask(server)
            assert not server.requests
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.ADDRESS, "private_address")
