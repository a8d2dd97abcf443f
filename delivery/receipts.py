"""What providers say afterwards: verified, read, kept, and given effect. Knows no vendor.

A receipt may come twice, late, or before the send it speaks of was recorded. A repeated event is refused by
a unique key; 'delivered' outranks every other status; a failure counts only for the attempt it speaks of; and
one that came too early stays pending until the sweeper finds that its attempt has been recorded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import close_old_connections, connection, connections
from django.utils import timezone

from delivery import inbound, listening, parts, queue, recording
from delivery.accounts import instance
from delivery.effects import Told, mark_delivered, take_effect, touched
from delivery.models import Delivery, DeliveryStatus, ProviderAccount, Receipt
from delivery.providers import closing
from delivery.providers.base import (
    AccountGone,
    ErrorKind,
    Inbound,
    ParsedReceipt,
    ProviderError,
    ReceiptRequest,
    ReceiptStatus,
)
from delivery.recording import storable
from delivery.registry import provider
from tenants.bulk import recordset
from tenants.context import installation_scope, tenant_scope

__all__ = ["adopt", "apply", "mark_delivered", "receive"]

_ADOPT_FOR = dt.timedelta(days=1)
_AT_ONCE = 1000
_LAST = 2**31 - 1  # the greatest number that an attempt can have


def receive(account: ProviderAccount, request: ReceiptRequest) -> None:
    """A vendor's request: verify its signature, read it, apply what it says. Raises `ReceiptRefused`."""
    vendor = instance(account, provider(account.channel, account.provider))
    vendor.verify(request)
    apply(account, vendor.parse(request))


def challenged(account: ProviderAccount, request: ReceiptRequest) -> str:
    """The answer to a vendor's GET: it asks whether the webhook is ours. Raises `ReceiptRefused`."""
    cls = provider(account.channel, account.provider)
    if cls.receipts_by_get:
        receive(account, request)
        return ""
    return instance(account, cls).challenge(request)


def report(made_for: ProviderAccount, told: Sequence[ParsedReceipt | Inbound]) -> None:
    """What a provider heard by a connection of its own, in whichever thread: see `base.Report`."""
    close_old_connections()
    account = ProviderAccount.objects.filter(pk=made_for.pk).first()
    if account is None or not (told or _is_same(account, made_for)):
        raise AccountGone
    if not told:
        listening.goes_on(made_for)
    apply(account, told)


def _is_same(account: ProviderAccount, before: ProviderAccount) -> bool:
    held, hidden = account.settings == before.settings, bytes(account.secrets) == bytes(before.secrets)
    return account.is_enabled and held and hidden


closing.at_thread_end(connections.close_all)


def apply(account: ProviderAccount, heard: Sequence[ParsedReceipt | Inbound]) -> None:
    """Keep what is new, and let it take effect: a transaction a tenant."""
    inbound.take_in(account, [item for item in heard if isinstance(item, Inbound)])
    receipts = [item for item in heard if isinstance(item, ParsedReceipt)]
    told = _locate(account, receipts)
    known = {id(t.receipt) for t in told}
    strangers = [receipt for receipt in receipts if id(receipt) not in known]
    if strangers:
        with installation_scope():
            _store([_stranger(account, receipt) for receipt in strangers])
    for tenant_id, items in _by_tenant(told).items():
        with tenant_scope(tenant_id):
            locked = recording.lock(touched(items))
            rows = [_row(account, t, locked.get(t.delivery_id)) for t in items]
            fresh = {row.pk for row in _store(rows) if not row.is_pending}
            again = take_effect(tenant_id, [t for t, row in zip(items, rows, strict=True) if row.pk in fresh])
        queue.ring(tenant_id, again)


def _is_early(told: Told, now: recording.Locked | None) -> bool:
    """A failure of what is still being sent: the sending has to be recorded before it can be taken back."""
    return told.receipt.error is not None and now is not None and now.status == DeliveryStatus.SENDING


def _by_tenant(told: Sequence[Told]) -> dict[UUID, list[Told]]:
    by_tenant: dict[UUID, list[Told]] = defaultdict(list)
    for item in told:
        by_tenant[item.tenant_id].append(item)
    return by_tenant


def _locate(account: ProviderAccount, receipts: Sequence[ParsedReceipt]) -> list[Told]:
    """By the reference that we gave out with the message, else by the id that the vendor gave it."""
    references = [_reference(receipt.reference) for receipt in receipts]
    with installation_scope():
        owners = _owners(account, [reference[0] for reference in references if reference])
        attempts = _by_message(account.pk, [r.message_id for r in receipts])
        whole = parts.by_part(account.pk, [r.message_id for r in receipts if not r.reference])
    told: list[Told] = []
    for receipt, reference in zip(receipts, references, strict=True):
        if reference and reference[0] in owners:
            told.append(Told(receipt, owners[reference[0]], *reference, parts=receipt.parts))
        elif reference is None and receipt.message_id in whole:
            told.append(Told(receipt, *whole[receipt.message_id]))
        elif reference is None and receipt.message_id in attempts:
            told.append(Told(receipt, *attempts[receipt.message_id]))
    return told


def _owners(account: ProviderAccount, delivery_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The tenants of those deliveries that the account may speak of: a tenant's account of its own only."""
    rows = Delivery.objects.filter(pk__in=delivery_ids)
    if account.tenant_id is not None:
        rows = rows.filter(tenant_id=account.tenant_id)
    return dict(rows.values_list("pk", "tenant_id"))


def _reference(text: str) -> tuple[UUID, int] | None:
    id, _, attempt = text.partition(".")
    try:
        return UUID(id), min(int(attempt), _LAST)
    except ValueError:
        return None


_BY_MESSAGE = """
    SELECT DISTINCT ON (provider_message_id) provider_message_id, tenant_id, delivery_id, number
      FROM delivery_attempt
     WHERE account_id = %s AND provider_message_id = ANY(%s) AND provider_message_id <> ''
     ORDER BY provider_message_id, id DESC
"""


def _by_message(account_id: UUID, message_ids: Sequence[str]) -> dict[str, tuple[UUID, UUID, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_BY_MESSAGE, [account_id, [storable(id, 255) for id in message_ids]])
        return {message_id: tuple(found) for message_id, *found in cursor.fetchall()}


def _stranger(account: ProviderAccount, receipt: ParsedReceipt) -> Receipt:
    return Receipt(tenant_id=account.tenant_id, is_pending=True, **_said(account, receipt))


def _row(account: ProviderAccount, told: Told, now: recording.Locked | None) -> Receipt:
    whose = {"tenant_id": told.tenant_id, "delivery_id": told.delivery_id, "attempt": told.attempt}
    said = _said(account, told.receipt)
    if now is not None and now.is_erased:
        said |= {"detail": "", "provider_message_id": "", "event_id": erased_event(said["event_id"])}
    return Receipt(is_pending=_is_early(told, now), **whose, **said)


def erased_event(event_id: str) -> str:
    """What stays of a vendor's event when its delivery was erased: the event is known when it is repeated."""
    return hashlib.sha256(event_id.encode()).hexdigest()


def _said(account: ProviderAccount, receipt: ParsedReceipt) -> dict[str, Any]:
    error = receipt.error
    return {
        "account_id": account.pk,
        "event_id": _event(receipt),
        "provider_message_id": storable(receipt.message_id, 255),
        "status": receipt.status.value,
        "kind": error.kind.value if error else "",
        "code": storable(error.code, 64) if error else "",
        "detail": storable(error.message, 500) if error else "",
        "is_permanent": bool(error and error.permanent),
        "occurred_at": receipt.occurred_at,
    }


def _event(receipt: ParsedReceipt) -> str:
    return storable(receipt.event_id, 255)


_COLUMNS = {field.attname: field.db_type(connection) for field in Receipt._meta.concrete_fields}
_STORE = f"""
    INSERT INTO delivery_receipt ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)} FROM json_to_recordset(%s::json)
        AS s({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
    ON CONFLICT (account_id, event_id) DO NOTHING
    RETURNING id
"""


def _store(rows: Sequence[Receipt]) -> list[Receipt]:
    """Insert what is new; the rows that were."""
    ordered = sorted(rows, key=lambda row: row.event_id)
    document = recordset([{name: getattr(row, name) for name in _COLUMNS} for row in ordered])
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [document])
        kept = {id for (id,) in cursor.fetchall()}
    return [row for row in rows if row.pk in kept]


_PENDING = """
    SELECT r.id, r.event_id, r.provider_message_id, r.status, r.occurred_at, r.kind, r.code, r.detail,
           r.is_permanent, d.tenant_id, d.id, coalesce(r.attempt, a.number), coalesce(a.parts, 1)
      FROM delivery_receipt r
      LEFT JOIN LATERAL (
            SELECT id, delivery_id, number, greatest(cardinality(part_ids), 1) AS parts
              FROM delivery_attempt
             WHERE r.delivery_id IS NULL AND account_id = r.account_id
               AND provider_message_id = r.provider_message_id AND provider_message_id <> ''
             UNION ALL
            SELECT id, delivery_id, number, cardinality(part_ids) FROM delivery_attempt
             WHERE r.delivery_id IS NULL AND account_id = r.account_id
               AND part_ids <> '{}' AND part_ids @> ARRAY[r.provider_message_id]
             ORDER BY id DESC LIMIT 1) a ON true
      JOIN delivery_delivery d ON d.id = coalesce(r.delivery_id, a.delivery_id)
     WHERE r.is_pending AND r.received_at > %s AND (r.kind = '' OR d.status <> 'sending')
     ORDER BY r.received_at LIMIT %s
"""


def adopt() -> int:
    """Let the receipts take effect that came before their attempt was recorded. How many they were."""
    adopted = found = _adopt_some()
    while found == _AT_ONCE:
        found = _adopt_some()
        adopted += found
    return adopted


def _adopt_some() -> int:
    with installation_scope(), connection.cursor() as cursor:
        cursor.execute(_PENDING, [timezone.now() - _ADOPT_FOR, _AT_ONCE])
        found = {row[0]: _told(row[1:]) for row in cursor.fetchall()}
    by_tenant: dict[UUID, dict[UUID, Told]] = defaultdict(dict)
    for receipt_id, told in found.items():
        by_tenant[told.tenant_id][receipt_id] = told
    for tenant_id, group in by_tenant.items():
        with tenant_scope(tenant_id):
            recording.lock(touched(list(group.values())))
            again = take_effect(tenant_id, [group[id] for id in _take_up(group)])
        queue.ring(tenant_id, again)
    return len(found)


def forget() -> int:
    """Delete receipts of messages that nobody here has sent, and that none will adopt any more; how many."""
    with installation_scope():
        old = Receipt.objects.filter(is_pending=True, received_at__lt=timezone.now() - 2 * _ADOPT_FOR)
        strangers = old.filter(delivery=None).order_by("received_at").values_list("pk", flat=True)
        return Receipt.objects.filter(pk__in=list(strangers[:5_000])).delete()[0]


_TAKE_UP = """
    UPDATE delivery_receipt r
       SET is_pending = false, tenant_id = %s, delivery_id = s.delivery_id, attempt = s.attempt
      FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS s(id, delivery_id, attempt)
     WHERE r.id = s.id AND r.is_pending
    RETURNING r.id
"""


def _take_up(group: dict[UUID, Told]) -> list[UUID]:
    """Link the receipts with what they speak of; those that no other sweeper took."""
    told = list(group.values())
    columns = [t.delivery_id for t in told], [t.attempt for t in told]
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_UP, [told[0].tenant_id, list(group), *columns])
        return [id for (id,) in cursor.fetchall()]


def _told(row: Sequence[Any]) -> Told:
    event_id, message_id, status, occurred_at, kind, code, detail, permanent, *whom = row
    error = ProviderError(ErrorKind(kind), detail, code=code, permanent=permanent) if kind else None
    return Told(ParsedReceipt(event_id, message_id, ReceiptStatus(status), occurred_at, error), *whom)
