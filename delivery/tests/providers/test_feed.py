from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from delivery.providers.in_app.feed import Feed
from delivery.tests.contract import ProviderContract, Signal


class TestFeed(ProviderContract):
    """It stands in our own database: there is nobody who could refuse."""

    provider = Feed
    address = bad_address = "0198f0f0-0000-7000-8000-000000000000"
    kinds = {}
    has_secret = False

    @contextmanager
    def vendor(self, signal: Signal) -> Iterator[dict[str, Any]]:
        yield {}

    def test_it_needs_no_account(self) -> None:
        assert not Feed.needs_account
