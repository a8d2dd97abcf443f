"""The contract of a vendor whose recipients' addresses are URLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from config.embedded.valkey import free_port
from delivery import loop
from delivery.providers.base import ErrorKind, Message, Provider, ProviderError, Sent
from delivery.tests.contract import KINDS, HttpContract, Server, Signal


class UrlContract(HttpContract):
    """`address` and `bad_address` are the last parts of the path at `place`, on the server that stands in."""

    has_secret = False
    kinds: ClassVar[Mapping[Signal, ErrorKind]] = {
        signal: kind for signal, kind in KINDS.items() if signal is not Signal.BAD_CREDENTIALS
    }
    place: ClassVar[str] = "/"
    url: str = ""

    @contextmanager
    def vendor(self, signal: Signal) -> Iterator[dict[str, Any]]:
        if signal is Signal.AWAY:
            self.url = f"http://127.0.0.1:{free_port()}"
            yield self.settings_for(self.url)
            return
        with Server(self, signal) as server:
            self.url = server.url
            yield self.settings_for(server.url)

    def message(self, to: str = "") -> Message:
        return super().message(f"{self.url}{self.place}{to or self.address}")

    def post(self, server: Server, message: Message) -> list[Sent | ProviderError]:
        """Send a message that has its whole URL."""
        return loop.run(self.make(self.settings_for(server.url)).send([message]))

    def ask(self, server: Server) -> Sent | ProviderError:
        self.url = server.url
        return super().ask(server)

    def make(self, settings: Mapping[str, Any], **over: Any) -> Provider:
        self.url = settings.get("base_url") or self.url
        return super().make(settings, **over)
