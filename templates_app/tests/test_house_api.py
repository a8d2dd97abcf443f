"""Layouts, partials and the brand: kept by operators, and taken into versions when those are published."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from templates_app.inspection import Draft
from templates_app.models import Layout, Template, TemplateContent
from templates_app.tests.factories import create_published, create_template, create_version, operator
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ADMIN = "/api/v1/admin"
LAYOUT = {
    "code": "standard",
    "name": "Standard",
    "source": "<html><body>{{ content }}{% include 'foot' %}</body></html>",
    "is_default": True,
}
FOOT = {"code": "foot", "name": "Footer", "source": "<p>{{ brand.name }}, {{ brand.postal_address }}</p>"}
MAIL = Draft("email", "en", {"subject": "Hi", "html": "<p>Hi {{ name }}</p>"})
SMS = Draft("sms", "en", {"body": "Hi {{ name }}"})


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(name="Shop")


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    client = operator(tenant)
    assert client.post(f"{ADMIN}/partials", FOOT).status_code == 201
    assert client.post(f"{ADMIN}/layouts", LAYOUT).status_code == 201
    return client


def html_of(code: str = "greeting") -> str:
    content = TemplateContent.objects.get(version__template__code=code, version=sent(code), channel="email")
    return str(content.compiled["html"])


def sent(code: str = "greeting") -> Any:
    return Template.objects.get(code=code).published_id


def test_it_works(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant, MAIL, SMS)
    assert "<p>Hi {{ name }}</p><p>{{ brand.name }}, {{ brand.postal_address }}</p></body>" in html_of()

    layouts = client.get(f"{ADMIN}/layouts").json()["results"]
    assert [layout["code"] for layout in layouts] == ["standard"]
    shown = client.get(f"{ADMIN}/layouts/standard").json()
    assert shown["used_by"] == [{"template": "greeting", "version": 1, "is_current": True}]
    changed = client.patch(f"{ADMIN}/layouts/standard", {"source": "<main>{{ content }}</main>"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Standard")
    assert "<main>" not in html_of(), "what is published stays as it is"
    stale = client.get(f"{ADMIN}/layouts/standard").json()["used_by"]
    assert stale == [{"template": "greeting", "version": 1, "is_current": False}]

    renewed = client.post(f"{ADMIN}/layouts/standard/publish-anew")
    assert renewed.json() == {"published": [{"template": "greeting", "version": 2}], "refused": []}
    assert html_of() == "<main><p>Hi {{ name }}</p></main>"
    assert Template.objects.get(code="greeting").published.number == 2  # type: ignore[union-attr]
    again = client.post(f"{ADMIN}/layouts/standard/publish-anew")
    assert again.json() == {"published": [], "refused": []}


def test_a_partial_and_the_brand_are_followed_through_the_layout(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant, MAIL)
    create_published(tenant, SMS, template=create_template(tenant, "text"))
    client.patch(f"{ADMIN}/partials/foot", {"source": "<p>Bye</p>"})
    assert client.post(f"{ADMIN}/partials/foot/publish-anew").json()["published"] == [
        {"template": "greeting", "version": 2}
    ]
    assert "<p>Bye</p>" in html_of()

    client.patch(f"{ADMIN}/partials/foot", {"source": "<p>{{ brand.name }}</p>"})
    client.post(f"{ADMIN}/partials/foot/publish-anew")
    client.patch(f"{ADMIN}/brand", {"name": "Kiosk", "primary_color": "#aa0000"})
    brand = client.get(f"{ADMIN}/brand").json()
    assert (brand["name"], brand["primary_color"], len(brand["used_by"])) == ("Kiosk", "#aa0000", 1)
    client.post(f"{ADMIN}/brand/publish-anew")
    assert '"name":"Kiosk"' in html_of()


def test_what_can_no_longer_be_published_stays_and_is_named(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant, MAIL)
    before = sent()
    client.patch(f"{ADMIN}/layouts/standard", {"source": "<i>{{ content }}{{ unsubscribe }}</i>"})
    (refused,) = client.post(f"{ADMIN}/layouts/standard/publish-anew").json()["refused"]
    assert refused["template"] == "greeting"
    assert "unsubscribe is not in the data" in refused["detail"]
    assert sent() == before


def test_a_new_default_takes_the_place_of_the_one_before(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant, MAIL)
    client.post(f"{ADMIN}/layouts", {**LAYOUT, "code": "other", "source": "<u>{{ content }}</u>"})
    assert Layout.objects.get(tenant=tenant, is_default=True).code == "other"
    assert client.get(f"{ADMIN}/layouts/other").json()["used_by"][0]["is_current"] is False
    client.post(f"{ADMIN}/layouts/other/publish-anew")
    assert html_of() == "<u><p>Hi {{ name }}</p></u>"


@pytest.mark.parametrize(
    ("path", "body", "code", "said"),
    [
        ("layouts", {"source": "<p>no place</p>"}, "template_error", "has no {{ content }}"),
        ("layouts", {"source": "{{ content }}\n{{ x"}, "template_error", "line 2: Syntax error"),
        ("layouts", {"source": "{{ content }}{{ 1|nope }}"}, "template_error", "Unknown filter"),
        ("layouts", {"source": "{{ content }}{% include 'gone' %}"}, "template_error", 'no partial "gone"'),
        ("layouts", {"format": "mjml", "source": "<mj-body>{{ content }}"}, "template_error", "no MJML"),
        ("partials", {"source": "{% include 'mine' %}", "code": "mine"}, "template_error", "includes itself"),
        ("partials", {"source": "{% if %}"}, "template_error", "Syntax error"),
    ],
)
def test_it_refuses_what_cannot_be_used(
    client: APIClient, path: str, body: dict[str, Any], code: str, said: str
) -> None:
    wanted = {"code": "broken", "name": "Broken", **body}
    answer = client.post(f"{ADMIN}/{path}", wanted)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/source", code)
    assert said in error["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("layouts", LAYOUT, 409),
        ("partials", FOOT, 409),
        ("layouts", {**LAYOUT, "code": "none"}, 400),
        ("layouts", {**LAYOUT, "code": "a", "format": "markdown"}, 400),
    ],
)
def test_it_refuses_codes_that_are_taken(
    client: APIClient, path: str, body: dict[str, Any], status: int
) -> None:
    assert client.post(f"{ADMIN}/{path}", body).status_code == status


@pytest.mark.parametrize(
    "change", [{"primary_color": "red"}, {"website": "javascript:alert(1)"}, {"name": None}, {"nope": 1}]
)
def test_it_refuses_what_is_no_brand(client: APIClient, change: dict[str, Any]) -> None:
    assert client.patch(f"{ADMIN}/brand", change).status_code == 400


def test_deleting_one_leaves_what_is_published(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant, MAIL)
    before = html_of()
    assert client.delete(f"{ADMIN}/layouts/standard").status_code == 204
    assert client.delete(f"{ADMIN}/partials/foot").status_code == 204
    assert html_of() == before
    assert client.get(f"{ADMIN}/layouts/standard").status_code == 404
    assert client.delete(f"{ADMIN}/partials/foot").status_code == 404


def test_each_tenant_has_its_own(client: APIClient, tenant: Tenant) -> None:
    other = operator(create_tenant(name="Elsewhere"))
    assert other.get(f"{ADMIN}/layouts").json()["results"] == []
    assert other.get(f"{ADMIN}/partials/foot").status_code == 404
    assert other.get(f"{ADMIN}/brand").json()["name"] == "Elsewhere"


def test_it_takes_the_permission(client: APIClient, tenant: Tenant) -> None:
    reader = operator(tenant, is_superuser=False)
    assert reader.get(f"{ADMIN}/layouts").status_code == 403
    user = User.objects.latest("pk")
    user.user_permissions.add(Permission.objects.get(codename="view_layout"))
    assert reader.get(f"{ADMIN}/layouts").status_code == 200
    assert reader.patch(f"{ADMIN}/layouts/standard", {"name": "x"}).status_code == 403
    assert reader.post(f"{ADMIN}/layouts/standard/publish-anew").status_code == 403


def test_a_draft_that_names_no_layout_there_is_is_refused_when_saved(tenant: Tenant) -> None:
    with pytest.raises(Exception, match='no layout "gone"'):
        create_version(tenant, Draft("email", "en", MAIL.sources, layout="gone"))
