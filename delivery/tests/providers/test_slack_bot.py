from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from delivery import loop
from delivery.providers.base import Button, Content, ErrorKind, ProviderError, Sent
from delivery.providers.slack.bot import SlackBot
from delivery.tests.contract import RETRY_AFTER, Answer, HttpContract, Server, Signal, json_answer
from tenants.ids import new_id


class TestSlackBot(HttpContract):
    provider = SlackBot
    address = "C024BE91L"
    bad_address = "C0ARCHIVED"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {"token": self.secret, "base_url": f"{base_url}/api"}

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"ok": True, "channel": self.address, "ts": f"1503435956.{number:06d}"})

    def refused(self) -> Answer:
        return json_answer(200, {"ok": False, "error": "is_archived"})

    def answer(self, signal: Signal, number: int) -> Answer:
        match signal:
            case Signal.BAD_CREDENTIALS:
                return json_answer(200, {"ok": False, "error": "invalid_auth"})
            case Signal.TOO_FAST:
                said = json_answer(429, {"ok": False, "error": "ratelimited"})
                return said[0], {**said[1], "Retry-After": str(RETRY_AFTER)}, said[2]
            case _:
                return super().answer(signal, number)

    def said(self, **over: Any) -> dict[str, Any]:
        """The document that Slack gets for a message."""
        with Server(self, Signal.TAKEN) as server:
            message = replace(self.message(), **over)
            (outcome,) = loop.run(self.make(self.settings_for(server.url)).send([message]))
            assert isinstance(outcome, Sent)
            document: dict[str, Any] = json.loads(server.requests[0][3])
        return document

    def test_it_makes_blocks_of_what_it_is_given(self) -> None:
        document = self.said(
            content=Content(title="On its way", body="*A-17* left us"),
            action=Button("https://shop.example/a-17", "Track it"),
        )
        assert document["channel"] == self.address
        assert document["text"] == "*A-17* left us"
        assert [block["type"] for block in document["blocks"]] == ["header", "section", "actions"]
        assert document["blocks"][2]["elements"][0]["url"] == "https://shop.example/a-17"

    def test_blocks_of_the_template_go_before_ours(self) -> None:
        blocks = [{"type": "divider"}]
        document = self.said(overrides={"blocks": blocks, "thread_ts": "1.2"})
        assert (document["blocks"], document["thread_ts"]) == (blocks, "1.2")

    def test_ready_content_mentions_nobody(self) -> None:
        document = self.said(content=Content(body="<!channel> & <@U1>"))
        assert document["text"] == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
        assert document["blocks"][0]["text"]["text"] == document["text"]

    def test_a_template_may_link(self) -> None:
        link = "<https://shop.example|Look>"
        assert self.said(content=Content(body=link), template_version_id=new_id())["text"] == link

    def test_a_long_text_is_parted_and_kept_whole(self) -> None:
        blocks = self.said(content=Content(body="x" * 7000))["blocks"]
        assert [len(block["text"]["text"]) for block in blocks] == [3000, 3000, 1000]

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("channel_not_found", ErrorKind.ADDRESS),
            ("not_in_channel", ErrorKind.ADDRESS),
            ("msg_too_long", ErrorKind.ADDRESS),
            ("account_inactive", ErrorKind.ACCOUNT),
            ("missing_scope", ErrorKind.ACCOUNT),
            ("ratelimited", ErrorKind.RATE_LIMITED),
            ("service_unavailable", ErrorKind.TRANSIENT),
            ("internal_error", ErrorKind.UNKNOWN),
        ],
    )
    def test_it_reads_slacks_codes(self, code: str, kind: ErrorKind) -> None:
        with Server(self, Signal.TAKEN, always=json_answer(200, {"ok": False, "error": code})) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code, outcome.permanent) == (kind, code, False)

    @pytest.mark.parametrize("answer", [[], {"message": "hi"}, {"ok": "yes"}])
    def test_an_answer_that_is_not_slacks_is_unknown(self, answer: Any) -> None:
        with Server(self, Signal.TAKEN, always=json_answer(200, answer)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.UNKNOWN, "unreadable")

    def test_it_takes_ids_and_no_urls(self) -> None:
        assert SlackBot.accepts("U0G9QF9C6")
        assert not SlackBot.accepts("https://hooks.slack.com/services/T0/B0/x")
