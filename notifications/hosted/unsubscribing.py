"""`/unsubscribe/{token}`: out of a category by one click, of a mail program's button or a person's.

POST unsubscribes at once (RFC 8058, section 3.2), whatever its body says but that somebody comes back. GET
changes nothing: mail filters follow links to see where they lead.
"""

from __future__ import annotations

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse
from django.utils import timezone

from notifications.hosted.answers import back, discreet, page
from notifications.hosted.visits import Visit, by_link
from notifications.hosted.words import by_channel, category_name
from preferences.links import Link
from preferences.subscription import come_back, leave, look, recipient_of
from templates_app.models import Template
from tenants.context import tenant_scope

_LEAVE, _COME_BACK = "leave", "come_back"


@by_link
def unsubscribe(request: HttpRequest, visit: Visit) -> HttpResponse:
    if not visit.link.category:  # it opens the preferences, and that is all
        return page(request, "no_link", tenant=visit.tenant, status=404)
    if request.method != "POST":
        return _shown(request, visit)
    wish = _said(request).get("do", "")
    if wish == _COME_BACK:
        come_back(visit.link)
    else:
        leave(visit.link, _templates(visit.link))
    if wish in {_LEAVE, _COME_BACK}:  # somebody pressed a button of ours, and looks at the page
        return back(request, **({"again": "1"} if wish == _COME_BACK else {}))
    return discreet(HttpResponse("Unsubscribed.\n", "text/plain; charset=utf-8"))


def _templates(link: Link) -> list[str]:
    """What the category is told with: who switched one of these on wants it no more, either."""
    with tenant_scope(link.tenant_id):
        of_category = Template.objects.filter(tenant_id=link.tenant_id, category=link.category)
        return list(of_category.values_list("code", flat=True))


def _said(request: HttpRequest) -> dict[str, str]:
    """The body's fields, in either encoding that RFC 8058 allows; what cannot be read says nothing."""
    try:
        return {name: str(value) for name, value in request.POST.items()}
    except (MultiPartParserError, SuspiciousOperation):
        return {}


def _shown(request: HttpRequest, visit: Visit) -> HttpResponse:
    link, recipient = visit.link, recipient_of(visit.link)
    found = look(link)
    has_settings = recipient is not None and link.opens_preferences(timezone.now())
    return page(
        request,
        "unsubscribe",
        tenant=visit.tenant,
        locale=recipient.locale if recipient else "",
        found=found,
        category=category_name(found.category),
        by=by_channel(found.channel),
        is_back="again" in request.GET,
        settings_url=reverse("hosted-preferences", args=[visit.token]) if has_settings else "",
    )
