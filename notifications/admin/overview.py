"""What an operator looks for first on a recipient's page: what holds, where they are reached, the newest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone
from django.utils.translation import ngettext

from notifications.models import Notification
from preferences import presence, suppressions
from preferences.admin.addresses import shown
from preferences.directory import by_ids
from preferences.models import Recipient
from preferences.rules import Person
from preferences.rules.times import first_outside, zone_of
from tenants.admin.base import STATUS_TONES

_NEWEST = 8


def overview(recipient: Recipient, user: User | AnonymousUser) -> dict[str, Any]:
    """For the template, as far as the user may look. Five queries, each by index."""
    person = by_ids(recipient.tenant, [recipient.pk]).get(recipient.pk)
    if person is None:
        return {}
    found: dict[str, Any] = {"person": person, "holds": list(_holds(person, timezone.now()))}
    found["live_feed"] = _live_feed(recipient, zone_of(person.timezone))
    if user.has_perm("preferences.view_suppression"):
        found["reached"] = list(_reached(recipient, person))
    if user.has_perm("notifications.view_notification"):
        found["newest"] = _newest(recipient)
    return found


def _holds(person: Person, now: dt.datetime) -> Iterator[dict[str, Any]]:
    """What keeps messages from them now; critical ones pass all of it but the end of an address."""
    zone = zone_of(person.timezone)
    if person.block:
        yield {"tone": "danger", "icon": "block", "text": f"Blocked: {person.block}"}
    if person.do_not_disturb_until is not None and person.do_not_disturb_until > now:
        text = f"Do not disturb until {_local(person.do_not_disturb_until, zone)}"
        yield {"tone": "warning", "icon": "do_not_disturb_on", "text": text}
    if (quiet := person.quiet_hours) is not None:
        until = first_outside(quiet.windows, quiet.timezone or person.timezone, now)
        if until is not None and until > now:
            text = f"Quiet hours until {_local(until, zone)}"
            yield {"tone": "warning", "icon": "bedtime", "text": text}


def _live_feed(recipient: Recipient, zone: ZoneInfo) -> dict[str, Any]:
    """Where they are: their open sockets, or when one was seen last."""
    known, seen = presence.sighting(recipient.tenant_id, (recipient.type, recipient.external_id))
    if known.since is not None:
        sockets = ngettext("%d socket", "%d sockets", known.sockets) % known.sockets
        text = f"Online: {sockets} of the live feed since {_local(known.since, zone)}"
    elif not known.is_known:
        text = "Whether they are online cannot be said now"
    else:
        text = f"Offline; last seen {_local(seen, zone)}" if seen else "Offline; not seen for a week"
    icon = "sensors" if known.is_online else "sensors_off"
    return {"tone": "success" if known.is_online else "", "icon": icon, "text": text}


def _local(moment: dt.datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _reached(recipient: Recipient, person: Person) -> Iterator[dict[str, Any]]:
    """Each address, whether its channel is switched off altogether, and its suppression."""
    pairs = [(channel, address) for channel, known in person.addresses.items() for address in known]
    suppressed = suppressions.rows_of(recipient.tenant_id, pairs)
    for channel, address in pairs:
        yield {
            "channel": channel,
            "shown": shown(channel, address),
            "is_off": person.channels.get(channel) is False,
            "suppression": suppressed.get((channel, address)),
        }


def _newest(recipient: Recipient) -> list[dict[str, Any]]:
    of_them = Notification.objects.filter(
        tenant_id=recipient.tenant_id, recipient_external_id=recipient.external_id
    ).exclude(recipient_external_id="")
    rows = of_them.filter(recipient_type=recipient.type).defer("data", "trace", "overrides").order_by("-pk")
    return [{"row": row, "tone": STATUS_TONES.get(row.status, "")} for row in rows[:_NEWEST]]
