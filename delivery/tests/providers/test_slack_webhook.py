from __future__ import annotations

from typing import Any

import pytest

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.slack.webhook import SlackWebhook
from delivery.tests.contract import Answer, HttpContract, Server, Signal
from delivery.tests.url_contract import UrlContract

OK: Answer = (200, {"Content-Type": "text/html"}, b"ok")


class TestSlackWebhook(UrlContract):
    provider = SlackWebhook
    address = "open-hook"
    bad_address = "removed-hook"
    place = "/services/T00000000/B00000000/"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url}

    def taken(self, number: int) -> Answer:
        return OK

    def refused(self) -> Answer:
        return 404, {}, b"no_service"

    @pytest.mark.parametrize(
        ("status", "word", "is_permanent"),
        [
            (400, "invalid_payload", False),
            (403, "action_prohibited", False),
            (404, "channel_not_found", False),
            (410, "channel_is_archived", False),
            (403, "invalid_token", True),
            (404, "no_team", True),
        ],
    )
    def test_it_reads_slacks_words(self, status: int, word: str, is_permanent: bool) -> None:
        with Server(self, Signal.TAKEN, always=(status, {}, word.encode())) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.code) == (ErrorKind.ADDRESS, word)
        assert outcome.permanent is is_permanent

    def test_it_posts_nowhere_but_to_slack(self) -> None:
        with Server(self, Signal.TAKEN) as server:
            provider = self.make({"base_url": "https://hooks.slack.com"})
            for url in (f"{server.url}{self.place}x", "https://hooks.slack.com.evil.example/services/x"):
                (outcome,) = loop.run(provider.send([HttpContract.message(self, url)]))
                assert isinstance(outcome, ProviderError)
                assert (outcome.kind, outcome.code) == (ErrorKind.ADDRESS, "not_slack")
            assert not server.requests

    def test_it_takes_urls_and_no_ids(self) -> None:
        assert SlackWebhook.accepts("https://hooks.slack.com/services/T0/B0/x")
        assert not SlackWebhook.accepts("C024BE91L")
