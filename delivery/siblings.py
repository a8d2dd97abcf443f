"""A person's devices ring together: where a chain's turn comes to push, each has a delivery of its own.

Such deliveries are siblings. `rings_with` names the first of them in all, and each holds the routes that are
left, its tail. The chain goes on with one of them, once: with the first whose time is over (`escalation`), or
with the last that fails. Who fails while another may still ring, or finds its tail taken, ends there.

Which it is, is decided with the rows of all siblings locked, in the order of their ids as everywhere. So two
workers whose devices fail at the same instant decide one after the other, and the second sees what the first
did. Whoever goes on takes the tails of the others away: what is not in a row's routes cannot be used twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db import connection

from delivery.models import IN_FLIGHT, DeliveryStatus
from delivery.queue import Leg, NewDelivery
from delivery.settlement import Settlement, let_go
from tenants.bulk import recordset, uuid_array
from tenants.ids import new_id

RING_TOGETHER = ("push",)
"""Channels where a person has several addresses, and expects all of them to ring."""

CUT = "jsonb_path_query_array(d.routes, '$[0 to $n]', jsonb_build_object('n', d.route))"
"""A delivery's routes without its tail."""

_MAY_RING = {*IN_FLIGHT, DeliveryStatus.SENT, DeliveryStatus.DELIVERED}


def ring_together(new: NewDelivery) -> list[NewDelivery]:
    """The delivery, or a sibling for each address where it begins with several that ring together."""
    channel = new.routes[0][0]
    first = list(takewhile(lambda route: route[0] == channel, new.routes))
    if channel not in RING_TOGETHER or len(first) == 1:
        return [new]
    tail = new.routes[len(first) :]
    ids = [new.id, *(new_id() for _ in first[1:])]
    return [
        replace(new, id=id, routes=[route, *tail], rings_with=new.id)
        for id, route in zip(ids, first, strict=True)
    ]


def going_on(
    leg: Leg, routes: Sequence[Sequence[str]], *, id: UUID, escalated_from: UUID | None
) -> NewDelivery:
    """A delivery by routes that a leg has left."""
    return NewDelivery(
        id=id,
        notification_id=leg.notification_id,
        recipient_id=leg.recipient_id,
        category=leg.category,
        priority=leg.priority,
        routes=[(channel, address) for channel, address in routes],
        template_version_id=leg.template_version_id,
        locale=leg.locale,
        payload=leg.payload,
        is_test=leg.is_test,
        unknown_policy=leg.unknown_policy,
        deadline=leg.deadline,
        within=leg.within,
        escalated_from=escalated_from,
    )


_FAMILIES = """
    SELECT DISTINCT sibling.rings_with, sibling.id FROM delivery_delivery d
      JOIN delivery_delivery sibling
        ON sibling.notification_id = d.notification_id AND sibling.rings_with = d.rings_with
     WHERE d.id = ANY(%s::uuid[])
"""


def families(delivery_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """The siblings of these deliveries, themselves included, by the first; who they are never changes."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    if ids := set(delivery_ids):
        with connection.cursor() as cursor:
            cursor.execute(_FAMILIES, [uuid_array(ids)])
            for first, id in cursor.fetchall():
                found[first].add(id)
    return found


def members(delivery_ids: Iterable[UUID]) -> set[UUID]:
    return set().union(*families(delivery_ids).values())


def rings_now(leg: Leg) -> bool:
    """Whether it is where it has siblings, and has not gone on from there."""
    return leg.rings_with is not None and leg.channel in RING_TOGETHER


def leaves(s: Settlement) -> bool:
    """Whether it goes on from there."""
    return rings_now(s.leg) and s.is_waiting and s.leg.routes[s.route][0] != s.leg.channel


@dataclass(frozen=True, slots=True)
class _Sibling:
    id: UUID
    status: str
    has_tail: bool


_STATES = """
    SELECT id, status, jsonb_array_length(routes) > route + 1
      FROM delivery_delivery WHERE id = ANY(%s::uuid[])
"""


def parted(settlements: Sequence[Settlement]) -> list[Settlement]:
    """The same, but of siblings that would go on only those that may. All of their families are locked."""
    leaving = {s.leg.id for s in settlements if leaves(s)}
    if not leaving:
        return list(settlements)
    going = _who_goes_on(families(leaving), leaving)
    return [let_go(s) if s.leg.id in leaving - going else s for s in settlements]


def _who_goes_on(groups: Mapping[UUID, Collection[UUID]], leaving: Collection[UUID]) -> set[UUID]:
    """The last of each family that fails, if it still has a tail; nobody where another may ring."""
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [uuid_array(id for group in groups.values() for id in group)])
        states = {row[0]: _Sibling(*row) for row in cursor.fetchall()}
    going = set()
    for group in groups.values():
        siblings = [states[id] for id in sorted(group)]
        failing = [one for one in siblings if one.id in leaving]
        others = [one for one in siblings if one.id not in leaving]
        if not any(one.status in _MAY_RING for one in others):
            going |= {one.id for one in [one for one in failing if one.has_tail][-1:]}
    return going


_CUT = f"UPDATE delivery_delivery d SET routes = {CUT} WHERE d.id = ANY(%s::uuid[])"


def cut_tails(settlements: Sequence[Settlement]) -> None:
    """Take away what may not be used any more: of those that let go, and of the siblings of who goes on."""
    going = {s.leg.id for s in settlements if leaves(s)}
    lost = {s.leg.id for s in settlements if s.has_let_go} | (members(going) - going)
    if lost:
        with connection.cursor() as cursor:
            cursor.execute(_CUT, [uuid_array(lost)])


_SPREAD = """
    UPDATE delivery_delivery d SET routes = s.routes, rings_with = d.id
      FROM json_to_recordset(%s::json) AS s(id uuid, routes jsonb) WHERE d.id = s.id
"""


def spread(settlements: Iterable[Settlement]) -> list[NewDelivery]:
    """Where a failure leads to addresses that ring together: the siblings that are to join the row.

    The row keeps the first address. One that has had siblings before takes the addresses one by one.
    """
    rows: list[dict[str, Any]] = []
    joining: list[NewDelivery] = []
    for s in settlements:
        leg = s.leg
        if not s.is_waiting or s.route == leg.route or leg.rings_with is not None:
            continue
        rest = going_on(leg, leg.routes[s.route :], id=leg.id, escalated_from=leg.escalated_from)
        first, *others = ring_together(rest)
        if others:
            rows.append({"id": leg.id, "routes": [*leg.routes[: s.route], *first.routes]})
            joining += others
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_SPREAD, [recordset(rows)])
    return joining
