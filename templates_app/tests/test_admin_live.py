from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from templates_app.inspection import Draft
from templates_app.models import TemplateContent, TemplateVersion
from templates_app.tests.factories import create_published, create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import see, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def url(version: TemplateVersion) -> str:
    return f"/admin/templates_app/templateversion/{version.pk}/live/"


def form(*rows: dict[str, str], sample: str = '{"name": "Ann"}', focus: str = "0") -> dict[str, str]:
    fields = {
        f"contents-{place}-{name}": value for place, row in enumerate(rows) for name, value in row.items()
    }
    return {"contents-TOTAL_FORMS": str(len(rows)), "sample_data": sample, "focus": focus, **fields}


def look(client: Client, version: TemplateVersion, *rows: dict[str, str], **said: str) -> Any:
    answer = client.post(url(version), form(*rows, **said))
    assert answer.status_code == 200, answer
    return answer.json()


SMS = {"channel": "sms", "locale": "en", "body": "Hello {{ name }}\r\nBye"}


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    shown = look(admin_client, version, SMS)
    assert "Hello Ann<br>Bye" in shown["html"]
    assert shown["problems"] == []
    assert TemplateContent.objects.get().body == "Hi {{ name }}"
    assert f'data-url="{url(version)}"' in see(admin_client, url(version).replace("live", "change"))


def test_it_names_part_and_line_by_the_place_in_the_form(admin_client: Client, tenant: Tenant) -> None:
    deleted = {"channel": "sms", "locale": "fr", "body": "{{ nobody }}", "DELETE": "on"}
    mail = {
        "channel": "email",
        "locale": "en",
        "subject": "Hi",
        "format": "markdown",
        "html": "# Hi\n\n{{ nobody }}",
    }
    shown = look(admin_client, create_version(tenant), deleted, {"channel": ""}, mail, SMS, focus="3")
    (problem,) = shown["problems"]
    assert (problem["place"], problem["part"], problem["line"], problem["severity"]) == (
        2,
        "html",
        3,
        "error",
    )
    assert "Hello Ann" in shown["html"]
    assert 'data-index="2" data-part="html" data-line="3"' in shown["html"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"channel": "sms", "locale": ""}, "A message by sms needs body."),
        ({"channel": "email", "locale": "en", "body": "Hi"}, "A message by email needs subject."),
        ({"channel": "sms", "locale": "en", "body": "Hi", "html": "of another channel"}, "Hi"),
    ],
)
def test_it_waits_for_what_is_not_written_yet(
    admin_client: Client, tenant: Tenant, row: dict[str, str], words: str
) -> None:
    shown = look(admin_client, create_version(tenant), row)
    assert words in shown["html"]
    assert [problem for problem in shown["problems"] if problem["severity"] == "error"] == []


def test_it_goes_on_with_the_stored_data_while_the_new_are_no_json(
    admin_client: Client, tenant: Tenant
) -> None:
    shown = look(admin_client, create_version(tenant, sample_data={"name": "Bo"}), SMS, sample='{"name": ')
    assert "Hello Bo" in shown["html"]
    (problem,) = shown["problems"]
    assert (problem["place"], problem["part"]) == (None, "sample_data")


def test_it_shows_nothing_of_an_empty_form(admin_client: Client, tenant: Tenant) -> None:
    assert "No words yet" in look(admin_client, create_version(tenant))["html"]


def test_it_is_for_those_who_may_write(admin_client: Client, tenant: Tenant) -> None:
    draft, published = (
        create_version(tenant),
        create_published(create_tenant(), Draft("sms", "en", {"body": "x"})),
    )
    viewer = staff("templates_app.view_templateversion", "templates_app.view_templatecontent")
    assert viewer.post(url(draft), form(SMS)).status_code == 403
    assert admin_client.post(url(published), form(SMS)).status_code == 403
    assert admin_client.get(url(draft)).status_code == 403
    assert Client().post(url(draft), form(SMS)).status_code == 302
