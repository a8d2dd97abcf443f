from typing import Any

import pytest
from rest_framework.test import APIClient

from templates_app.catalog import published
from templates_app.models import Template, TemplateContent, TemplateVersion
from templates_app.tests.factories import create_published, create_template, create_version, operator
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/templates"
SMS = {"channel": "sms", "locale": "en", "body": "Hi {{ name }}"}
EMAIL = {"channel": "email", "locale": "de", "subject": "Hallo {{ name }}", "html": "<p>{{ name }}</p>"}


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def test_it_works(client: APIClient, tenant: Tenant) -> None:
    created = client.post(URL, {"code": "hello", "name": "Hello", "channels": ["sms"]})
    assert created.status_code == 201
    assert created.json()["published"] is None

    draft = client.post(f"{URL}/hello/versions", {"contents": [EMAIL, SMS], "sample_data": {"name": "Ann"}})
    assert draft.status_code == 201
    assert (draft.json()["number"], draft.json()["status"], draft.json()["variables"]) == (
        1,
        "draft",
        ["name"],
    )

    sealed = client.post(f"{URL}/hello/versions/1/publish")
    assert sealed.status_code == 200
    assert sealed.json()["status"] == "published"
    assert [content["channel"] for content in sealed.json()["contents"]] == ["email", "sms"]
    assert client.get(f"{URL}/hello").json()["published"] == 1
    assert published(tenant.pk, [("hello", None)])["hello", None].channels == ("sms",)


def test_its_channels_may_be_chains(client: APIClient) -> None:
    channels = ["in_app", ["sms", "email"], {"chain": ["push", "sms"], "within": 600}]
    created = client.post(URL, {"code": "hello", "name": "Hello", "channels": channels})
    assert (created.status_code, created.json()["channels"]) == (201, channels)


def test_it_lists_by_cursor(client: APIClient, tenant: Tenant) -> None:
    for code in ("a", "b", "c"):
        create_template(tenant, code)
    create_template(create_tenant(), "d")

    first = client.get(f"{URL}?limit=2").json()
    second = client.get(first["next"]).json()

    assert [[row["code"] for row in page["results"]] for page in (first, second)] == [["c", "b"], ["a"]]
    assert (first["previous"], second["next"]) == (None, None)


def test_it_lists_versions(client: APIClient, tenant: Tenant) -> None:
    template = create_published(tenant).template
    create_version(tenant, template=template)

    rows = client.get(f"{URL}/greeting/versions").json()["results"]

    assert [(row["number"], row["status"]) for row in rows] == [(2, "draft"), (1, "published")]


def test_it_changes_what_is_named_and_nothing_else(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)

    answer = client.patch(f"{URL}/greeting", {"category": "alert"})

    assert (answer.status_code, answer.json()["category"], answer.json()["name"]) == (
        200,
        "alert",
        "Greeting",
    )


def test_it_archives_and_frees_the_code(client: APIClient, tenant: Tenant) -> None:
    create_published(tenant)

    assert client.delete(f"{URL}/greeting").status_code == 204
    assert client.get(f"{URL}/greeting").status_code == 404
    assert client.post(URL, {"code": "greeting", "name": "New"}).status_code == 201
    assert TemplateVersion.objects.count() == 1


def test_it_rewrites_a_draft_and_no_published_version(client: APIClient, tenant: Tenant) -> None:
    template = create_published(tenant).template
    create_version(tenant, template=template)

    rewritten = client.put(f"{URL}/greeting/versions/2", {"contents": [EMAIL]})
    refused = client.put(f"{URL}/greeting/versions/1", {"contents": [EMAIL]})

    assert [content["channel"] for content in rewritten.json()["contents"]] == ["email"]
    assert (refused.status_code, refused.json()["code"]) == (409, "version_published")


def test_it_refuses_a_code_that_is_taken(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)

    answer = client.post(URL, {"code": "greeting", "name": "Again"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/code")


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("a\n{{ b", "template_error"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "template_too_expensive",
        ),
        ('{{ "a" * 100000000 }}', "template_too_expensive"),
        ("{{ name|nope }}", "template_error"),
    ],
)
def test_it_refuses_a_bad_template(client: APIClient, tenant: Tenant, html: str, code: str) -> None:
    create_template(tenant)
    content = {**EMAIL, "html": html}

    answer = client.post(
        f"{URL}/greeting/versions", {"contents": [SMS, content], "sample_data": {"name": "Ann"}}
    )

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "template_invalid"
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/contents/1/html", code)
    assert not TemplateVersion.objects.exists()


def test_it_does_not_publish_what_the_sample_data_do_not_fill(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant, sample_data={})

    answer = client.post(f"{URL}/greeting/versions/1/publish")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/contents/0/body")
    assert Template.objects.get().published is None


@pytest.mark.parametrize(
    ("contents", "pointer"),
    [
        ([{**SMS, "channel": "pigeon"}], "/contents/0/channel"),
        ([{**SMS, "locale": "english please"}], "/contents/0/locale"),
        ([{**SMS, "locale": 1}], "/contents/0/locale"),
        ([{**SMS, "html": "<p>"}], "/contents/0"),
        ([{**SMS, "body": ""}], "/contents/0"),
        ([{**EMAIL, "subject": ""}], "/contents/0"),
        ([{**SMS, "colour": "red"}], "/contents/0/colour"),
        ([{**SMS, "body": "a\x00b"}], "/contents/0/body"),
        ([{**SMS, "body": "a\x1bb"}], "/contents/0/body"),
        ([{**SMS, "body": None}], "/contents/0/body"),
        ([SMS, SMS], "/contents"),
        ([], "/contents"),
        ("sms", "/contents"),
        (None, "/contents"),
    ],
)
def test_it_points_at_what_is_wrong(client: APIClient, tenant: Tenant, contents: Any, pointer: str) -> None:
    create_template(tenant)

    answer = client.post(f"{URL}/greeting/versions", {"contents": contents, "sample_data": {"name": "Ann"}})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not TemplateContent.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "A"}, "/code"),
        ({"code": "a b", "name": "A"}, "/code"),
        ({"code": "a\n", "name": "A"}, "/code"),
        ({"code": "a", "name": " "}, "/name"),
        ({"code": "a", "name": "A", "channels": ["pigeon"]}, "/channels/0"),
        ({"code": "a", "name": "A", "channels": ["sms", "sms"]}, "/channels"),
        ({"code": "a", "name": "A", "channels": [["sms", "fax"]]}, "/channels/0/1"),
        ({"code": "a", "name": "A", "channels": [{"chain": ["sms"], "within": 0}]}, "/channels/0/within"),
        ({"code": "a", "name": "A", "published": 1}, "/published"),
        ({"code": "a" * 101, "name": "A"}, "/code"),
        ([], ""),
    ],
)
def test_it_refuses_a_template_that_is_none(client: APIClient, body: Any, pointer: str) -> None:
    answer = client.post(URL, body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Template.objects.exists()


def test_it_changes_nothing_to_null(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)

    assert client.patch(f"{URL}/greeting", {"name": None}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/greeting"),
        ("patch", "/greeting"),
        ("delete", "/greeting"),
        ("get", "/greeting/versions"),
        ("get", "/greeting/versions/1"),
        ("post", "/greeting/versions/1/publish"),
        ("post", "/greeting/versions/1/preview"),
        ("post", "/greeting/preview"),
    ],
)
def test_it_hides_what_is_another_tenants(client: APIClient, method: str, path: str) -> None:
    create_version(create_tenant())

    assert getattr(client, method)(URL + path, {}).status_code == 404


@pytest.mark.parametrize("number", ["0", "2", "99999999999999999999"])
def test_it_knows_no_other_version(client: APIClient, tenant: Tenant, number: str) -> None:
    create_version(tenant)

    assert client.get(f"{URL}/greeting/versions/{number}").status_code == 404
