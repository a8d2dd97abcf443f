"""Providers that exist for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from delivery.models import ProviderAccount
from delivery.providers.base import Provider
from delivery.registry import providers
from delivery.tests.factories import create_account
from tenants.models import Tenant


class TestVendor(Provider):
    """Subclass it with `send` or `send_one`, inside `account_of`."""

    __test__ = False
    name: ClassVar[str] = "test-vendor"
    channel: ClassVar[str] = "sms"

    async def check(self) -> None:
        """There is nobody to ask."""


@contextmanager
def account_of(vendor: type[TestVendor], tenant: Tenant) -> Iterator[ProviderAccount]:
    """The tenant has an account of `vendor`, which the registry knows as if it were a file of ours."""
    providers()[vendor.channel, vendor.name] = vendor
    try:
        yield create_account(tenant, vendor.channel, vendor.name, {})
    finally:
        del providers()[vendor.channel, vendor.name]
