"""Forgetting a person: Regulation (EU) 2016/679, article 17. What stays for the books names nobody.

Whoever asks has the person out of the directory when they are answered, and is given the row of an `Erasure`.
The rest is done by a task, a chunk of notifications a transaction: first what has not left is canceled, then
each table's rows are cleared or deleted as its holding says. What is being sent at that moment is waited for.
A chunk that is done is no longer found, so a task that dies is gone on with where it was.

It covers what was accepted before it was asked for. Somebody who is stored again later is somebody new.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from delivery.models import IN_FLIGHT, Delivery
from delivery.queue import publish
from notifications import files, holdings, traces
from notifications.cancellation import cancel_many
from notifications.models import UNPLANNED, Erasure, Priority
from preferences import keyed
from preferences.directory import Key
from preferences.holdings import BELONGINGS, RECIPIENTS
from preferences.recipients import hold
from tenants.bulk import uuid_array
from tenants.context import installation_scope, tenant_scope
from tenants.holdings import Subject
from tenants.models import Tenant

SETTLES = dt.timedelta(seconds=15)
"""By then what began before it was asked for is committed: sessions that are silent for 10 s are ended."""
_CLOCKS = dt.timedelta(seconds=1)
"""How far the clocks of two machines may be apart."""
_PATIENCE = 60.0
"""Seconds that one task works on; the sweeper rings for the rest."""
_FEED_ITEMS = 5_000


def ask(tenant: Tenant, key: Key, *, asked_by: str) -> Erasure:
    """Have everybody with the key forgotten. Asked again while it runs, it is the same erasure.

    They are out of the directory when this returns. Their row is locked first, as by `directory.merge`, so
    that a merge of the same instant comes before, and is forgotten too, or after, and makes somebody new.
    """
    with tenant_scope(tenant.pk):
        subject = traces.subject(tenant.pk, key, hold(tenant, key))
        erasure = _begun(subject, keyed.of_person(tenant.pk, *key)[0], asked_by)
        for holding in [*BELONGINGS, RECIPIENTS]:
            _count(erasure, holding.name, holding.erase(holding.rows(subject)))
        return _to_be_done(erasure)


def ask_for_stranger(tenant: Tenant, *, email: str = "", phone: str = "", asked_by: str) -> Erasure:
    """Have forgotten what was sent without an id to the address. Who is in the directory stays there."""
    of_address = keyed.of_address("email", email) if email else keyed.of_address("sms", phone)
    with tenant_scope(tenant.pk):
        subject = traces.stranger(tenant.pk, email=email, phone=phone)
        return _to_be_done(_begun(subject, of_address[0], asked_by))


def _begun(subject: Subject, known_by: keyed.Hash, asked_by: str) -> Erasure:
    """The erasure that runs for this person, locked, or a new one; it covers all until now."""
    covers_until = timezone.now() + _CLOCKS
    defaults = {"key_id": known_by.key_id, "asked_by": asked_by, "covers_until": covers_until}
    erasure, is_new = Erasure.objects.select_for_update().get_or_create(
        tenant_id=subject.tenant_id,
        subject_hash=known_by.value,
        status=Erasure.Status.RUNNING,
        defaults={**defaults, "subject": {**subject.document(), "files": []}},
    )
    if not is_new:
        _learn(erasure, subject)
        erasure.covers_until = covers_until
    return erasure


def _to_be_done(erasure: Erasure) -> Erasure:
    erasure.save()
    ring = partial(publish, "notifications.erase", (str(erasure.tenant_id), str(erasure.pk)))
    transaction.on_commit(partial(ring, queue="bulk", priority=Priority.LOW))
    return erasure


def _learn(erasure: Erasure, more: Subject) -> None:
    known = Subject.of(erasure.tenant_id, erasure.subject)
    recipient_ids, addresses = known.recipient_ids | more.recipient_ids, known.addresses | more.addresses
    erasure.subject |= replace(known, recipient_ids=recipient_ids, addresses=addresses).document()


def _count(erasure: Erasure, name: str, rows: int) -> None:
    if rows:
        erasure.counts = dict(Counter(erasure.counts) + Counter({name: rows}))


def run_due(*, now: dt.datetime) -> None:
    """Go on with every erasure that is not done: its ring was lost, or it waits for something."""
    with installation_scope():
        running = Erasure.objects.filter(status=Erasure.Status.RUNNING).order_by("pk")
        due = list(running.values_list("tenant_id", "pk"))
    for tenant_id, id in due:
        run(tenant_id, id, now=now)


def run(tenant_id: UUID, erasure_id: UUID, *, now: dt.datetime) -> bool:
    """Do what can be done now; whether that was all. Of several at once one works."""
    give_up = time.monotonic() + _PATIENCE
    for work in (_cancel, _clear):
        if not _by_chunks(tenant_id, erasure_id, work, give_up):
            return False
    return _forget_the_rest(tenant_id, erasure_id, now)


@contextmanager
def _held(tenant_id: UUID, erasure_id: UUID) -> Iterator[Erasure | None]:
    """The erasure in a transaction of its own, saved at its end; None when another has it, or it is done."""
    with tenant_scope(tenant_id):
        rows = Erasure.objects.select_for_update(skip_locked=True)
        erasure = rows.filter(pk=erasure_id, status=Erasure.Status.RUNNING).first()
        yield erasure
        if erasure is not None:
            erasure.save()


Work = Callable[[Erasure, Sequence[UUID]], None]


def _by_chunks(tenant_id: UUID, erasure_id: UUID, work: Work, give_up: float) -> bool:
    """`work` on all of the person's notifications; False when there was no time, or no need."""
    after = UUID(int=0)
    while time.monotonic() < give_up:
        with _held(tenant_id, erasure_id) as erasure:
            if erasure is None:
                return False
            subject = Subject.of(tenant_id, erasure.subject)
            ids = traces.notification_ids(subject, until=erasure.covers_until, after=after)
            if not ids:
                return True
            work(erasure, ids)
        after = ids[-1]
    return False


def _cancel(erasure: Erasure, ids: Sequence[UUID]) -> None:
    cancel_many(erasure.tenant_id, ids)


def _clear(erasure: Erasure, ids: Sequence[UUID]) -> None:
    """What is not being sent any more. Deliveries are locked first, as everywhere, then notifications."""
    settled = _lock(ids)
    stored = Delivery.objects.filter(notification_id__in=settled, recipient_id__isnull=False)
    recipient_ids = frozenset(id for id in stored.values_list("recipient_id", flat=True) if id)
    _learn(erasure, Subject(erasure.tenant_id, recipient_ids=recipient_ids))
    listed = holdings.FILES.rows(settled).values_list("sha256", flat=True)
    erasure.subject["files"] = sorted({*erasure.subject["files"], *listed})
    for holding in holdings.OF_NOTIFICATIONS:
        _count(erasure, holding.name, holding.erase(holding.rows(settled)))


_LOCK_DELIVERIES = """
    SELECT notification_id, status FROM delivery_delivery
     WHERE notification_id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_LOCK_NOTIFICATIONS = """
    SELECT id, status FROM notifications_notification
     WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""


def _lock(ids: Sequence[UUID]) -> list[UUID]:
    """The notifications of which nothing is on its way: what is, has yet to be canceled or recorded."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_DELIVERIES, [uuid_array(ids)])
        leaving = {id for id, status in cursor.fetchall() if status in IN_FLIGHT}
        cursor.execute(_LOCK_NOTIFICATIONS, [uuid_array(ids)])
        return [id for id, status in cursor.fetchall() if id not in leaving and status not in UNPLANNED]


def _forget_the_rest(tenant_id: UUID, erasure_id: UUID, now: dt.datetime) -> bool:
    """What hangs on the person and not on a notification; then, when nothing is left, who it was."""
    while _drop_feed_items(tenant_id, erasure_id):
        pass
    with _held(tenant_id, erasure_id) as erasure:
        if erasure is None:
            return False
        subject = Subject.of(tenant_id, erasure.subject)
        for holding in holdings.OF_PEOPLE:
            if holding.cleared is not None:
                rows = holding.rows(subject).exclude(**holding.cleared)
                _count(erasure, holding.name, holding.erase(rows))
        _count(erasure, holdings.FEEDS.name, holdings.FEEDS.erase(holdings.FEEDS.rows(subject)))
        of_caps = holdings.FREQUENCY
        _count(erasure, of_caps.name, of_caps.erase(of_caps.rows(subject)))
        _count(erasure, holdings.FILES.name, _discard_files(erasure))
        left = traces.notification_ids(subject, until=erasure.covers_until, limit=1)
        if left or now < erasure.covers_until + SETTLES:
            return False
        erasure.status, erasure.subject, erasure.finished_at = Erasure.Status.DONE, {}, now
    return True


def _drop_feed_items(tenant_id: UUID, erasure_id: UUID) -> bool:
    """Delete the next items of the person's feed; whether there were any."""
    with _held(tenant_id, erasure_id) as erasure:
        if erasure is None:
            return False
        rows = holdings.FEED_ITEMS.rows(Subject.of(tenant_id, erasure.subject)).order_by("pk")
        ids = list(rows.select_for_update().values_list("pk", flat=True)[:_FEED_ITEMS])
        _count(erasure, holdings.FEED_ITEMS.name, rows.model.objects.filter(pk__in=ids).delete()[0])
        return bool(ids)


def _discard_files(erasure: Erasure) -> int:
    """Delete the attachments that nobody else was sent; how many."""
    listed, erasure.subject["files"] = erasure.subject["files"], []
    return sum(files.discard(erasure.tenant_id, sha256) for sha256 in listed)
