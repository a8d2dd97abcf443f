"""`/preferences/{token}`: where a person sees what reaches them, and sets it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation

from notifications.hosted.actions import act
from notifications.hosted.answers import back, page
from notifications.hosted.looks import language
from notifications.hosted.sheet import sheet_of
from notifications.hosted.times import PERIODS, Quiet, limits_of, written
from notifications.hosted.visits import Visit, by_link
from notifications.hosted.words import per_name, platform_name
from preferences.addresses import mask
from preferences.models import Recipient
from preferences.subscription import recipient_of
from tenants.context import tenant_scope

_SALT = "carillon.hosted.said"
_SAID_FOR = 60  # seconds: who comes back to the address later has heard it


@by_link
def preferences(request: HttpRequest, visit: Visit) -> HttpResponse:
    recipient = recipient_of(visit.link)
    if recipient is None or not visit.link.opens_preferences(timezone.now()):
        return _closed(request, visit, recipient)
    with translation.override(language(request, recipient.locale, visit.tenant)):
        if request.method == "POST":
            said = asdict(act(recipient, request.POST))
            # signed: the words are ours
            return back(request, said=signing.dumps(said, salt=_SALT, compress=True))
        return page(
            request,
            "preferences",
            tenant=visit.tenant,
            locale=recipient.locale,
            whose=_whose(recipient),
            devices=[(device, platform_name(device.platform)) for device in recipient.devices.all()],
            said=_heard(request),
            **_settings(recipient),
        )


def _settings(recipient: Recipient) -> dict[str, Any]:
    with tenant_scope(recipient.tenant_id):
        sheet, zone = sheet_of(recipient), recipient.timezone or recipient.tenant.timezone
    until = recipient.do_not_disturb_until
    return {
        "sheet": sheet,
        "quiet": Quiet.of(recipient.quiet_hours),
        "zone": zone,
        "limits": limits_of((box.place[1] for box in sheet.channels), recipient.frequency),
        "periods": [(per, per_name(per)) for per in PERIODS],
        "paused_until": written(until, zone) if until and until > timezone.now() else "",
    }


def _closed(request: HttpRequest, visit: Visit, recipient: Recipient | None) -> HttpResponse:
    """Too old, or its owner is not stored any more: one can still leave by it what it came with."""
    return page(
        request,
        "closed",
        tenant=visit.tenant,
        locale=recipient.locale if recipient else "",
        status=410,
        unsubscribe_url=reverse("hosted-unsubscribe", args=[visit.token]) if visit.link.category else "",
    )


def _heard(request: HttpRequest) -> dict[str, Any]:
    try:
        said: dict[str, Any] = signing.loads(request.GET.get("said", ""), salt=_SALT, max_age=_SAID_FOR)
    except signing.BadSignature:
        return {}
    return said


def _whose(recipient: Recipient) -> str:
    """Enough for the person to know that it is they who are meant."""
    return mask("email", recipient.email) or mask("sms", recipient.phone)
