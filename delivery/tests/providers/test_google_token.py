"""The access token: kept by its account, fetched once at a time, replaced when it is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import time_machine
from pydantic import SecretStr

from delivery import loop
from delivery.providers.base import Content, ErrorKind, Message, Provider, ProviderError, Sent
from delivery.providers.push.fcm import Fcm
from delivery.providers.push.google import SCOPE, TOKEN_URL
from delivery.tests.contract import SILENCE, Answer, Server, Signal, json_answer
from delivery.tests.providers.google import granted, key, service_account
from delivery.tests.providers.test_fcm import TestFcm as Contract
from tenants.ids import new_id

REFUSED = json_answer(401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "no"}})


class Firebase:
    """A provider between an endpoint of tokens and one of messages."""

    def __init__(self, tokens: Server, messages: Server) -> None:
        self.tokens, self.messages, self.account = tokens, messages, str(new_id())

    def provider(self, **over: Any) -> Provider:
        settings = Fcm.Settings(
            service_account=SecretStr(service_account()),
            base_url=self.messages.url,
            token_url=f"{self.tokens.url}/token",
        )
        return Fcm(settings, account=self.account, **{"timeout": 5.0, **over})

    def send(self, count: int = 1, **over: Any) -> list[Sent | ProviderError]:
        messages = [Message(new_id(), "1.1", f"token-{n}", Content(title="Hi")) for n in range(count)]
        return loop.run(self.provider(**over).send(messages))

    def error(self, **over: Any) -> ProviderError:
        (outcome,) = self.send(**over)
        assert isinstance(outcome, ProviderError)
        return outcome

    def bearers(self) -> list[str]:
        return [headers["Authorization"] for _, _, headers, _ in self.messages.requests]


@pytest.fixture
def firebase() -> Iterator[Firebase]:
    contract = Contract()
    with (
        Server(contract, Signal.TAKEN, always=granted()) as tokens,
        Server(contract, Signal.TAKEN) as messages,
    ):
        yield Firebase(tokens, messages)


def test_it_works(firebase: Firebase) -> None:
    assert isinstance(firebase.send()[0], Sent)
    ((method, path, _, body),) = firebase.tokens.requests
    assert (method, path) == ("POST", "/token")
    form = parse_qs(body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(form["assertion"][0], key().public_key(), ["RS256"], audience=TOKEN_URL)
    assert (claims["iss"], claims["scope"]) == ("carillon@shop.iam.gserviceaccount.com", SCOPE)
    assert claims["exp"] - claims["iat"] == 3600


def test_it_is_fetched_once_for_a_chunk_and_kept_for_the_next(firebase: Firebase) -> None:
    for _ in range(3):
        assert all(isinstance(outcome, Sent) for outcome in firebase.send(50))
    assert len(firebase.tokens.requests) == 1


def test_it_is_the_accounts_own(firebase: Firebase) -> None:
    firebase.send()
    firebase.account = str(new_id())
    firebase.send()
    assert len(firebase.tokens.requests) == 2


def test_it_is_replaced_shortly_before_it_ends(firebase: Firebase) -> None:
    firebase.send()
    for later, fetched in ((3200, 1), (3400, 2)):
        with time_machine.travel(time.time() + later):
            firebase.send()
        assert len(firebase.tokens.requests) == fetched


def test_a_change_of_settings_is_a_change_of_token(firebase: Firebase) -> None:
    firebase.send()
    with Server(Contract(), Signal.TAKEN, always=granted("ya29.other")) as firebase.tokens:
        firebase.send()
    assert firebase.bearers() == ["Bearer ya29.first", "Bearer ya29.other"]


def test_one_that_google_ended_is_replaced_at_once(firebase: Firebase) -> None:
    firebase.send()
    firebase.tokens.always = granted("ya29.second")
    firebase.messages.always = REFUSED
    with time_machine.travel(time.time() + 120):
        assert firebase.error().kind is ErrorKind.ACCOUNT
        firebase.send(20)
    assert firebase.bearers()[:3] == ["Bearer ya29.first", "Bearer ya29.first", "Bearer ya29.second"]
    assert len(firebase.tokens.requests) == 2, "another would be refused as well"


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (json_answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
         ErrorKind.ACCOUNT, "invalid_grant"),
        (json_answer(401, {"error": "invalid_client"}), ErrorKind.ACCOUNT, "invalid_client"),
        (json_answer(400, []), ErrorKind.ACCOUNT, "400"),
        (json_answer(403, {}), ErrorKind.ACCOUNT, "403"),
        (json_answer(429, {}), ErrorKind.RATE_LIMITED, "429"),
        (json_answer(503, {}), ErrorKind.TRANSIENT, "503"),
        (json_answer(504, {}), ErrorKind.TRANSIENT, "504"),
        (json_answer(200, {"access_token": "x"}), ErrorKind.TRANSIENT, "unreadable"),
        ((200, {}, b"<html>"), ErrorKind.TRANSIENT, "unreadable"),
    ],
)  # fmt: skip
def test_without_a_token_nothing_was_sent(
    firebase: Firebase, answer: Answer, kind: ErrorKind, code: str
) -> None:
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""
    firebase.tokens.always = answer
    assert (firebase.error().kind, firebase.error().code) == (kind, code)
    assert not firebase.messages.requests


def test_an_endpoint_that_is_silent_is_asked_once_for_all(firebase: Firebase) -> None:
    firebase.tokens.signal = Signal.SILENT
    outcomes = firebase.send(50, timeout=SILENCE)
    assert {outcome.kind for outcome in outcomes if isinstance(outcome, ProviderError)} == {
        ErrorKind.TRANSIENT
    }
    assert len(firebase.tokens.requests) == 1


def test_a_chunk_that_is_given_up_leaves_the_next_its_token(firebase: Firebase) -> None:
    async def give_up() -> None:
        async with asyncio.timeout(0.0):
            await firebase.provider().send_one(Message(new_id(), "1.1", "token", Content(title="Hi")))

    with pytest.raises(TimeoutError):
        loop.run(give_up())
    assert isinstance(firebase.send()[0], Sent)
