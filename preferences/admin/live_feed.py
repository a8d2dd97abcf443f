"""Where a recipient is, in words for operators."""

from __future__ import annotations

import datetime as dt

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import ngettext

from preferences import presence
from preferences.models import Recipient


def whereabouts(recipient: Recipient) -> str:
    """Its open sockets, and since when; else when one was seen last."""
    known, seen = presence.sighting(recipient.tenant_id, (recipient.type, recipient.external_id))
    if not known.is_known:
        return "cannot be said now: Valkey is away"
    if known.since is not None:
        sockets = ngettext("%d socket", "%d sockets", known.sockets) % known.sockets
        return f"{sockets} since {_moment(known.since)}"
    return f"not open; last seen {_moment(seen)}" if seen else "not open, nor seen for a week"


def _moment(at: dt.datetime) -> str:
    return date_format(localtime(at), "DATETIME_FORMAT")
