from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from delivery import loop
from delivery.providers.base import Button, Content, ErrorKind, ProviderError, Sent
from delivery.providers.push.fcm import Fcm
from delivery.tests.contract import Answer, HttpContract, Server, Signal, json_answer
from delivery.tests.providers.google import PROJECT, granted, service_account
from tenants.ids import new_id

SAMPLES = sorted((Path(__file__).parent / "samples" / "fcm").glob("*.json"))


def in_hours(hours: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)


class TestFcm(HttpContract):
    provider = Fcm
    address = "fcm-token:APA91b-of-ann"
    bad_address = "fcm-token:APA91b-of-nobody"
    secret = service_account()

    @pytest.fixture(autouse=True)
    def _google(self) -> Iterator[None]:
        with Server(self, Signal.TAKEN, always=granted()) as self.tokens:
            yield

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {
            "service_account": self.secret,
            "base_url": base_url,
            "token_url": f"{self.tokens.url}/token",
        }

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"name": f"projects/{PROJECT}/messages/{number}"})

    def refused(self) -> Answer:
        return sample("unregistered")

    def push(self, *answers: Answer, **over: Any) -> tuple[Sent | ProviderError, Server]:
        """One message, whatever Firebase answers to it."""
        with Server(self, Signal.TAKEN, always=answers[0] if answers else None) as server:
            message = replace(self.message(), **over)
            (outcome,) = loop.run(self.make(self.settings_for(server.url)).send([message]))
        return outcome, server

    def pushed(self, **over: Any) -> Any:
        """The message as Firebase gets it."""
        outcome, server = self.push(**over)
        assert isinstance(outcome, Sent)
        return json.loads(server.requests[0][3])["message"]

    def test_it_speaks_the_v1_api(self) -> None:
        """https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send"""
        outcome, server = self.push()
        ((method, path, headers, body),) = server.requests
        assert (method, path) == ("POST", f"/v1/projects/{PROJECT}/messages:send")
        assert headers["Authorization"] == "Bearer ya29.first"
        document = json.loads(body)
        assert document["validate_only"] is False
        assert document["message"]["token"] == self.address
        assert document["message"]["notification"] == {
            "title": self.message().content.title,
            "body": self.message().content.body,
        }
        assert isinstance(outcome, Sent)
        assert outcome.message_id == f"projects/{PROJECT}/messages/1"

    def test_its_check_sends_nothing(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            loop.run(self.make(self.settings_for(server.url)).check())
        (asked,) = server.requests
        assert json.loads(asked[3])["validate_only"] is True

    def test_a_topic_is_an_address_too(self) -> None:
        message = self.pushed(to="/topics/news", badge=3)
        assert (message["topic"], "token" in message) == ("news", False)
        assert "payload" not in message["apns"], "a topic's readers have no badge in common"

    def test_a_browsers_subscription_is_for_web_push(self) -> None:
        assert Fcm.accepts(self.address)
        assert not Fcm.accepts('{"endpoint":"https://push.example/1","keys":{}}')

    def test_it_says_how_long_the_message_is_worth_it(self) -> None:
        expires_at = in_hours(1)
        message = self.pushed(expires_at=expires_at)
        assert 3500 < int(message["android"]["ttl"].removesuffix("s")) <= 3600
        assert 3500 < int(message["webpush"]["headers"]["TTL"]) <= 3600
        assert message["apns"]["headers"]["apns-expiration"] == str(int(expires_at.timestamp()))

    def test_a_message_that_is_late_is_not_kept(self) -> None:
        message = self.pushed(expires_at=in_hours(-1))
        assert message["android"]["ttl"] == "0s"
        assert message["webpush"]["headers"]["TTL"] == "0"
        assert message["apns"]["headers"]["apns-expiration"] == "0"

    def test_without_a_deadline_firebase_keeps_it_as_long_as_it_can(self) -> None:
        message = self.pushed()
        assert "ttl" not in message["android"]
        assert "apns-expiration" not in message["apns"]["headers"]

    @pytest.mark.parametrize(
        ("is_urgent", "priorities"), [(True, ("HIGH", "10", "high")), (False, ("NORMAL", "5", "normal"))]
    )
    def test_what_is_urgent_wakes_the_device(self, is_urgent: bool, priorities: tuple[str, ...]) -> None:
        message = self.pushed(is_urgent=is_urgent)
        apns, web = message["apns"]["headers"], message["webpush"]["headers"]
        assert (message["android"]["priority"], apns["apns-priority"], web["Urgency"]) == priorities

    def test_it_says_what_the_channel_has_words_for(self) -> None:
        overrides = {"image": "https://shop.example/a.png", "collapse_key": "order A-17"}
        message = self.pushed(overrides=overrides, badge=4, action=Button("https://shop.example/a", "Look"))
        assert message["notification"]["image"] == "https://shop.example/a.png"
        assert message["android"]["notification"] == {"notification_count": 4}
        assert message["android"]["collapse_key"] == "order A-17"
        assert message["apns"]["payload"]["aps"] == {"badge": 4, "mutable-content": 1}
        assert message["apns"]["fcm_options"] == {"image": "https://shop.example/a.png"}
        assert message["apns"]["headers"]["apns-collapse-id"] == "order A-17"
        assert message["webpush"]["fcm_options"] == {"link": "https://shop.example/a"}
        assert len(message["webpush"]["headers"]["Topic"]) == 32, "a Topic has no spaces: RFC 8030, 5.4"

    def test_browsers_follow_no_link_that_is_not_https(self) -> None:
        message = self.pushed(action=Button("http://shop.example/a", "Look"))
        assert "fcm_options" not in message["webpush"]
        assert message["data"]["action_url"] == "http://shop.example/a"

    def test_the_data_are_texts(self) -> None:
        id = new_id()
        data = {"order": "A-17", "count": 3, "lines": ["x"], "from": "x", "google.x": "y"}
        message = self.pushed(
            data=data, notification_id=id, overrides={"data": {"order": "B-1", "screen": "s"}}
        )
        assert message["data"] == {"notification_id": str(id), "order": "B-1", "screen": "s"}

    def test_data_that_would_be_too_long_stay_away(self) -> None:
        message = self.pushed(data={"terms": "x" * 3000, "order": "A-17"}, overrides={"data": {"a": "b"}})
        assert message["data"] == {"a": "b"}

    def test_a_message_without_words_is_data_alone(self) -> None:
        message = self.pushed(content=Content(), overrides={"data": {"sync": "1"}})
        assert "notification" not in message

    def test_overrides_go_deep_before_ours(self) -> None:
        overrides = {
            "android": {"notification": {"channel_id": "orders"}, "priority": "HIGH"},
            "apns": {"payload": {"aps": {"sound": "bell.caf"}}, "headers": {"apns-priority": "10"}},
            "webpush": {"notification": {"requireInteraction": True}},
        }
        message = self.pushed(overrides=overrides, badge=1)
        assert message["android"]["notification"] == {"channel_id": "orders", "notification_count": 1}
        assert message["android"]["priority"] == "HIGH"
        assert message["apns"]["payload"]["aps"] == {"badge": 1, "sound": "bell.caf"}
        assert message["apns"]["headers"] == {"apns-priority": "10"}
        assert message["webpush"]["notification"] == {"requireInteraction": True}
        assert message["webpush"]["headers"] == {"Urgency": "normal"}

    @pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
    def test_it_knows_firebases_codes(self, path: Path) -> None:
        outcome, _ = self.push(sample(path.stem))
        assert isinstance(outcome, ProviderError)
        assert json.loads(path.read_text())["expected"] == {
            "kind": outcome.kind.value,
            "code": outcome.code,
            "permanent": outcome.permanent,
            "retry_after": outcome.retry_after,
        }

    def test_another_projects_token_may_be_another_accounts(self) -> None:
        elsewhere = {path.stem for path in SAMPLES if is_elsewhere(self.push(sample(path.stem))[0])}
        assert elsewhere == {"sender-id-mismatch"}

    def test_the_quotas_wait_is_firebases_own_where_it_says_one(self) -> None:
        status, _, body = sample("quota-exceeded")
        outcome, _ = self.push((status, {"Retry-After": "30"}, body))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.retry_after) == (ErrorKind.RATE_LIMITED, 30)

    @pytest.mark.parametrize("answer", [{}, [], {"name": None}])
    def test_an_answer_without_a_message_is_unknown(self, answer: Any) -> None:
        outcome, _ = self.push(json_answer(200, answer))
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    @pytest.mark.parametrize(
        "document", ["", "{", "[]", "{}", json.dumps({**json.loads(service_account()), "private_key": "x"})]
    )
    def test_it_refuses_a_service_account_that_is_none(self, document: str) -> None:
        with pytest.raises(ValidationError, match="not the JSON of a service account's key"):
            Fcm.Settings.model_validate({"service_account": document})


def sample(name: str) -> Answer:
    told = json.loads((SAMPLES[0].parent / f"{name}.json").read_text())
    return json_answer(told["status"], told["body"])


def is_elsewhere(outcome: Sent | ProviderError) -> bool:
    return isinstance(outcome, ProviderError) and outcome.elsewhere
