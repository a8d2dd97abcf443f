"""Slack, Discord and webhooks: our own providers post to them, so that both speak the same protocol."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from pytest_django.fixtures import Settings

from delivery import loop
from delivery.providers.base import Content, Message, Provider, ProviderError, Sent
from delivery.providers.discord.webhook import DiscordWebhook
from delivery.providers.slack.bot import SlackBot
from delivery.providers.slack.webhook import SlackWebhook
from delivery.providers.webhook.standard import StandardWebhook
from delivery.tests.contract import PATIENCE, SILENCE
from sandbox.testing import RunningSandbox
from sandbox.vendors.webhook import SECRET

WORDS = Content(title="On its way", body="A-17 left us.")


class Vendor:
    """A provider that posts to the sandbox, the address there, and the one that is refused."""

    def __init__(self, sandbox: RunningSandbox, name: str) -> None:
        self.name, url = name, sandbox.http_url
        made: dict[str, tuple[Provider, str, str, str]] = {
            "slack_bot": (
                SlackBot(SlackBot.Settings(token=SecretStr("xoxb-1"), base_url=f"{url}/slack/api")),
                *("C024BE91L", "C0ARCHIVED", "xoxb-1"),
            ),
            "slack_webhook": (
                SlackWebhook(SlackWebhook.Settings(base_url=f"{url}/slack")),
                *(f"{url}/slack/services/T0/B0/open", f"{url}/slack/services/T0/B0/removed", "open"),
            ),
            "discord_webhook": (
                DiscordWebhook(DiscordWebhook.Settings(username="Shop", base_url=f"{url}/discord")),
                *(f"{url}/discord/api/webhooks/1/open", f"{url}/discord/api/webhooks/1/removed", "1"),
            ),
            "standard_webhook": (
                StandardWebhook(StandardWebhook.Settings(secrets=SecretStr(SECRET))),
                *(f"{url}/hooks/shop", f"{url}/hooks/gone", "shop"),
            ),
        }
        self.provider, self.address, self.refused, self.account = made[name]
        self.provider.timeout = PATIENCE

    def send(self, *to: str) -> Sequence[Sent | ProviderError]:
        messages = [Message(id := uuid4(), f"{id}.1", address, WORDS) for address in to or (self.address,)]
        return loop.run(self.provider.send(messages))

    def error(self) -> ProviderError:
        (outcome,) = self.send()
        assert isinstance(outcome, ProviderError)
        return outcome


@pytest.fixture(params=["slack_bot", "slack_webhook", "discord_webhook", "standard_webhook"])
def vendor(request: pytest.FixtureRequest, sandbox: RunningSandbox, settings: Settings) -> Vendor:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    return Vendor(sandbox, request.param)


def messages(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return sandbox.messages()


def test_it_works(vendor: Vendor, sandbox: RunningSandbox) -> None:
    (outcome,) = vendor.send()
    assert isinstance(outcome, Sent)
    (message,) = messages(sandbox)
    assert (message["provider"], message["channel"]) == (vendor.name, vendor.provider.channel)
    assert (message["title"], message["text"]) == (WORDS.title, WORDS.body)
    assert "xoxb-1" not in str(message["headers"])


def test_it_answers_a_connection_test(vendor: Vendor) -> None:
    loop.run(vendor.provider.check())


def test_an_address_that_is_gone_is_refused(vendor: Vendor, sandbox: RunningSandbox) -> None:
    outcomes = vendor.send(vendor.refused, vendor.address)
    assert [type(outcome) for outcome in outcomes] == [ProviderError, Sent]
    assert len(messages(sandbox)) == 1


@pytest.mark.parametrize(("status", "kind"), [(503, "transient"), (429, "rate_limited")])
def test_it_fails_as_it_is_told(vendor: Vendor, sandbox: RunningSandbox, status: int, kind: str) -> None:
    sandbox.fault(vendor.account, status=status, retry_after=7, times=1)
    error = vendor.error()
    assert (error.kind, error.retry_after) == (kind, 7)
    assert isinstance(vendor.send()[0], Sent), "one request long"


def test_it_takes_a_message_and_never_answers(vendor: Vendor, sandbox: RunningSandbox) -> None:
    sandbox.fault(vendor.account, accept_then_timeout=True)
    vendor.provider.timeout = SILENCE
    assert vendor.error().kind == "unknown"
    assert len(messages(sandbox)) == 1


def test_it_refuses_everybody(vendor: Vendor, sandbox: RunningSandbox) -> None:
    sandbox.fault(vendor.name, reject=True)
    assert vendor.error().kind == "address"
    assert not messages(sandbox)


def test_a_webhook_that_is_not_signed_is_refused(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    stranger = Vendor(sandbox, "standard_webhook")
    other = StandardWebhook.Settings(secrets=SecretStr(SECRET.replace("Y2", "Z2", 1)))
    stranger.provider = StandardWebhook(other)
    assert (stranger.error().kind, stranger.error().code) == ("address", "401")
    assert not messages(sandbox)
