"""Provider accounts: settings, whose secrets are encrypted at rest, and the snapshot that routing reads.

Secrets are one AES-256-GCM message a row, bound to the row's id (NIST SP 800-38D): a 12-byte nonce, then
ciphertext and tag. The id of the key stands beside it, so that keys can be rotated: put a new one first in
`CREDENTIAL_KEYS`, run `manage.py rotate_credentials`, then drop the old one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, NamedTuple, get_args
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db.models import Q
from pydantic import SecretStr, ValidationError

from delivery.models import ProviderAccount
from delivery.providers.base import (
    Inbound,
    ParsedReceipt,
    Provider,
    ProviderMisconfigured,
    ProviderSettings,
    Report,
)
from delivery.registry import UnknownProvider, accepts, built_in, provider
from delivery.routing import Account
from tenants.keyrings import parse

_NONCE = 12


@cache
def keyring() -> dict[str, AESGCM]:
    """The keys by id, the one that encrypts first. Without any, credentials cannot be kept."""
    return {id: AESGCM(key) for id, key in parse("CREDENTIAL_KEYS", settings.CREDENTIAL_KEYS).items()}


def secret_fields(model: type[ProviderSettings]) -> set[str]:
    return {
        name
        for name, field in model.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    }


def set_settings(account: ProviderAccount, values: Mapping[str, Any]) -> None:
    """Check `values` against the provider's Settings and put them on the unsaved account, secrets encrypted.

    Raises pydantic's ValidationError. A secret that is left out keeps its old value; the old ones need not
    open where all are given anew.
    """
    model = provider(account.channel, account.provider).Settings
    secret = secret_fields(model)
    kept = {} if secret <= values.keys() else _secrets(account)
    checked = model.model_validate({**kept, **values})
    document = checked.model_dump(mode="json", exclude=secret)
    hidden = {
        name: value.get_secret_value() for name in secret if (value := getattr(checked, name)) is not None
    }
    account.settings = document
    _encrypt(account, hidden)


def settings_of(account: ProviderAccount) -> ProviderSettings:
    """The account's settings with their secrets, or `ProviderMisconfigured`."""
    model = provider(account.channel, account.provider).Settings
    try:
        return model.model_validate({**account.settings, **_secrets(account)})
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise ProviderMisconfigured(
            f"account {account.name}: {fields} not as the provider needs it"
        ) from None


def _encrypt(account: ProviderAccount, secrets: Mapping[str, str]) -> None:
    key_id, key = next(iter(keyring().items()))
    nonce = os.urandom(_NONCE)
    account.secrets = nonce + key.encrypt(nonce, orjson.dumps(dict(secrets)), account.pk.bytes)
    account.secrets_key_id = key_id


def _secrets(account: ProviderAccount) -> dict[str, str]:
    sealed = bytes(account.secrets)
    if not sealed:
        return {}
    key = keyring().get(account.secrets_key_id)
    if key is None:
        raise ProviderMisconfigured(
            f"account {account.name}: key {account.secrets_key_id!r} is not in CREDENTIAL_KEYS"
        )
    try:
        opened: dict[str, str] = orjson.loads(key.decrypt(sealed[:_NONCE], sealed[_NONCE:], account.pk.bytes))
    except (InvalidTag, ValueError):
        raise ProviderMisconfigured(
            f"account {account.name}: its secrets do not open with their key"
        ) from None
    return opened


class Rotation(NamedTuple):
    """How many accounts were encrypted anew, and for each that did not open what is wrong with it."""

    rotated: int
    refused: list[str]


def rotate_credentials() -> Rotation:
    """Encrypt again, with the first key, whatever another key holds. What does not open stays as it is.

    Raises `ImproperlyConfigured` when there is no key, or one is malformed.
    """
    current = next(iter(keyring()))
    stale = ProviderAccount.objects.exclude(secrets_key_id=current).exclude(secrets=b"")
    rotated, refused = 0, []
    for account in stale.select_related("tenant"):
        try:
            rotated += _rotate(account)
        except ProviderMisconfigured as error:
            whose = f"tenant {account.tenant.slug}" if account.tenant else "the installation"
            refused.append(f"{whose}, {error}")
    return Rotation(rotated, refused)


def _rotate(account: ProviderAccount) -> int:
    """Conditional, so that what an operator saves meanwhile stays."""
    held = ProviderAccount.objects.filter(pk=account.pk, secrets=account.secrets)
    _encrypt(account, _secrets(account))
    return held.update(secrets=account.secrets, secrets_key_id=account.secrets_key_id)


def send_budget() -> float:
    """Seconds that a chunk's calls may take; the rest of the lease is for writing down how they went."""
    return float(settings.NOTIFICATION_LEASE_SECONDS) * 0.75


def instance(account: ProviderAccount | None, cls: type[Provider], report: Report | None = None) -> Provider:
    """A provider ready to send for this account. `report` takes what reaches it by its own connection."""
    timeout = min(settings.NOTIFICATION_SEND_TIMEOUT, send_budget() / 2)
    options: dict[str, Any] = {
        "timeout": timeout,
        "budget": send_budget() - timeout,
        "concurrency": settings.NOTIFICATION_SEND_CONCURRENCY,
    }
    if account is None:
        return cls(cls.Settings(), **options)
    receipt_url = f"{settings.PUBLIC_URL}/webhooks/{account.provider}/{account.pk}"
    options |= {"receipt_url": receipt_url, "account": str(account.pk), "report": report}
    return cls(settings_of(account), **options)


AccountReport = Callable[[ProviderAccount, Sequence[ParsedReceipt | Inbound]], None]


class Accounts:
    """The accounts that a tenant's chunk may use, as they stood when it was read."""

    def __init__(
        self, rows: Collection[ProviderAccount], order: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._rows = {row.pk: row for row in rows}
        self._candidates: dict[tuple[str, bool], list[Account]] = {}
        grouped: dict[tuple[str, bool], list[ProviderAccount]] = defaultdict(list)
        for row in rows:
            grouped[row.channel, row.is_sandbox].append(row)
        for key, group in grouped.items():
            own = [row for row in group if row.tenant_id is not None]
            places = {name: place for place, name in enumerate((order or {}).get(key[0], ()))}
            self._candidates[key] = [snapshot(row, places.get(row.name)) for row in own or group]

    @classmethod
    def of(
        cls, tenant_id: UUID, channels: Collection[str], order: Mapping[str, Sequence[str]] | None = None
    ) -> Accounts:
        """A tenant's own accounts for a channel, or the installation's where it has none: one query.

        `order` is the tenant's: the names of a channel's accounts that come before all priorities.
        """
        owner = Q(tenant_id=tenant_id) | Q(tenant=None)
        rows = ProviderAccount.objects.filter(owner, channel__in=channels, is_enabled=True)
        return cls(list(rows), order)

    def candidates(self, channel: str, address: str, *, is_test: bool) -> list[Account]:
        """Those that can be given the address: a browser's subscription is nothing to Firebase."""
        if (feed := built_in(channel)) is not None:
            return [Account(id=None, name=feed.name, channel=channel, provider=feed.name)]
        accounts = self._candidates.get((channel, is_test), [])
        return [account for account in accounts if accepts(channel, account.provider, address)]

    def subscription_key(self, channel: str) -> str:
        """What a client makes itself an address of the channel with, of the first account that has such.

        One whose settings do not open has none.
        """
        for account in sorted(self._candidates.get((channel, False), []), key=lambda account: account.rank):
            assert account.id is not None
            with suppress(ProviderMisconfigured, UnknownProvider):
                made = instance(self._rows[account.id], provider(account.channel, account.provider))
                if key := made.subscription_key():
                    return key
        return ""

    def others(self, channel: str, address: str, *, is_test: bool, spent: Collection[str]) -> int:
        """How many accounts for the address are not spent."""
        candidates = self.candidates(channel, address, is_test=is_test)
        return sum(str(account.id) not in spent for account in candidates)

    def silence(self, account: Account) -> str:
        """Why it will never be known what became of a message by this account; empty where it will."""
        with suppress(ProviderMisconfigured, UnknownProvider):
            row = None if account.id is None else self._rows[account.id]
            return instance(row, provider(account.channel, account.provider)).silence()
        return ""

    def instance(self, account: Account, report: AccountReport) -> Provider:
        """A provider ready to send, which hands `report` what it hears, with the row that it was made for."""
        cls = provider(account.channel, account.provider)
        if account.id is None:
            return instance(None, cls)
        row = self._rows[account.id]
        return instance(row, cls, partial(report, row))


def snapshot(row: ProviderAccount, place: int | None = None) -> Account:
    return Account(
        id=row.pk,
        name=row.name,
        channel=row.channel,
        provider=row.provider,
        priority=row.priority,
        weight=row.weight,
        rate_per_second=row.rate_per_second,
        health=row.health,
        health_at=row.health_at,
        place=place,
        steering=row.steering,
    )
