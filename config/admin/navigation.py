"""The sidebar, grouped by what operators do; each sees what they may look at."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

_GROUPS = (
    (
        "Watch",
        (
            ("Notifications", "notifications", "notifications.notification"),
            ("Deliveries", "send", "delivery.delivery"),
            ("Replies", "reply", "delivery.reply"),
            ("Batches", "stacks", "notifications.batch"),
            ("Digests", "inbox", "notifications.digest"),
        ),
    ),
    (
        "Write",
        (
            ("Templates", "edit_note", "templates_app.template"),
            ("Layouts", "web_asset", "templates_app.layout"),
            ("Partials", "extension", "templates_app.partial"),
            ("Brand", "palette", "templates_app.brand"),
            ("Categories", "sell", "preferences.category"),
            ("Lists", "list_alt", "tenants.lookupvalue"),
        ),
    ),
    (
        "Reach",
        (
            ("Recipients", "group", "preferences.recipient"),
            ("Suppressions", "block", "preferences.suppression"),
            ("Erasures", "person_off", "notifications.erasure"),
            ("Provider accounts", "hub", "delivery.provideraccount"),
        ),
    ),
    (
        "Let in",
        (
            ("Tenants", "apartment", "tenants.tenant"),
            ("API keys", "key", "tenants.apikey"),
            ("Operators", "badge", "auth.user"),
            ("Roles", "shield_person", "auth.group"),
        ),
    ),
    ("Run", (("Clock", "schedule", "django_celery_beat.periodictask"),)),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    dashboard = {"title": "Dashboard", "icon": "space_dashboard", "link": reverse("admin:index")}
    docs = {"title": "API", "icon": "api", "link": reverse("docs")}
    groups: list[dict[str, Any]] = [
        {"title": title, "items": [_item(*page) for page in pages if _may_view(request, page[2])]}
        for title, pages in _GROUPS
    ]
    groups[-1]["items"].append(docs)
    return [{"items": [dashboard]}, *({**group, "separator": True} for group in groups if group["items"])]


def _item(title: str, icon: str, label: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{label.replace('.', '_')}_changelist")}


def _may_view(request: HttpRequest, label: str) -> bool:
    app, model = label.split(".")
    return request.user.has_perm(f"{app}.view_{model}") or request.user.has_perm(f"{app}.change_{model}")
