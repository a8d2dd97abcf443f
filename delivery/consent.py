"""Whether what was planned may still go, and when: asked when it is claimed, before anything leaves.

Planning decides with the rules of its moment, and keeps their versions with each delivery. Who switches
something off, sends STOP, goes to sleep or is blocked afterwards is heeded here. What was planned just now,
by rules that are still the same, for an address that is not suppressed, goes on at once: two queries a chunk.
All else is decided again: the rest of a failover chain, tries after an error, what had to wait, and what goes
only while its recipient is online, or is not.

What waits for a time (`deferred`) is due at once when the rules about its recipient change, and so comes here
to be told its new time. Both sides lock the recipient first: whoever changes the rules comes before this
decision, which then sees them, or after it, and then finds the delivery waiting.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from delivery import recording
from delivery.models import URGENT, DeliveryStatus
from delivery.queue import Leg
from delivery.recording import Ready
from delivery.settlement import Settlement
from preferences import changes, directory, presence, suppressions
from preferences.addresses import mask
from preferences.categories import categories
from preferences.directory import Key
from preferences.policies import policy_of
from preferences.rules import CategoryRule, Circumstances, Decision, Person, Policy, decide, jitter
from preferences.rules.presence import AWAY, Presence, heed
from templates_app.models import TemplateVersion
from tenants.bulk import uuid_array
from tenants.context import tenant_scope
from tenants.ids import made_at
from tenants.models import Tenant

_FRESH = dt.timedelta(minutes=1)
"""For how long a plan stands whatever the clock says: windows may open and close later than that."""

Address = tuple[str, str]


def doubtful(tenant: Tenant, legs: Sequence[Leg], *, now: dt.datetime) -> set[UUID]:
    """Those of the legs that have to be decided again. In the tenant's scope, with the legs claimed."""
    suppressed = suppressions.among(tenant.pk, ((leg.channel, leg.address) for leg in legs))
    fresh = [leg for leg in legs if _is_fresh(leg, now) and (leg.channel, leg.address) not in suppressed]
    known = _recipients(fresh)
    versions = changes.versions(known) if known else {}
    sound = {leg.id for leg in fresh if leg.decided_by == _stamp(tenant, leg, versions)}
    return {leg.id for leg in legs} - sound


def _is_fresh(leg: Leg, now: dt.datetime) -> bool:
    return leg.decided_by is not None and not leg.reason and now - made_at(leg.id) < _FRESH


def _stamp(tenant: Tenant, leg: Leg, versions: Mapping[UUID, int]) -> int | None:
    """What it would be decided by now; None where the recipient is not there any more."""
    version = 0 if leg.recipient_id is None else versions.get(leg.recipient_id)
    return None if version is None else changes.stamp(tenant.rules_version, version)


def _recipients(legs: Sequence[Leg]) -> set[UUID]:
    return {leg.recipient_id for leg in legs if leg.recipient_id is not None}


def confirm(tenant: Tenant, legs: Sequence[Leg]) -> tuple[list[Leg], Ready]:
    """Decide these again: those that may go now, and of the others what is to be rung for.

    A transaction of its own: it locks recipients, and then deliveries.
    """
    with tenant_scope(tenant.pk):
        changes.hold(_recipients(legs))
        now = timezone.now()
        rules = _Rules.of(tenant, legs)
        settled = {leg.id: made for leg in legs if (made := rules.settle(leg, now)) is not None}
        ready = recording.write(tenant.pk, list(settled.values())) if settled else []
    return [leg for leg in legs if leg.id not in settled], ready


@dataclass(frozen=True, slots=True)
class _Rules:
    """All that decides about a chunk."""

    tenant: Tenant
    policy: Policy
    people: Mapping[UUID, Person]
    categories: Mapping[str, CategoryRule]
    templates: Mapping[UUID, str]
    suppressed: Mapping[Address, str]
    presences: Mapping[Key, Presence]

    @classmethod
    def of(cls, tenant: Tenant, legs: Sequence[Leg]) -> _Rules:
        routes = {(channel, address) for leg in legs for channel, address in leg.routes[leg.route :]}
        people = directory.by_ids(tenant, _recipients(legs))
        return cls(
            tenant,
            policy_of(tenant),
            people,
            categories(tenant.pk),
            _codes(legs) if any(person.templates for person in people.values()) else {},
            suppressions.among(tenant.pk, routes),
            _presences(tenant, legs, people),
        )

    def settle(self, leg: Leg, now: dt.datetime) -> Settlement | None:
        """What becomes of a leg; None: it may go now, by the route in use."""
        person = self._person(leg)
        if person is None:
            return _stopped(leg, [Decision(leg.channel, leg.address, False, "recipient_unknown")], now)
        decisions = [self._decide(leg, person, route, now) for route in leg.routes[leg.route :]]
        way = next((place for place, made in enumerate(decisions) if made.allowed), None)
        if way is None:
            return _stopped(leg, decisions, now)
        if way == 0 and decisions[0].hold is None:
            return None
        return _moved(leg, way, decisions, now)

    def _person(self, leg: Leg) -> Person | None:
        """Whom it is for; of somebody who is not stored nothing is known but what the delivery says."""
        if leg.recipient_id is not None:
            return self.people.get(leg.recipient_id)
        zone = leg.payload.get("timezone", self.tenant.timezone)
        return Person(None, "", "", {}, leg.locale, zone, {}, {}, {})

    def _decide(self, leg: Leg, person: Person, route: Sequence[str], now: dt.datetime) -> Decision:
        """About the address that was planned, even if the person has another one by now."""
        channel, address = route
        category = self.categories.get(leg.category, CategoryRule(leg.category, False, leg.unknown_policy))
        template = self.templates.get(leg.template_version_id, "") if leg.template_version_id else ""
        at = Circumstances(
            now, leg.priority == URGENT, leg.deadline, jitter(person.id or leg.notification_id)
        )
        asked = replace(person, addresses={channel: (address,)}, suppressed=self.suppressed)
        (decision,) = decide(asked, channel, category, template=template, policy=self.policy, asked=at)
        condition = leg.payload.get("if", {}).get(channel)
        return heed(decision, condition, self.presences.get((person.type, person.external_id), AWAY))


def _stopped(leg: Leg, decisions: Sequence[Decision], now: dt.datetime) -> Settlement:
    """The end of its chain: too late where one of the routes opens after the deadline, unwanted otherwise."""
    why = next((made for made in decisions if made.hold is not None), decisions[0])
    ends = DeliveryStatus.SUPPRESSED if why.hold is None else DeliveryStatus.EXPIRED
    return _settled(leg, ends, why.reason, decisions, now)


def _moved(leg: Leg, way: int, decisions: Sequence[Decision], now: dt.datetime) -> Settlement:
    """On to the first route that may be used, when it may be: at once, or after a time."""
    hold = decisions[way].hold
    status, reason = (DeliveryStatus.DEFERRED, hold.reason) if hold else (DeliveryStatus.QUEUED, "next_route")
    waiting = _settled(leg, status, reason, decisions[: way + 1], now)
    waiting = replace(waiting, due_at=hold.until if hold else now)
    if way == 0:
        return replace(waiting, tries=leg.tries, account_id=leg.account_id, spent_accounts=leg.spent_accounts)
    return replace(waiting, route=leg.route + way, gave_up=decisions[0].reason)


def _settled(
    leg: Leg, status: DeliveryStatus, reason: str, decisions: Sequence[Decision], now: dt.datetime
) -> Settlement:
    """No provider was called, so the attempt's number is given back."""
    steps = [step(made, "decide", now) for made in decisions]
    return Settlement(leg, status, reason, now, route=leg.route, refund=True, steps=steps)


def _presences(tenant: Tenant, legs: Sequence[Leg], people: Mapping[UUID, Person]) -> Mapping[Key, Presence]:
    """Of those of whom it matters whether they are online."""
    asked = {leg.recipient_id for leg in legs if "if" in leg.payload}
    return presence.of(tenant.pk, {(p.type, p.external_id) for p in people.values() if p.id in asked})


def _codes(legs: Sequence[Leg]) -> dict[UUID, str]:
    """The templates' codes, by their versions."""
    ids = {leg.template_version_id for leg in legs if leg.template_version_id is not None}
    return dict(TemplateVersion.objects.filter(pk__in=ids).values_list("pk", "template__code"))


def step(made: Decision, during: str, now: dt.datetime) -> dict[str, Any]:
    """A decision as it stands in the trace of its notification. `until` is when what is held will leave."""
    said = {
        "at": _at(now),
        "step": during,
        "channel": made.channel,
        "address": mask(made.channel, made.address) if made.address else "",
        "decision": _word(made),
        "reason": made.reason,
    }
    if made.hold:
        said["until"] = _at(made.hold.until)
    return said | {"since": _at(made.since)} if made.since else said


def _word(made: Decision) -> str:
    if made.hold is None:
        return "deliver" if made.allowed else "skip"
    return "hold" if made.allowed else "expire"


def _at(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


_ASK_AGAIN = """
    WITH deferred AS MATERIALIZED (
        SELECT id FROM delivery_delivery
         WHERE tenant_id = %(tenant_id)s AND status = 'deferred'
           AND (%(recipients)s::uuid[] IS NULL OR recipient_id = ANY(%(recipients)s::uuid[]))
           AND reason NOT LIKE 'frequency_cap:%%'
         ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE delivery_delivery d SET due_at = %(now)s, ring_at = %(now)s FROM deferred WHERE d.id = deferred.id
"""


def ask_again(tenant_id: UUID, recipient_ids: Collection[UUID] | None) -> int:
    """Have what waits for a time decided again: the rules about these have changed. How many deliveries.

    None: about all of the tenant's. The sweeper rings for them within a second. Rows that somebody holds are
    passed over: they are being decided. What waits for room under a cap was given a place of its own at its
    time, and is decided again then.
    """
    recipients = None if recipient_ids is None else uuid_array(recipient_ids)
    params = {"tenant_id": tenant_id, "recipients": recipients, "now": timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(_ASK_AGAIN, params)
        return int(cursor.rowcount)
