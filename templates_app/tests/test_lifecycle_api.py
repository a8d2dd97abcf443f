"""The life of a template over the API: draft, published, tried, compared, archived, and who did it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from templates_app.inspection import Draft
from templates_app.models import Template, TemplateRelease, TemplateVersion
from templates_app.tests.factories import create_published, create_template, create_version, operator
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/templates/greeting"
SMS = {"channel": "sms", "locale": "en", "body": "Hi {{ name }}"}
SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def test_it_works(client: APIClient, tenant: Tenant) -> None:
    """Publish, try, change, promote, go back: and all of it is on record, with who did it."""
    first = create_published(tenant)
    create_version(tenant, template=first.template)
    by = User.objects.get().username

    started = client.put(f"{URL}/canary", {"version": 2, "percent": 12.5})
    assert (started.status_code, started.json()["canary"]) == (200, {"version": 2, "percent": 12.5})
    assert client.put(f"{URL}/canary", {"version": 2, "percent": 50}).json()["canary"]["percent"] == 50
    promoted = client.post(f"{URL}/canary/promote").json()
    assert (promoted["published"], promoted["canary"]) == (2, None)
    assert client.post(f"{URL}/versions/1/publish").status_code == 200
    assert client.post(f"{URL}/versions/2/archive").json()["status"] == "archived"

    results = client.get(f"{URL}/releases").json()["results"]
    assert [(r["act"], r["version"], r["percent"], r["by"]) for r in results] == [
        ("version_archived", 2, None, by),
        ("rolled_back", 1, None, by),
        ("canary_promoted", 2, None, by),
        ("canary_changed", 2, 50, by),
        ("canary_started", 2, 12.5, by),
        ("published", 1, None, ""),
    ]


def test_it_drops_a_canary(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant, template=create_published(tenant).template)
    client.put(f"{URL}/canary", {"version": 2, "percent": 10})
    assert client.delete(f"{URL}/canary").status_code == 204
    assert client.get(URL).json()["canary"] is None
    again = client.delete(f"{URL}/canary")
    assert (again.status_code, again.json()["code"]) == (409, "no_canary")


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"version": 2, "percent": 0}, 400, "/percent"),
        ({"version": 2, "percent": 100.5}, 400, "/percent"),
        ({"version": 2, "percent": 0.001}, 400, "/percent"),
        ({"version": 2, "percent": "NaN"}, 400, "/percent"),
        ({"version": 2}, 400, "/percent"),
        ({"version": 0, "percent": 1}, 400, "/version"),
        ({"version": 2, "percent": 1, "for": "ann"}, 400, "/for"),
        ({"version": 9, "percent": 1}, 404, None),
        ({"version": 1, "percent": 1}, 409, None),
    ],
)
def test_it_refuses_a_canary(
    client: APIClient, tenant: Tenant, body: Any, status: int, pointer: str | None
) -> None:
    create_version(tenant, template=create_published(tenant).template)
    answer = client.put(f"{URL}/canary", body)
    assert answer.status_code == status, answer.json()
    assert [error["pointer"] for error in answer.json()["errors"]] == ([pointer] if pointer else [])
    assert Template.objects.get().canary is None


def test_a_version_has_a_schema(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)
    body = {"contents": [SMS], "schema": SCHEMA, "sample_data": {"name": "Ann"}}
    created = client.post(f"{URL}/versions", body)
    assert (created.status_code, created.json()["schema"]) == (201, SCHEMA)

    taken = client.patch(f"{URL}/versions/1", {"schema": None})
    assert (taken.json()["schema"], taken.json()["sample_data"]) == (None, {"name": "Ann"})
    told = client.get(f"{URL}/versions/1/schema").json()
    assert (told["schema"], told["inferred"]["properties"]) == (None, {"name": {"type": "string"}})
    assert client.patch(f"{URL}/versions/1", {"schema": told["inferred"]}).status_code == 200
    assert client.post(f"{URL}/versions/1/publish").status_code == 200


def test_it_says_what_is_wrong_with_a_schema(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)
    schema = {"properties": {"name": {"format": "moon"}, "link": {"$ref": "http://example.com"}}}
    answer = client.post(f"{URL}/versions", {"contents": [SMS], "schema": schema})
    assert (answer.status_code, answer.json()["code"]) == (422, "schema_invalid")
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/schema/properties/name/format", "unknown_format"),
        ("/schema/properties/link/$ref", "foreign_reference"),
    ]
    assert not TemplateVersion.objects.exists()


def test_it_publishes_no_version_whose_sample_does_not_fit(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)
    body = {"contents": [SMS], "schema": SCHEMA, "sample_data": {"name": 17}}
    assert client.post(f"{URL}/versions", body).status_code == 201
    answer = client.post(f"{URL}/versions/1/publish")
    assert (answer.status_code, answer.json()["code"]) == (422, "schema_invalid")
    assert answer.json()["errors"][0]["pointer"] == "/sample_data/name"
    assert Template.objects.get().published is None


def test_it_changes_of_a_draft_what_is_given(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant)
    changed = client.patch(f"{URL}/versions/1", {"contents": [{**SMS, "body": "Hello {{ name }}"}]}).json()
    assert (changed["contents"][0]["body"], changed["sample_data"]) == ("Hello {{ name }}", {"name": "Ann"})
    changed = client.patch(f"{URL}/versions/1", {"sample_data": {"name": "Bo"}}).json()
    assert (changed["contents"][0]["body"], changed["sample_data"]) == ("Hello {{ name }}", {"name": "Bo"})

    assert client.patch(f"{URL}/versions/1", {"contents": None}).status_code == 400
    client.post(f"{URL}/versions/1/publish")
    refused = client.patch(f"{URL}/versions/1", {"sample_data": {}})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_published")


def test_it_compares_versions(client: APIClient, tenant: Tenant) -> None:
    first = create_version(tenant, Draft("sms", "en", {"body": "Hi {{ name }}\nBye"}))
    create_version(tenant, Draft("sms", "en", {"body": "Hello {{ name }}\nBye"}), template=first.template)

    told = client.get(f"{URL}/versions/1/diff/2").json()

    assert (told["before"], told["after"]) == (1, 2)
    (part,) = told["parts"]
    lines = part.pop("lines")
    place = {"channel": "sms", "locale": "en", "part": "body"}
    assert part == place | {"change": "changed", "added": 1, "removed": 1}
    assert [(line["op"], line["before"], line["after"], line["text"]) for line in lines] == [
        ("removed", 1, None, "Hi {{ name }}"),
        ("added", None, 1, "Hello {{ name }}"),
        ("same", 2, 2, "Bye"),
    ]
    assert client.get(f"{URL}/versions/1/diff/2?context=0").json()["parts"][0]["lines"][-1]["op"] == "gap"
    assert client.get(f"{URL}/versions/1/diff/1").json()["parts"] == []
    assert client.get(f"{URL}/versions/1/diff/2?context=x").json()["errors"][0]["code"] == "invalid_context"
    assert client.get(f"{URL}/versions/1/diff/3").status_code == 404


def test_an_archived_version_is_not_published(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant, template=create_published(tenant).template)
    client.post(f"{URL}/versions/2/archive")
    refused = client.post(f"{URL}/versions/2/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "version_archived")
    assert client.post(f"{URL}/versions/1/archive").json()["code"] == "version_current"
    assert client.post(f"{URL}/versions/2/restore").json()["status"] == "draft"
    assert client.post(f"{URL}/versions/2/publish").status_code == 200


def test_a_template_comes_back(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant)
    client.delete(URL)
    archived = client.get("/api/v1/admin/templates?archived=true").json()["results"]
    assert [(row["code"], row["archived_at"] is None) for row in archived] == [("greeting", False)]

    restored = client.post(f"{URL}/restore")

    assert (restored.status_code, restored.json()["published"]) == (200, 1)
    assert client.post(f"{URL}/restore").status_code == 404
    client.delete(URL)
    create_template(tenant)
    taken = client.post(f"{URL}/restore")
    assert (taken.status_code, taken.json()["code"]) == (409, "template_exists")


def test_it_lists_what_is_asked_for(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant, "a", category="alert", type="otp")
    create_template(tenant, "b", category="alert")
    listed = {
        asked: [row["code"] for row in client.get(f"/api/v1/admin/templates?{asked}").json()["results"]]
        for asked in ("category=alert", "type=otp", "category=system", "archived=true")
    }
    assert listed == {
        "category=alert": ["b", "a"],
        "type=otp": ["a"],
        "category=system": [],
        "archived=true": [],
    }
    assert client.get("/api/v1/admin/templates?archived=maybe").status_code == 400


ROLES = {
    "viewer": {"view"},
    "writer": {"view", "add", "change"},
    "manager": {"view", "add", "change", "delete"},
}


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("get", "", "view"),
        ("get", "/releases", "view"),
        ("get", "/versions", "view"),
        ("get", "/versions/1", "view"),
        ("get", "/versions/1/schema", "view"),
        ("get", "/versions/1/diff/2", "view"),
        ("patch", "", "change"),
        ("post", "/versions", "change"),
        ("patch", "/versions/2", "change"),
        ("post", "/versions/2/publish", "change"),
        ("post", "/versions/2/archive", "change"),
        ("post", "/versions/2/restore", "change"),
        ("put", "/canary", "change"),
        ("delete", "/canary", "change"),
        ("post", "/canary/promote", "change"),
        ("delete", "", "delete"),
        ("post", "/restore", "change"),
    ],
)
def test_each_role_may_do_its_own(tenant: Tenant, method: str, path: str, needs: str) -> None:
    create_version(tenant, template=create_published(tenant).template)
    for held in ROLES.values():
        someone = operator(tenant, is_superuser=False)
        codenames = [f"{act}_template" for act in held]
        User.objects.latest("pk").user_permissions.set(Permission.objects.filter(codename__in=codenames))
        refused = getattr(someone, method)(URL + path, {}).status_code == 403
        assert refused == (needs not in held)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/releases"),
        ("get", "/versions/1/schema"),
        ("get", "/versions/1/diff/1"),
        ("patch", "/versions/1"),
        ("post", "/versions/1/archive"),
        ("post", "/versions/1/restore"),
        ("delete", "/canary"),
        ("post", "/canary/promote"),
        ("post", "/restore"),
    ],
)
def test_it_hides_what_is_another_tenants(client: APIClient, method: str, path: str) -> None:
    create_version(create_tenant())
    assert getattr(client, method)(URL + path, {}).status_code == 404
    assert not TemplateRelease.objects.exists()
