"""How the hosted pages are answered: nobody keeps them, frames them, or hears from them where they lead to.

The address of a page is a person's key to it. So it is sent to nobody as a referrer, and what a page loads is
ours, but for the logo that the tenant names.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import translation

from notifications.hosted.looks import LANGUAGES, Look, language, look_of
from tenants.models import Tenant

_NOBODY = Look("Carillon")


def page(
    request: HttpRequest,
    template: str,
    *,
    tenant: Tenant | None = None,
    locale: str = "",
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """A page of `notifications/hosted/`, in the language of the person, whose own `locale` may be unknown."""
    spoken, look = language(request, locale, tenant), look_of(tenant) if tenant else _NOBODY
    with translation.override(spoken):
        response = render(
            request,
            f"notifications/hosted/{template}.html",
            {
                **context,
                "look": look,
                "spoken": spoken,
                "is_rtl": translation.get_language_bidi(),
                "languages": LANGUAGES,
            },
            status=status,
        )
    response["Content-Security-Policy"] = _policy(look)
    return discreet(response)


def back(request: HttpRequest, **query: str) -> HttpResponse:
    """To the page that a button stands on, in the language that was chosen: reloading it presses nothing."""
    if "lang" in request.GET:
        query = {"lang": request.GET["lang"], **query}
    return discreet(HttpResponseRedirect(f"{request.path}?{urlencode(query)}", status=303))


def discreet(response: HttpResponse) -> HttpResponse:
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _policy(look: Look) -> str:
    images = f"'self' {look.logo}".strip()
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src {images}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
