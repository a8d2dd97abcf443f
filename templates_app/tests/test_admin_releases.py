"""Releasing, comparing and putting away in the admin, and what the pages tell of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from templates_app.admin.comparing import rows
from templates_app.diffing import compared
from templates_app.inspection import Draft
from templates_app.models import Template, TemplateRelease, TemplateVersion
from templates_app.publishing import publish
from templates_app.tests.factories import create_published, create_version
from templates_app.tests.test_admin_versions import PUBLISH, VERSIONS, change, form
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, confirm, post, see, staff

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/templates_app/template/"
SCHEMA = '{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}'


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


NO_BUTTONS = {"live", "change", "history", "delete"}


def button(version: TemplateVersion, name: str) -> str:
    return f"{VERSIONS}{version.pk}/{name}/"


def press(client: Client, version: TemplateVersion, name: str, **fields: Any) -> None:
    answer = client.post(button(version, name), {"_form_submitted": "on", **fields})
    assert answer.headers.get("HX-Redirect"), answer.content.decode()


def offered(client: Client, version: TemplateVersion) -> set[str]:
    return set(re.findall(rf"{version.pk}/([a-z_]+)/", see(client, change(version)))) - NO_BUTTONS


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    """Try on some, change the share, promote, go back; the template's page tells it."""
    first = create_published(tenant)
    second = create_version(tenant, Draft("sms", "en", {"body": "Hello {{ name }}"}), template=first.template)
    press(admin_client, second, "try_on_some", percent="12.5")
    page = see(admin_client, f"{TEMPLATES}{first.template_id}/change/")
    assert "<strong>12.5 %</strong> get version 2, the others version 1" in page
    assert "version 1, 2 on 12.5 %" in see(admin_client, TEMPLATES)
    assert "12.5 % of the recipients get it" in see(admin_client, change(second))

    press(admin_client, second, "change_share", percent="50")
    press(admin_client, second, "promote")
    press(admin_client, first, "make_current")

    by = User.objects.get().username
    acts = TemplateRelease.objects.order_by("pk").values_list("act", "version__number", "by")
    assert list(acts)[1:] == [
        ("canary_started", 2, by),
        ("canary_changed", 2, by),
        ("canary_promoted", 2, by),
        ("rolled_back", 1, by),
    ]
    page = see(admin_client, f"{TEMPLATES}{first.template_id}/change/")
    told = re.findall(r"<strong>([A-Z][a-z ]+)</strong>", page)
    assert told == ["Rolled back to", "Canary promoted", "Canary changed", "Canary started", "Published"]
    assert f"by {by}" in page
    assert f"{button(first, 'compare')}?with=2" in page


def test_each_state_has_its_buttons(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)
    second = create_version(tenant, template=first.template)
    always = {"preview", "compare", "new_draft"}
    assert offered(admin_client, first) - always == set()
    assert offered(admin_client, second) - always == {"try_on_some", "put_away"}
    press(admin_client, second, "try_on_some", percent="1")
    assert offered(admin_client, second) - always == {"promote", "change_share", "drop"}
    press(admin_client, second, "drop")
    assert offered(admin_client, second) - always == {"make_current", "try_on_some", "put_away"}
    press(admin_client, second, "put_away")
    assert offered(admin_client, second) - always == {"bring_back"}
    press(admin_client, second, "bring_back")
    assert TemplateVersion.objects.get(pk=second.pk).archived_at is None


def test_it_says_why_not(admin_client: Client, tenant: Tenant) -> None:
    draft = create_version(tenant)
    press(admin_client, draft, "try_on_some", percent="10")
    assert "Publish a version first" in see(admin_client, change(draft))
    answer = admin_client.post(button(draft, "try_on_some"), {"_form_submitted": "on", "percent": "101"})
    assert "HX-Redirect" not in answer.headers
    assert Template.objects.get().canary is None


def test_it_compares(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant, Draft("sms", "en", {"body": "Hi <b>{{ name }}</b>,\nbye"}))
    second = create_version(
        tenant, Draft("sms", "en", {"body": "Hello <b>{{ name }}</b>,\nbye"}), template=first.template
    )
    third = create_version(tenant, Draft("push", "en", {"body": "Hi"}), template=first.template)

    page = see(admin_client, button(second, "compare"))
    assert "What version 2 changes" in page
    assert "<mark>Hi</mark> &lt;b&gt;" in page
    assert "<mark>Hello</mark> &lt;b&gt;" in page
    against = see(admin_client, f"{button(second, 'compare')}?with=3")
    assert 'aria-label="push en body"' in against
    assert "<mark>" not in against
    assert "no other version" in see(admin_client, f"{button(third, 'compare')}?with=99")
    viewer = staff("templates_app.view_templateversion")
    assert see(viewer, button(second, "compare"))


def test_what_is_alike_is_said_to_be(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)
    second = create_version(tenant, template=first.template)
    assert "Versions 1 and 2 say the same." in see(admin_client, button(second, "compare"))
    alone = create_version(create_tenant())
    assert "There is no other version" in see(admin_client, button(alone, "compare"))


def test_words_are_marked_in_lines_that_are_alike() -> None:
    told = list(
        rows(list(compared(["Your order is here", "x"], ["Your parcel is here", "completely other"])))
    )
    assert [[text for text, changed in row.segments if changed] for row in told] == [
        ["order"],
        [],
        ["parcel"],
        [],
    ]


def test_a_schema_is_written_kept_and_copied(admin_client: Client, tenant: Tenant) -> None:
    draft = create_version(tenant)
    assert "A schema to begin with" in see(admin_client, change(draft))
    post(admin_client, change(draft), {**form(draft), "schema": SCHEMA})
    draft.refresh_from_db()
    assert draft.schema is not None
    assert draft.schema["required"] == ["name"]
    post(admin_client, change(draft), {**form(draft), "schema": SCHEMA, **PUBLISH})
    publish(draft)
    confirm(admin_client, button(draft, "new_draft"))
    assert TemplateVersion.objects.get(number=2).schema == draft.schema
    assert "c-json" in see(admin_client, change(draft))


@pytest.mark.parametrize(
    ("over", "field", "message"),
    [
        ({"schema": "{"}, "schema", "Enter a valid JSON."),
        ({"schema": "[1]"}, "schema", "A schema is a JSON object."),
        (
            {"schema": '{"properties": {"name": {"format": "moon"}}}'},
            "schema",
            "/properties/name/format: The formats",
        ),
        (
            {"schema": SCHEMA, "sample_data": '{"name": 1}', **PUBLISH},
            "sample_data",
            "/name: The value is not of",
        ),
    ],
)
def test_a_schema_says_what_is_wrong_with_it(
    admin_client: Client, tenant: Tenant, over: dict[str, str], field: str, message: str
) -> None:
    draft = create_version(tenant)
    answer = admin_client.post(change(draft), {**form(draft), **over})
    (error,) = answer.context["adminform"].form.errors[field]
    assert error.startswith(message)
    assert TemplateVersion.objects.get().schema is None


def test_a_template_comes_back(admin_client: Client, tenant: Tenant) -> None:
    template = create_published(tenant).template
    confirm(admin_client, f"{TEMPLATES}{template.pk}/archive/")
    assert "<h2>Archived</h2>" in see(admin_client, f"{TEMPLATES}{template.pk}/change/")
    confirm(admin_client, f"{TEMPLATES}{template.pk}/restore/")
    template.refresh_from_db()
    assert template.archived_at is None
    acts = TemplateRelease.objects.order_by("pk").values_list("act", flat=True)
    assert list(acts) == ["published", "archived", "restored"]

    confirm(admin_client, f"{TEMPLATES}{template.pk}/archive/")
    create_published(tenant)
    confirm(admin_client, f"{TEMPLATES}{template.pk}/restore/")
    assert "Another template has the code" in see(admin_client, TEMPLATES)


def test_its_pages_are_bounded(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)

    def another() -> None:
        publish(create_version(tenant, template=first.template))

    assert_bounded(admin_client, f"{TEMPLATES}{first.template_id}/change/", another)
    assert_bounded(admin_client, button(first, "compare"), another)
