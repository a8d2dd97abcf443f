"""Whose page it is, and in which language: the tenant's name, logo and colour, the person's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe

from notifications.hosted.colors import readable
from templates_app.locales import LAST_RESORT, best_locale, serves
from templates_app.models import Brand
from tenants.context import tenant_scope
from tenants.models import Tenant

LANGUAGES = {"de": "Deutsch", "en": "English"}
"""Those that there is a catalog for, in `notifications/locale`, as they call themselves."""

LIGHT, DARK = "#ffffff", "#191c26"
"""The surfaces of `hosted.css`, light and dark."""
HOUSE_COLOR = "#4f46e5"


@dataclass(frozen=True, slots=True)
class Look:
    """`accent` and `accent_dark` can be read on the light surface and on the dark one, and these on them."""

    name: str
    logo: str = ""
    accent: str = readable(HOUSE_COLOR, LIGHT)
    accent_dark: str = readable(HOUSE_COLOR, DARK)

    @property
    def stylesheet(self) -> str:
        """A sheet for its colours: a policy that is strict lets no page have styles of its own."""
        return reverse("hosted-colors", args=[self.accent[1:], self.accent_dark[1:]])


@require_safe
def colors(request: HttpRequest, light: str, dark: str) -> HttpResponse:
    """`Look.stylesheet`. What the address says is all that it knows, so it never changes."""
    sheet = (
        f":root {{ --accent: #{light}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: #{dark}; }} }}\n"
    )
    return HttpResponse(sheet, "text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


def look_of(tenant: Tenant) -> Look:
    with tenant_scope(tenant.pk):
        said = Brand.of(tenant).words()
    color = said["primary_color"]
    return Look(said["name"], _loadable(said["logo_url"]), readable(color, LIGHT), readable(color, DARK))


def _loadable(url: str) -> str:
    """A logo that a policy can name: `;` and `,` would end its directive."""
    parts = urlsplit(url)
    is_plain = parts.scheme in {"http", "https"} and url.isascii() and not set(url) & set(";, '\"\\")
    return url if is_plain else ""


def language(request: HttpRequest, locale: str, tenant: Tenant | None) -> str:
    """What is asked for, the person's own, the browser's, the tenant's: the first that there is."""
    wanted = [request.GET.get("lang", ""), locale, *_accepted(request), tenant.locale if tenant else ""]
    found = next((one for one in wanted if one and serves(one, LANGUAGES)), LAST_RESORT)
    return best_locale(found, LAST_RESORT, LANGUAGES) or LAST_RESORT


def _accepted(request: HttpRequest) -> Iterator[str]:
    yield from (code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")))
