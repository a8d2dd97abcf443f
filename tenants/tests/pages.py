"""What every suite needs to test pages of the admin site: who looks at them, and what looking costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lxml.html  # type: ignore[import-untyped]
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

BIG = (
    "notifications_notification",
    "notifications_feeditem",
    "delivery_delivery",
    "delivery_attempt",
    "delivery_receipt",
)


def staff(*permissions: str) -> Client:
    """The client of a member of the staff who holds just these, each as `app.codename`."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def see(client: Client, path: str) -> str:
    """The page's text."""
    answer = client.get(path)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def post(client: Client, path: str, data: dict[str, Any]) -> str:
    """The text of the page that the form leads to, or of the form with its errors."""
    answer = client.post(path, data, follow=True)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def filled(client: Client, path: str) -> dict[str, list[str]]:
    """What a browser sends of the page's form when nothing is changed."""
    form = max(lxml.html.fromstring(see(client, path)).forms, key=lambda one: len(one.inputs))
    given: dict[str, list[str]] = {}
    for name, value in form.form_values():
        given.setdefault(name, []).append(value)
    return given


def save(client: Client, path: str, change: Mapping[str, Any] | None = None, *, without: str = "") -> str:
    """Open the page, change this, untick that, save. The text of the page that it leads to."""
    given = {name: value for name, value in filled(client, path).items() if name != without}
    return post(client, path, given | dict(change or {}))


def confirm(client: Client, path: str) -> None:
    """Press the button of the dialog."""
    answer = client.post(path, {"_form_submitted": "on"})
    assert answer.status_code == 200, answer
    assert answer.headers["HX-Redirect"]


def queries(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        see(client, path)
    return [query["sql"] for query in captured]


def assert_bounded(client: Client, path: str, create: Callable[[], object]) -> None:
    """The page costs as many queries with twenty rows as with five, and no COUNT of a big table."""
    for _ in range(5):
        create()
    see(client, path)
    few = queries(client, path)
    for _ in range(15):
        create()
    many = queries(client, path)
    assert len(many) == len(few), many
    assert not counted(many)


def counted(statements: Sequence[str]) -> list[str]:
    """Those that count a big table."""
    return [
        sql
        for sql in statements
        if re.search(r"\bCOUNT\(", sql, re.IGNORECASE) and any(t in sql for t in BIG)
    ]
