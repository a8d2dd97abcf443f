"""The demo's pages: a shop with the bell, feed and preferences of one person, and a form that sends to them.

Only with DEMO.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from notifications.intake import accept_one
from notifications.requests import NewNotification
from templates_app.models import Template
from tenants.authentication import mint_recipient_token
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.parsing import validate
from tenants.problems import Problem, problem_response

TENANT, RECIPIENT, RECIPIENT_TYPE = "demo", "ann", "user"
_CSP = "default-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"

View = Callable[[HttpRequest], HttpResponse]


def demo_only(view: View) -> View:
    @wraps(view)
    def wrapper(request: HttpRequest) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        return view(request)

    return wrapper


@demo_only
@require_GET
@ensure_csrf_cookie
def home(request: HttpRequest) -> HttpResponse:
    tenant = Tenant.objects.filter(slug=TENANT).first()
    return _page(request, "home", templates=[] if tenant is None else _templates(tenant))


@demo_only
@require_GET
def center(request: HttpRequest) -> HttpResponse:
    """All notifications of a recipient, and what they want to hear of."""
    return _page(request, "center")


def _page(request: HttpRequest, name: str, **context: object) -> HttpResponse:
    context |= {"page": name, "recipient": RECIPIENT, "sandbox_url": settings.SANDBOX_URL}
    response = render(request, f"notifications/demo/{name}.html", context)
    response["Content-Security-Policy"] = _CSP
    return response


@demo_only
@require_GET
@never_cache
def token(request: HttpRequest) -> HttpResponse:
    """What the tenant's own server would do for a person who is logged in there."""
    minted, expires_at = mint_recipient_token(_tenant(), RECIPIENT, RECIPIENT_TYPE)
    return JsonResponse({"token": minted, "expires_at": expires_at})


@demo_only
@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Send the chosen template, with its sample data, as a service would."""
    tenant = _tenant()
    wanted = {
        "recipient": RECIPIENT,
        "template": request.POST.get("template", ""),
        "data": _sample_data(tenant, request.POST.get("template", "")),
        "channels": ["in_app", *request.POST.getlist("channel")],
        "type": request.POST.get("type", "info"),
        "action": {"url": settings.SANDBOX_URL, "text": "Open the inbox"},
    }
    try:
        accepted = accept_one(tenant, validate(NewNotification, wanted))
    except Problem as problem:
        return problem_response(problem)
    return JsonResponse({"id": accepted.id, "status": accepted.status}, status=202)


def _tenant() -> Tenant:
    tenant = Tenant.objects.filter(slug=TENANT).first()
    if tenant is None:
        raise Http404
    return tenant


def _templates(tenant: Tenant) -> list[tuple[str, str]]:
    with tenant_scope(tenant.pk):
        published = Template.objects.filter(tenant=tenant, published__isnull=False)
        return list(published.order_by("name").values_list("code", "name"))


def _sample_data(tenant: Tenant, code: str) -> object:
    with tenant_scope(tenant.pk):
        rows = Template.objects.filter(tenant=tenant, code=code)
        return rows.values_list("published__sample_data", flat=True).first() or {}
