from typing import Any

import pytest
from rest_framework.test import APIClient

from templates_app.inspection import Draft
from templates_app.models import TemplateContent
from templates_app.tests.factories import create_template, create_version, operator
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/templates/greeting"
SMS = Draft("sms", "en", {"body": "“{{ name }}” " + "x" * 80})
EMAIL = Draft("email", "de", {"subject": "Hallo {{ name }}", "html": "<p>{{ name }}</p>"})
PUSH = Draft("push", "en", {"title": "Hi {{ name }}", "overrides": '{"image": "https://shop.example/a.png"}'})
SLACK = Draft("slack", "en", {"body": "Hi {{ name }}"})


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def look(client: APIClient, path: str = "/preview", /, **body: Any) -> Any:
    answer = client.post(URL + path, body)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_it_works(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant, SMS, EMAIL, PUSH, SLACK, sample_data={"name": "<Ann>", "order": 1})
    answer = look(client)
    by_channel = {row["channel"]: row for row in answer["results"]}
    sms, email, push, slack = (by_channel[name] for name in ("sms", "email", "push", "slack"))

    assert sms["segments"] == {
        "encoding": "ucs2",
        "parts": 2,
        "characters": 88,
        "limit": 10,
        "texts": [sms["body"][:67], sms["body"][67:]],
    }
    assert [finding["code"] for finding in sms["findings"]] == ["sms_not_gsm7"]
    assert (email["locale"], email["html"], email["segments"]) == ("de", "<p>&lt;Ann&gt;</p>", None)
    assert push["shape"] == {"title": "Hi <Ann>", "image": "https://shop.example/a.png", "bytes": 67}
    assert slack["shape"]["blocks"] == [
        {"type": "section", "text": {"type": "mrkdwn", "text": "Hi &lt;Ann&gt;"}}
    ]
    general = {(f["code"], f["channel"], f["locale"]) for f in answer["findings"]}
    assert {("unused_variable", None, None), ("missing_locale", "sms", "de")} <= general


def test_it_shows_what_is_stored_nowhere(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)
    content = {"channel": "sms", "locale": "en", "body": "Hi\n{{ nobody }}"}
    (row,) = look(client, contents=[content], data={"name": "Ann"})["results"]
    assert row["error"] == {
        "code": "missing_variable",
        "detail": "nobody is not in the data.",
        "part": "body",
        "line": 2,
    }
    (finding, *_) = look(client, "/lint", contents=[content], data={"name": "Ann"})["findings"]
    assert (finding["severity"], finding["pointer"], finding["line"]) == ("error", "/contents/0/body", 2)
    assert not TemplateContent.objects.exists()


def test_it_holds_names_and_data_against_a_schema(client: APIClient, tenant: Tenant) -> None:
    create_template(tenant)
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "order": {"type": "string"}}}
    content = {
        "channel": "sms",
        "locale": "en",
        "body": "Hi {% if nick is defined %}{{ nick }}{% endif %}{{ name }}",
    }
    asked = {"contents": [content], "schema": schema, "data": {"name": 1}}
    found = {(f["code"], f["pointer"]) for f in look(client, "/lint", **asked)["findings"]}
    assert found == {
        ("unknown_variable", "/contents/0/body"),
        ("unused_variable", ""),
        ("sample_data_unfit", "/sample_data"),
    }
    unsound = client.post(f"{URL}/lint", {"contents": [content], "schema": {"type": "strnig"}})
    assert (unsound.status_code, unsound.json()["code"]) == (422, "schema_invalid")


def test_what_could_not_be_sent_is_not_published(client: APIClient, tenant: Tenant) -> None:
    version = create_version(tenant, EMAIL, Draft("sms", "de", {"body": "x" * 161}))
    Tenant.objects.update(sms_max_segments=1)
    refused = client.post(f"{URL}/versions/1/publish")
    assert (refused.status_code, refused.json()["code"]) == (422, "template_invalid")
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/contents/1/body", "sms_too_long")

    Tenant.objects.update(sms_max_segments=2)
    published = client.post(f"{URL}/versions/1/publish").json()
    assert published["status"] == "published"
    codes = {finding["code"] for finding in published["findings"]}
    assert {"missing_default_locale", "text_derived"} <= codes
    version.refresh_from_db()
    assert version.published_at is not None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({}, {("sms", "en"), ("sms", "de"), ("push", "en")}),
        ({"channel": "sms"}, {("sms", "en"), ("sms", "de")}),
        ({"locale": "de-AT"}, {("sms", "de"), ("push", "en")}),
        ({"locale": "fr", "channel": "sms"}, {("sms", "en")}),
        ({"version": 1}, {("sms", "fr")}),
    ],
)
def test_it_shows_what_is_asked_for(
    client: APIClient, tenant: Tenant, body: dict[str, Any], shown: set[tuple[str, str]]
) -> None:
    first = create_version(tenant, Draft("sms", "fr", {"body": "Salut"}))
    words = [Draft("sms", locale, {"body": "Hi"}) for locale in ("en", "de")]
    create_version(tenant, *words, Draft("push", "en", {"title": "Hi"}), template=first.template)
    assert {(row["channel"], row["locale"]) for row in look(client, **body)["results"]} == shown


def test_it_takes_the_version_from_the_path(client: APIClient, tenant: Tenant) -> None:
    create_version(tenant)
    (row,) = look(client, "/versions/1/preview", data={"name": "Bo"})["results"]
    assert (row["body"], row["error"]) == ("Hi Bo", None)
    assert look(client, "/versions/1/lint")["findings"] == []
    assert client.post(f"{URL}/versions/1/preview", {"version": 2}).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [({"data": {}}, "missing_variable"), ({"channel": "push"}, "template_missing_content")],
)
def test_it_says_why_there_are_no_words(
    client: APIClient, tenant: Tenant, body: dict[str, Any], code: str
) -> None:
    create_version(tenant)
    (row,) = look(client, **body)["results"]
    assert row["error"]["code"] == code


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"version": 1, "contents": [{"channel": "sms", "locale": "en", "body": "Hi"}]}, ""),
        ({"contents": []}, "/contents"),
        ({"contents": [{"channel": "sms", "locale": "en"}]}, "/contents/0"),
        ({"version": 0}, "/version"),
        ({"channel": "pigeon"}, "/channel"),
    ],
)
def test_it_points_at_what_is_wrong(
    client: APIClient, tenant: Tenant, body: dict[str, Any], pointer: str
) -> None:
    create_version(tenant)
    answer = client.post(f"{URL}/preview", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize("path", ["/preview", "/lint", "/versions/1/preview", "/versions/1/lint"])
def test_it_hides_what_is_another_tenants(client: APIClient, path: str) -> None:
    create_version(create_tenant())
    assert client.post(URL + path, {}).status_code == 404
