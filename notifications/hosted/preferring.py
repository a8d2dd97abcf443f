"""`/preferences/{token}`: where a person sees what reaches them, and sets it."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation

from notifications.hosted.actions import act
from notifications.hosted.answers import back, page
from notifications.hosted.looks import language
from notifications.hosted.sheet import sheet_of
from notifications.hosted.visits import Visit, by_link
from notifications.hosted.words import platform_name
from preferences.addresses import mask
from preferences.models import Recipient
from preferences.subscription import recipient_of

_SALT = "carillon.hosted.said"
_SAID_FOR = 60  # seconds: who comes back to the address later has heard it


@by_link
def preferences(request: HttpRequest, visit: Visit) -> HttpResponse:
    recipient = recipient_of(visit.link)
    if recipient is None or not visit.link.opens_preferences(timezone.now()):
        return _closed(request, visit, recipient)
    if request.method == "POST":
        with translation.override(language(request, recipient.locale, visit.tenant)):
            said = act(recipient, request.POST)
        # signed: the words are ours
        return back(request, said=signing.dumps(said, salt=_SALT, compress=True))
    return page(
        request,
        "preferences",
        tenant=visit.tenant,
        locale=recipient.locale,
        whose=_whose(recipient),
        sheet=sheet_of(recipient),
        devices=[(device, platform_name(device.platform)) for device in recipient.devices.all()],
        said=_heard(request),
    )


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


def _heard(request: HttpRequest) -> list[str]:
    try:
        said: list[str] = signing.loads(request.GET.get("said", ""), salt=_SALT, max_age=_SAID_FOR)
    except signing.BadSignature:
        return []
    return said


def _whose(recipient: Recipient) -> str:
    """Enough for the person to know that it is they who are meant."""
    return mask("email", recipient.email) or mask("sms", recipient.phone)
