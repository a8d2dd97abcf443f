"""Who comes by a link: its token is all that they show. No cookie, no login, no CSRF token.

A forged request would have to know the token, and whoever does may do what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications.hosted.answers import page
from preferences.links import Link, unseal
from tenants.models import Tenant
from tenants.throttling import RateLimit, window


@dataclass(frozen=True, slots=True)
class Visit:
    token: str
    link: Link
    tenant: Tenant


View = Callable[[HttpRequest, Visit], HttpResponse]


def by_link(view: View) -> Callable[..., HttpResponse]:
    """GET, HEAD and POST of those whose token is a link, as often as a person may need them."""

    @csrf_exempt
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def wrapper(request: HttpRequest, token: str) -> HttpResponse:
        link = unseal(token)
        if refusal := _too_often(request, link):
            return refusal
        tenant = Tenant.objects.filter(pk=link.tenant_id).first() if link else None
        if link is None or tenant is None:
            return page(request, "no_link", status=404)
        return view(request, Visit(token, link, tenant))

    return wrapper


def _too_often(request: HttpRequest, link: Link | None) -> HttpResponse | None:
    """Counted by the person; guesses of tokens by where they come from."""
    if link is None:
        key = ("guess", request.META.get("REMOTE_ADDR", ""))
    else:
        key = (str(link.tenant_id), str(link.recipient_id or link.address))
    allowed, limit = window().hit("hosted", *key, per_minute=settings.PREFERENCE_PAGES_PER_MINUTE)
    return None if allowed else _refusal(request, limit)


def _refusal(request: HttpRequest, limit: RateLimit | None) -> HttpResponse:
    response = page(request, "too_often", status=429)
    response["Retry-After"] = str(max(1, round(limit.reset_in))) if limit else "60"
    return response
