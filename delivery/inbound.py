"""What recipients write back: kept once, heeded where it says STOP or START, and the beginning of a window.

A reply to a tenant's own account speaks to that tenant. One to the installation's speaks to every tenant that
sends by it: the person has one number before them and cannot know who shares it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from delivery.models import ProviderAccount, Reply
from delivery.providers.base import Inbound
from delivery.recording import storable
from preferences.directory import opt_in, opt_out
from preferences.phones import e164
from tenants.bulk import recordset
from tenants.context import installation_scope, tenant_scope
from tenants.models import Tenant
from tenants.reply_words import Wish, wish

WINDOWS = {"whatsapp": dt.timedelta(hours=24)}
"""For how long after they wrote somebody may be written to freely, where a channel asks for their word first:
https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages#customer-service-windows
"""

Heard = tuple[UUID | None, str]
"""An account, and an address that it was written to from."""

_KEPT_AT_MOST = 1600


def take_in(account: ProviderAccount, heard: Sequence[Inbound]) -> None:
    """Keep the replies that are new and do what they ask, in one transaction.

    Should it fail, the vendor repeats the event and nothing of it is known yet.
    """
    if not heard:
        return
    with _scope(account):
        hearing = hearers(account)
        fresh = _store([_row(account, reply, hearing) for reply in heard])
        for row in _last_words([row for row in fresh if row.wish]):
            _heed(row, hearing)


def _scope(account: ProviderAccount) -> AbstractContextManager[None]:
    return installation_scope() if account.tenant_id is None else tenant_scope(account.tenant_id)


def hearers(account: ProviderAccount) -> list[Tenant]:
    """The tenants that send by this account."""
    if account.tenant_id is not None:
        return list(Tenant.objects.filter(pk=account.tenant_id))
    alike = ProviderAccount.objects.filter(channel=account.channel, is_sandbox=account.is_sandbox)
    with_their_own = alike.filter(is_enabled=True, tenant__isnull=False).values("tenant")
    return list(Tenant.objects.exclude(pk__in=with_their_own).order_by("pk"))


def _row(account: ProviderAccount, reply: Inbound, hearing: Sequence[Tenant]) -> Reply:
    country = hearing[0].country if account.tenant_id and hearing else ""
    wishes = [found for tenant in hearing if (found := wish(reply.text, tenant.reply_words))]
    return Reply(
        tenant_id=account.tenant_id,
        account_id=account.pk,
        channel=account.channel,
        event_id=storable(reply.event_id, 255),
        sender=storable(e164(reply.sender, country) or reply.sender, 255),
        to=storable(reply.to, 255),
        text=storable(reply.text, _KEPT_AT_MOST),
        wish=wishes[0].value if wishes else "",
        occurred_at=reply.occurred_at,
    )


def _store(rows: Sequence[Reply]) -> list[Reply]:
    """Insert what is new; the rows that were, the oldest first."""
    unique = {row.event_id: row for row in rows}
    in_order = sorted(unique.values(), key=lambda row: row.event_id)
    Reply.objects.bulk_create(in_order, ignore_conflicts=True)
    kept = set(Reply.objects.filter(pk__in=[row.pk for row in in_order]).values_list("pk", flat=True))
    return sorted((row for row in in_order if row.pk in kept), key=lambda row: row.occurred_at)


_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def _last_words(rows: Sequence[Reply]) -> list[Reply]:
    """Of each sender the last of these, unless they have said something else since.

    Vendors post late and out of order what they could not post at first. So that two who take in a STOP and a
    START at once do not miss each other's, they do it one after the other.
    """
    last: list[Reply] = []
    for sender, said in groupby(sorted(rows, key=lambda row: row.sender), key=lambda row: row.sender):
        *_, row = said
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [f"{row.account_id}:{sender}"])
        since = Reply.objects.filter(
            account_id=row.account_id, sender=sender, occurred_at__gt=row.occurred_at
        )
        if not since.exclude(wish="").exists():
            last.append(row)
    return last


def _heed(row: Reply, hearing: Iterable[Tenant]) -> None:
    """Each tenant by its own words."""
    asked = [(tenant.pk, wish(row.text, tenant.reply_words)) for tenant in hearing]
    address = (row.channel, row.sender)
    opt_out([tenant_id for tenant_id, what in asked if what is Wish.STOP], address, str(row.pk))
    opt_in([tenant_id for tenant_id, what in asked if what is Wish.START], address)


# LIMIT holds the planner to one index look-up a pair.
_LAST_HEARD = """
    SELECT asked.account_id, asked.address, last.occurred_at
      FROM json_to_recordset(%s::json) AS asked (account_id uuid, address varchar)
     CROSS JOIN LATERAL (
           SELECT occurred_at FROM delivery_reply
            WHERE account_id = asked.account_id AND sender = asked.address
            ORDER BY occurred_at DESC LIMIT 1) last
"""


def windows(channel: str, pairs: Iterable[Heard]) -> Mapping[Heard, dt.datetime]:
    """Until when each of those who ever wrote may be written to freely; it may be over. One query."""
    document = recordset([{"account_id": account, "address": address} for account, address in set(pairs)])
    with connection.cursor() as cursor:
        cursor.execute(_LAST_HEARD, [document])
        return {(account, address): at + WINDOWS[channel] for account, address, at in cursor.fetchall()}


def forget() -> int:
    """Delete replies that are older than they need be kept; how many they were."""
    since = timezone.now() - dt.timedelta(days=settings.NOTIFICATION_REPLY_DAYS)
    with installation_scope():
        old = Reply.objects.filter(created_at__lt=since).order_by("pk").values_list("pk", flat=True)
        return Reply.objects.filter(pk__in=list(old[:5_000])).delete()[0]
