"""The rows of a feed: numbers without gaps, counts that stay right, frames that say what happened."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from uuid import UUID

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from delivery.models import Delivery
from notifications import changes, feed
from notifications.counting import checked_position
from notifications.feed import NewItem
from notifications.mailbox import (
    Filter,
    Mailbox,
    items,
    latest_unread,
    mailbox,
    missed,
    position,
    stats,
    unread_count,
)
from notifications.models import Feed, FeedItem
from notifications.realtime.frames import Address
from notifications.tests.feeds import address_of, mailbox_of, new_item, tell
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

Change = Callable[[Mailbox, Sequence[UUID]], changes.Changed]


@pytest.fixture
def ann() -> Recipient:
    return create_recipient(create_tenant(), external_id="ann")


def at_once(jobs: Sequence[Callable[[], object]]) -> None:
    """Each in a thread, and so a connection, of its own, released together."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        barrier.wait(10)
        try:
            job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(run, jobs))


def seqs(recipient: Recipient) -> list[int]:
    return list(items(mailbox_of(recipient)).order_by("seq").values_list("seq", flat=True))


def really_unread(recipient: Recipient) -> int:
    return items(mailbox_of(recipient), Filter(read=False)).count()


def test_it_works(ann: Recipient) -> None:
    first, second = new_item(ann, title="One"), new_item(ann, title="Two", action=None)
    frames = tell(ann, first, second)
    assert [(f.to, f.type, f.seq, f.data["title"]) for f in frames] == [
        (address_of(ann), "notification:new", 1, "One"),
        (address_of(ann), "notification:new", 2, "Two"),
    ]
    assert frames[0].data == {
        "id": first.id,
        "seq": 1,
        "type": "info",
        "category": "transactional",
        "title": "One",
        "body": "It arrives tomorrow.",
        "action": {"url": "https://shop.example/orders/17", "text": "View order"},
        "icon": "",
        "data": {"order": "A-17"},
        "status": "sent",
        "created_at": first.created_at,
        "seen_at": None,
        "read_at": None,
        "clicked_at": None,
        "archived_at": None,
    }
    assert position(mailbox_of(ann)) == (2, 2)
    assert FeedItem.objects.get(pk=second.id).action is None


def test_it_goes_on_counting_where_it_stood(ann: Recipient) -> None:
    bob = create_recipient(ann.tenant, external_id="bob")
    tell(ann, new_item(ann), new_item(bob), new_item(ann))
    frames = tell(bob, new_item(bob), new_item(ann))
    assert [frame.seq for frame in frames] == [2, 3]
    assert seqs(ann) == [1, 2, 3]
    assert seqs(bob) == [1, 2]


def test_it_stores_a_notification_once(ann: Recipient) -> None:
    item, other = new_item(ann), new_item(ann)
    tell(ann, item)
    frames = tell(ann, item, other, other)
    assert [frame.data["id"] for frame in frames] == [other.id]
    assert tell(ann, item, other) == []
    assert seqs(ann) == [1, 2]
    assert position(mailbox_of(ann)) == (2, 2)


def test_it_stores_for_a_recipient_that_is_gone(ann: Recipient) -> None:
    item = new_item(ann, recipient_id=new_id())
    assert tell(ann, item) == []
    assert FeedItem.objects.filter(pk=item.id).exists()


def test_it_raises_when_a_number_is_taken(ann: Recipient) -> None:
    tell(ann)
    Feed.objects.filter(recipient_id=ann.pk).update(seq=0)
    with pytest.raises(IntegrityError), tenant_scope(ann.tenant_id):
        feed.store(ann.tenant_id, [new_item(ann)])


@pytest.mark.django_db(transaction=True)
def test_it_numbers_without_gaps_whoever_stores(ann: Recipient) -> None:
    bob = create_recipient(ann.tenant, external_id="bob")
    chunks = [[new_item(person) for person in (ann, bob) * 5] for _ in range(4)]
    at_once([partial(tell, ann, *order(chunk)) for chunk in chunks for order in (list, reversed)])
    assert seqs(ann) == seqs(bob) == list(range(1, 21))
    assert position(mailbox_of(ann)) == position(mailbox_of(bob)) == (20, 20)


def unread_now(recipient: Recipient) -> int:
    return unread_count(mailbox_of(recipient))


def test_it_marks_read(ann: Recipient) -> None:
    first, second = new_item(ann), new_item(ann)
    tell(ann, first, second)
    changed = changes.mark_read(mailbox_of(ann), [first.id])
    assert (changed.ids, changed.unread, unread_now(ann)) == ([first.id], 1, 1)
    [frame] = changed.frames
    assert (frame.to, frame.type) == (address_of(ann), "notification:read")
    assert frame.data == {"id": first.id, "unread_count": 1}
    item = FeedItem.objects.get(pk=first.id)
    assert item.read_at == item.seen_at == item.delivered_at is not None


def test_it_changes_nothing_twice(ann: Recipient) -> None:
    item = new_item(ann)
    tell(ann, item, new_item(ann))
    for change in (changes.mark_read, changes.archive, changes.mark_received, changes.delete):
        assert change is changes.mark_received or change(mailbox_of(ann), [item.id]).ids == [item.id]
        again = change(mailbox_of(ann), [item.id])
        assert (again.ids, again.frames, again.unread) == ([], [], 1)


@pytest.mark.parametrize(
    ("steps", "unread"),
    [
        ([changes.mark_read], 1),
        ([changes.mark_read, changes.mark_unread], 2),
        ([changes.archive], 1),
        ([changes.archive, changes.mark_read], 1),
        ([changes.archive, changes.mark_read, changes.mark_unread], 1),
        ([changes.mark_read, changes.archive], 1),
        ([changes.delete], 1),
        ([changes.mark_read, changes.delete], 1),
        ([changes.archive, changes.delete], 1),
        ([changes.delete, changes.mark_unread], 1),
        ([changes.archive, changes.unarchive], 2),
        ([changes.mark_read, changes.archive, changes.unarchive], 1),
        ([changes.archive, changes.mark_read, changes.unarchive], 1),
        ([changes.delete, changes.unarchive], 1),
        ([changes.mark_received], 2),
        ([changes.mark_seen], 2),
        ([changes.mark_clicked], 2),
    ],
)
def test_it_keeps_the_count(ann: Recipient, steps: list[Change], unread: int) -> None:
    item = new_item(ann)
    tell(ann, item, new_item(ann))
    counts = [change(mailbox_of(ann), [item.id]).unread for change in steps]
    assert counts[-1] == unread_now(ann) == really_unread(ann) == unread


def test_it_reads_all(ann: Recipient) -> None:
    tell(ann, *(new_item(ann) for _ in range(3)))
    changed = changes.read_all(mailbox_of(ann))
    assert (len(changed.ids), changed.unread, unread_now(ann)) == (3, 0, 0)
    [frame] = changed.frames
    assert (frame.type, frame.data) == ("notification:read-all", {"up_to": 3, "unread_count": 0})
    assert changes.read_all(mailbox_of(ann)).frames == []


def test_it_keeps_seen_clicked_and_read_apart(ann: Recipient) -> None:
    seen, clicked, read = (new_item(ann) for _ in range(3))
    tell(ann, seen, clicked, read)
    of = mailbox_of(ann)
    [frame] = changes.mark_seen(of, [seen.id]).frames
    assert (frame.type, frame.data) == ("notification:seen", {"id": seen.id, "unread_count": 3})
    [frame] = changes.mark_clicked(of, [clicked.id]).frames
    assert (frame.type, frame.data) == ("notification:clicked", {"id": clicked.id, "unread_count": 3})
    changes.mark_read(of, [read.id])
    times = {item.pk: (item.seen_at, item.clicked_at, item.read_at) for item in FeedItem.objects.all()}
    assert [[time is not None for time in times[item.id]] for item in (seen, clicked, read)] == [
        [True, False, False],
        [True, True, False],
        [True, False, True],
    ]
    assert not FeedItem.objects.filter(delivered_at=None).exists()


@pytest.mark.parametrize("wrong", [-3, 0, 1, 7])
def test_it_sets_a_wrong_count_right(ann: Recipient, wrong: int) -> None:
    """At one query when it is right."""
    told = [new_item(ann) for _ in range(4)]
    tell(ann, *told)
    changes.archive(mailbox_of(ann), [told[0].id])
    of = mailbox_of(ann)
    with CaptureQueriesContext(connection) as queries:
        assert checked_position(of) == (4, 3)
    assert len(queries) == 1
    Feed.objects.update(unread=wrong)
    assert checked_position(of) == position(of) == (4, 3)


def test_it_leaves_others_alone(ann: Recipient) -> None:
    bob, stranger = create_recipient(ann.tenant), create_recipient(create_tenant(), external_id="ann")
    item = new_item(ann)
    tell(ann, item)
    for other in (bob, stranger):
        tell(other)
        assert changes.mark_read(mailbox_of(other), [item.id]).ids == []
        changes.read_all(mailbox_of(other))
    assert unread_now(ann) == really_unread(ann) == 1


@pytest.mark.django_db(transaction=True)
def test_it_keeps_the_count_under_fire(ann: Recipient) -> None:
    told = [new_item(ann) for _ in range(30)]
    tell(ann, *told)
    ids = [item.id for item in told]

    def act(change: Change, part: list[UUID]) -> None:
        with tenant_scope(ann.tenant_id):
            change(mailbox_of(ann), part)

    def check() -> None:
        with tenant_scope(ann.tenant_id):
            checked_position(mailbox_of(ann))

    acts = (changes.mark_read, changes.mark_unread, changes.archive, changes.unarchive)
    jobs = [partial(act, change, part) for change in acts for part in (ids[:20], ids[:9:-1])]
    Feed.objects.update(unread=7)
    at_once([check, *jobs, check, partial(tell, ann), partial(act, changes.delete, ids[5:15]), check, check])
    tell(ann)
    assert unread_now(ann) == really_unread(ann)
    assert position(mailbox_of(ann))[0] == 32


def test_it_tells_the_delivery_what_a_client_received(ann: Recipient) -> None:
    item, other = new_item(ann), new_item(ann)
    deliveries = {told.id: sent_delivery(ann, told) for told in (item, other)}
    tell(ann, item, other)
    changed = changes.mark_received(mailbox_of(ann), [item.id])
    [frame] = changed.frames
    assert (frame.type, changed.ids) == ("notification:status", [item.id])
    assert frame.data == {"id": item.id, "status": "delivered", "unread_count": 2}
    assert status_of(deliveries[item.id]) == "delivered"
    assert status_of(deliveries[other.id]) == "sent"
    changes.mark_read(mailbox_of(ann), [other.id])
    assert status_of(deliveries[other.id]) == "delivered"


def sent_delivery(recipient: Recipient, item: NewItem) -> Delivery:
    return Delivery.objects.create(
        tenant_id=recipient.tenant_id,
        notification_id=item.id,
        recipient_id=recipient.pk,
        category=item.category,
        priority=6,
        status="sent",
        routes=[["in_app", str(recipient.pk)]],
        channel="in_app",
        address=str(recipient.pk),
        locale="en",
        payload={},
        unknown_policy="resend",
    )


def status_of(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.status


def test_it_says_what_was_missed(ann: Recipient) -> None:
    told = [new_item(ann) for _ in range(5)]
    tell(ann, *told)
    changes.delete(mailbox_of(ann), [told[3].id])
    assert [item.seq for item in missed(mailbox_of(ann), after=2, limit=10)] == [3, 5]
    assert [item.seq for item in missed(mailbox_of(ann), after=0, limit=2)] == [1, 2]
    changes.mark_read(mailbox_of(ann), [told[4].id])
    assert [item.seq for item in latest_unread(mailbox_of(ann), limit=2)] == [2, 3]


def test_it_counts_by_kind(ann: Recipient) -> None:
    told = [new_item(ann, type="error"), new_item(ann, category="alert"), new_item(ann), new_item(ann)]
    tell(ann, *told)
    changes.mark_read(mailbox_of(ann), [told[0].id])
    changes.archive(mailbox_of(ann), [told[1].id])
    changes.delete(mailbox_of(ann), [told[2].id])
    assert stats(mailbox_of(ann)) == {
        "total": 3,
        "unread": 1,
        "read": 1,
        "archived": 1,
        "by_type": {"error": 1, "info": 2},
        "by_category": {"alert": 1, "transactional": 2},
    }


def test_it_is_empty_for_whom_nobody_knows() -> None:
    nobody = mailbox(Address(create_tenant().pk, "user", "nobody"))
    assert (nobody.recipient_id, position(nobody), list(items(nobody))) == (None, (0, 0), [])
    assert changes.read_all(nobody).frames == []
    assert stats(nobody)["total"] == 0


def test_no_two_addresses_look_alike() -> None:
    tenant_id = new_id()
    keys = {Address(tenant_id, *names).key() for names in (("a", "b:c"), ("a:b", "c"), ("a", "b\tc"))}
    assert len(keys) == 3
    assert not any(byte in key for key in keys for byte in b"\t\n")
