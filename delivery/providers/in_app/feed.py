"""The recipient's own feed. Storing the item is part of settling, so there is nothing to call here."""

from collections.abc import Sequence
from typing import ClassVar

from delivery.providers.base import Message, Provider, ProviderError, Sent


class Feed(Provider):
    name = "feed"
    channel = "in_app"
    label = "Live feed"
    needs_account: ClassVar[bool] = False

    async def send(self, messages: Sequence[Message]) -> list[Sent | ProviderError]:
        return [Sent()] * len(messages)

    def silence(self) -> str:
        """Clients acknowledge what they got."""
        return ""

    async def check(self) -> None:
        """Nothing stands between us and the feed."""
