"""What there is before the clock starts: two tenants with keys, templates, accounts and many recipients."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from bench.crowd import SAMPLE, TEMPLATE, URGENT_RECIPIENTS, person
from delivery.accounts import set_settings
from delivery.models import ProviderAccount
from preferences.categories import create_default_categories
from preferences.models import Preference, Recipient
from templates_app.inspection import Draft
from templates_app.models import Template
from templates_app.publishing import publish, save_draft
from tenants.bulk import copy_rows
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import ApiKey, Tenant

_WORDS = {
    "sms": {
        "body": "Hi {{ name }}, your order {{ order }} left with {{ carrier }}: "
        "{% if days == 1 %}tomorrow{% else %}{{ days }} days{% endif %}."
    },
    "email": {
        "subject": "Your order {{ order }} is on its way",
        "body": "Hi {{ name }},\n\n{{ carrier }} brings your order {{ order }} in {{ days }} days.\n",
        "html": "<p>Hi {{ name }},</p><p>{{ carrier }} brings <b>{{ order }}</b> in {{ days }} days.</p>",
    },
    "in_app": {
        "title": "Order {{ order }} shipped",
        "body": "Hi {{ name }}, {{ carrier }} needs {{ days }} days.",
    },
}
_SWITCHED = 10
"""Every tenth recipient has said something about the channel: that it is welcome."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A tenant, its key, and the prefix of its urgent recipients' ids."""

    tenant_id: UUID
    key: str
    urgent: str


@dataclass(frozen=True, slots=True)
class Scene:
    channel: str
    batch: Sender
    other: Sender

    @property
    def tenants(self) -> tuple[UUID, UUID]:
        return self.batch.tenant_id, self.other.tenant_id


def build(channel: str, port: int, n: int) -> Scene:
    """Tenants of their own; the one that sends the batch knows `n` people."""
    run = secrets.token_hex(3)
    batch = _tenant(f"bench-{run}", "same", channel, port)
    other = _tenant(f"bench-{run}-other", "other", channel, port)
    _recipients(batch, channel, "crowd", n)
    for sender in (batch, other):
        _recipients(sender, channel, sender.urgent, URGENT_RECIPIENTS)
    return Scene(channel, batch, other)


def _tenant(slug: str, urgent: str, channel: str, port: int) -> Sender:
    tenant = Tenant.objects.create(slug=slug, name=slug)
    create_default_categories(tenant)
    _, key = ApiKey.issue(tenant=tenant, scopes=["notifications:send", "notifications:read"])
    with tenant_scope(tenant.pk):
        template = Template.objects.create(tenant=tenant, code=TEMPLATE, name="Order shipped")
        publish(save_draft(template, [Draft(channel, "en", _WORDS[channel])], SAMPLE))
        _account(tenant, channel, port)
    return Sender(tenant.pk, key, urgent)


def _account(tenant: Tenant, channel: str, port: int) -> None:
    if channel == "in_app":
        return
    provider, settings = _twilio(port) if channel == "sms" else _smtp(port)
    account = ProviderAccount(tenant=tenant, name=provider, channel=channel, provider=provider)
    set_settings(account, settings)
    account.save()


def _twilio(port: int) -> tuple[str, dict[str, Any]]:
    who = {"account_sid": f"AC{0:032d}", "auth_token": "token", "sender": "+15005550006"}
    return "twilio", {**who, "base_url": f"http://127.0.0.1:{port}"}


def _smtp(port: int) -> tuple[str, dict[str, Any]]:
    where = {"host": "127.0.0.1", "port": port, "security": "none"}
    return "smtp", {**where, "sender": "Shop <hello@bench.example>"}


_COLUMNS = (
    *("id", "tenant_id", "external_id", "type", "email", "phone", "locale", "timezone", "slack", "discord"),
    *("webhook", "created_at", "updated_at"),
)


def _recipients(sender: Sender, channel: str, prefix: str, n: int) -> None:
    people = [(new_id(), person(prefix, number)) for number in range(n)]
    whose = {"tenant_id": sender.tenant_id, "level": "channel", "channel": channel, "enabled": True}
    with tenant_scope(sender.tenant_id):
        copy_rows(Recipient, _COLUMNS, _rows(sender, people))
        Preference.objects.bulk_create(Preference(recipient_id=id, **whose) for id, _ in people[::_SWITCHED])


def _rows(sender: Sender, people: list[tuple[UUID, dict[str, str]]]) -> Iterator[tuple[Any, ...]]:
    now = timezone.now()
    for id, who in people:
        known = (id, sender.tenant_id, who["id"], "user", who["email"], who["phone"], "en")
        yield (*known, "", "", "", "", now, now)


def settle_database() -> None:
    """What the last phase left for the server to do is done now, not while the next one is measured."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
