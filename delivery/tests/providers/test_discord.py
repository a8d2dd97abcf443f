from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from delivery.providers.base import Button, Content, ErrorKind, Message, ProviderError, Sent
from delivery.providers.discord.webhook import CONTENT, DESCRIPTION, EMBEDS, DiscordWebhook
from delivery.tests.contract import RETRY_AFTER, Answer, Server, Signal, json_answer
from delivery.tests.url_contract import UrlContract


class TestDiscord(UrlContract):
    provider = DiscordWebhook
    address = "open-token"
    bad_address = "removed-token"
    place = "/api/webhooks/1234567890/"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "username": "Carillon"}

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"id": f"11{number:017d}", "type": 0})

    def refused(self) -> Answer:
        return json_answer(404, {"message": "Unknown Webhook", "code": 10015})

    def answer(self, signal: Signal, number: int) -> Answer:
        if signal is Signal.TOO_FAST:  # the body is exact, the header is rounded up
            said = {"message": "You are being rate limited.", "retry_after": RETRY_AFTER, "global": False}
            status, headers, body = json_answer(429, said)
            return status, {**headers, "Retry-After": str(RETRY_AFTER + 1)}, body
        return super().answer(signal, number)

    def said(self, **over: Any) -> dict[str, Any]:
        """The document that Discord gets for a message."""
        with Server(self, Signal.TAKEN) as server:
            (outcome,) = self.post(server, self.to(server, **over))
            assert isinstance(outcome, Sent)
            _, path, _, body = server.requests[0]
        assert path.endswith("?wait=true")
        document: dict[str, Any] = json.loads(body)
        return document

    def to(self, server: Server, **over: Any) -> Message:
        self.url = server.url
        return replace(self.message(), **over)

    def test_a_short_text_is_plain(self) -> None:
        document = self.said(content=Content(body="Hi @everyone"))
        assert document == {
            "username": "Carillon",
            "content": "Hi @everyone",
            "allowed_mentions": {"parse": []},
        }

    def test_a_title_and_a_link_make_an_embed(self) -> None:
        action = Button("https://shop.example/a-17", "Track it")
        document = self.said(content=Content(title="On its way", body="A-17"), action=action)
        assert document["embeds"] == [{"description": "A-17", "title": "On its way", "url": action.url}]

    def test_embeds_of_the_template_go_before_ours(self) -> None:
        overrides = {"embeds": [{"title": "Mine"}], "username": "Shop"}
        document = self.said(content=Content(title="On its way", body="A-17"), overrides=overrides)
        assert (document["embeds"], document["content"]) == ([{"title": "Mine"}], "A-17")
        assert document["username"] == "Shop"

    @pytest.mark.parametrize("length", [CONTENT + 1, DESCRIPTION + 1, EMBEDS])
    def test_a_long_text_is_kept_whole(self, length: int) -> None:
        embeds = self.said(content=Content(body="x" * length))["embeds"]
        assert sum(len(embed["description"]) for embed in embeds) == length

    def test_a_text_that_is_too_long_is_not_sent(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            (outcome,) = self.post(server, self.to(server, content=Content(body="x" * (EMBEDS + 1))))
            assert not server.requests
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (ErrorKind.ADDRESS, "too_long", False)

    @pytest.mark.parametrize(
        ("status", "code", "is_permanent"),
        [(404, 10015, True), (401, 50027, True), (400, 50035, False), (400, 220001, False)],
    )
    def test_it_reads_discords_codes(self, status: int, code: int, is_permanent: bool) -> None:
        answer = json_answer(status, {"message": "no", "code": code})
        with Server(self, Signal.TAKEN, always=answer) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.ADDRESS, str(code))
        assert outcome.permanent is is_permanent

    def test_it_posts_nowhere_but_to_discord(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            message = replace(self.to(server), to=f"{server.url}/elsewhere")
            (outcome,) = self.post(server, message)
            assert isinstance(outcome, ProviderError)
            assert outcome.code == "not_discord"
            assert not server.requests
