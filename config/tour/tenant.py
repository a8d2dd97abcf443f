"""The demo tenant before the tour, as it has to be also the second time, and after it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from config import seeding
from delivery.models import ProviderAccount, Steering
from delivery.steering import steer
from notifications.ledger import ledger
from notifications.models import Digest, Notification
from preferences import suppressions
from tenants.context import tenant_scope
from tenants.models import SCOPES, ApiKey, Tenant

KEY_NAME = "tour"
KEY_LIFE = dt.timedelta(days=1)
UNREACHABLE = "+15005550009"
"""Twilio's test number that cannot receive SMS: https://www.twilio.com/docs/iam/test-credentials"""

LEE = "lee@demo.example"
KIM = "kim@demo.example"
_PATIENCE = 20.0  # seconds
_PAUSE = 0.05

_UNREACHABLE_BY_SMS = ("sms", UNREACHABLE)
_WRITTEN_TO = (
    _UNREACHABLE_BY_SMS,
    ("email", LEE),
    ("email", KIM),
    *(("email", person["email"]) for person in seeding.RECIPIENTS),
    *((channel, person["phone"]) for person in seeding.RECIPIENTS for channel in ("sms", "whatsapp")),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """`key` is the API key that the tour uses, and shows. `accounts` are the ids of those seeded, by name."""

    tenant_id: UUID
    key: str
    seeded: Sequence[seeding.Step]
    accounts: Mapping[str, UUID]


def prepare() -> Prepared:
    """Seed, and undo what an earlier tour left: suppressed addresses, the accounts' lost health, its key."""
    seeded = list(seeding.furnish())
    tenant = Tenant.objects.get(slug=seeding.SLUG)
    suppressions.unsuppress(tenant.pk, _WRITTEN_TO)
    with tenant_scope(tenant.pk):
        own = ProviderAccount.objects.filter(tenant=tenant)
        own.update(health=1.0, health_at=timezone.now())
        ids = dict(own.values_list("name", "pk"))
        ApiKey.objects.filter(tenant=tenant, name=KEY_NAME).delete()
        expires_at = timezone.now() + KEY_LIFE
        _, key = ApiKey.issue(tenant=tenant, name=KEY_NAME, scopes=list(SCOPES), expires_at=expires_at)
    return Prepared(tenant.pk, key, seeded, ids)


@asynccontextmanager
async def pinned(account_id: UUID) -> AsyncIterator[None]:
    """The account is used before all others of its channel meanwhile."""
    await asyncio.to_thread(_steer, account_id, Steering.PIN)
    try:
        yield
    finally:
        await asyncio.to_thread(_steer, account_id, None)


def close_digests(recipient: str, key: str, *, of: int) -> bool:
    """End its window now, once so many events have been planned into it. Whether they were, in time."""
    deadline = time.monotonic() + _PATIENCE
    tenant_id = Tenant.objects.values_list("pk", flat=True).get(slug=seeding.SLUG)
    while time.monotonic() < deadline:
        with tenant_scope(tenant_id):
            open_ones = Digest.objects.filter(recipient_external_id=recipient, key=key, closed_at=None)
            gathered = Notification.objects.filter(digest_id__in=open_ones.values("pk"))
            if gathered.count() >= of:
                return open_ones.update(closes_at=timezone.now()) > 0
        time.sleep(_PAUSE)
    return False


def _steer(account_id: UUID, steering: Steering | None) -> None:
    steer(ProviderAccount.objects.get(pk=account_id), steering, by="the tour")


def audit(tenant_id: UUID) -> Iterator[str]:
    """What the tour should have left in the database and did not, a line each."""
    books = ledger(tenant_id)
    if not books.balanced:
        yield f"the books do not balance: {books}"
    with tenant_scope(tenant_id):
        if not suppressions.among(tenant_id, [_UNREACHABLE_BY_SMS]):
            yield "the number that takes no SMS is not on the suppression list"
