from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.test import Client

from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.publishing import publish
from templates_app.tests.factories import create_published, create_template, create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, confirm, post, see, staff

pytestmark = pytest.mark.django_db
VERSIONS = "/admin/templates_app/templateversion/"
PUBLISH = {"templates_app_templateversion_save_and_publish": "1"}
_number = count(1)


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def change(version: TemplateVersion) -> str:
    return f"{VERSIONS}{version.pk}/change/"


def form(version: TemplateVersion, *words: dict[str, str], sample: str = '{"name": "Ann"}') -> dict[str, Any]:
    """The draft's own words, with the given changes in order, and new ones after them."""
    own = [
        {
            "id": str(row.pk),
            "version": str(version.pk),
            "channel": row.channel,
            "locale": row.locale,
            **row.sources(),
        }
        for row in version.contents.all()
    ]
    rows = [{**(own[i] if i < len(own) else {}), **row} for i, row in enumerate(words or own)]
    fields = {f"contents-{i}-{name}": value for i, row in enumerate(rows) for name, value in row.items()}
    totals = {"contents-TOTAL_FORMS": str(len(rows)), "contents-INITIAL_FORMS": str(len(own))}
    return {"sample_data": sample, **totals, **fields}


def errors_of(answer: Any, index: int) -> dict[str, list[str]]:
    (inline,) = answer.context["inline_admin_formsets"]
    found: dict[str, list[str]] = inline.formset.forms[index].errors
    return found


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    new = {"channel": "in_app", "locale": "de", "title": "Hallo {{ name }}", "body": "Zeile\r\n{{ order }}"}
    post(admin_client, change(version), form(version, {"body": "Hello {{ name }}"}, new))
    version.refresh_from_db()
    assert version.variables == ["name", "order"]
    assert {(row.channel, row.locale): row.body for row in version.contents.all()} == {
        ("sms", "en"): "Hello {{ name }}",
        ("in_app", "de"): "Zeile\n{{ order }}",
    }


def test_it_deletes_words(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant, Draft("sms", "en", {"body": "a"}), Draft("sms", "de", {"body": "b"}))
    post(admin_client, change(version), form(version, {}, {"DELETE": "on"}))
    assert version.contents.count() == 1


@pytest.mark.parametrize(
    ("words", "field", "error"),
    [
        ({"body": "Hi\n{{ name"}, "body", "Line 2"),
        (
            {"body": "{% for i in range(100000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}"},
            "body",
            "",
        ),
        ({"body": ""}, "body", "A message by sms needs body."),
        ({"title": "Hi"}, "title", "A message by sms has no title."),
        ({"locale": "english!"}, "locale", "not a BCP 47 language tag"),
    ],
)
def test_it_puts_errors_on_the_part(
    admin_client: Client, tenant: Tenant, words: dict[str, str], field: str, error: str
) -> None:
    version = create_version(tenant)
    answer = admin_client.post(change(version), form(version, words))
    assert error in " ".join(errors_of(answer, 0)[field])
    assert version.contents.get().body == "Hi {{ name }}"


def test_it_refuses_two_wordings_for_one_place(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    answer = admin_client.post(
        change(version), form(version, {}, {"channel": "sms", "locale": "EN", "body": "again"})
    )
    assert "already" in " ".join(errors_of(answer, 1)["locale"])


@pytest.mark.parametrize("sample", ["{", "[1]"])
def test_it_refuses_sample_data_that_are_no_object(admin_client: Client, tenant: Tenant, sample: str) -> None:
    version = create_version(tenant)
    answer = admin_client.post(change(version), form(version, sample=sample))
    assert answer.context["adminform"].form.errors["sample_data"]


def test_it_saves_and_publishes(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    page = post(admin_client, change(version), form(version, {"body": "Now {{ name }}"}) | PUBLISH)
    version.refresh_from_db()
    assert version.published_at is not None
    assert version.template.published == version
    assert version.contents.get().body == "Now {{ name }}"
    assert "is sent from now on" in page


def test_it_publishes_nothing_whose_sample_data_are_incomplete(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    answer = admin_client.post(change(version), form(version, sample="{}") | PUBLISH)
    assert "name" in " ".join(errors_of(answer, 0)["body"])
    version.refresh_from_db()
    assert version.published_at is None


def test_it_publishes_nothing_that_could_not_be_sent(admin_client: Client, tenant: Tenant) -> None:
    Tenant.objects.update(sms_max_segments=1)
    version = create_version(tenant)
    answer = admin_client.post(change(version), form(version, {"body": "x" * 161}) | PUBLISH)
    assert "2 parts in GSM-7" in " ".join(errors_of(answer, 0)["body"])
    version.refresh_from_db()
    assert version.published_at is None


def test_it_publishes_nothing_that_is_empty(admin_client: Client, tenant: Tenant) -> None:
    version = create_version(tenant)
    page = post(admin_client, change(version), form(version, {"DELETE": "on"}) | PUBLISH)
    assert "There is nothing to publish" in page
    assert version.contents.exists()


def test_it_never_changes_what_is_published(admin_client: Client, tenant: Tenant) -> None:
    version = create_published(tenant)
    assert admin_client.post(change(version), form(version, {"body": "other"})).status_code == 403
    assert admin_client.post(f"{VERSIONS}{version.pk}/delete/", {"post": "yes"}).status_code == 403
    page = see(admin_client, change(version))
    assert "<textarea" not in page
    assert "Hi {{ name }}" in page


def test_it_goes_back_to_an_earlier_version(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)
    second = create_published(tenant, template=first.template)
    assert "/make_current/" not in see(admin_client, change(second))
    assert "/make_current/" in see(admin_client, change(first))
    confirm(admin_client, f"{VERSIONS}{first.pk}/make_current/")
    first.template.refresh_from_db()
    assert first.template.published == first


def test_it_copies_any_version_into_a_draft(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)
    create_version(tenant, Draft("sms", "en", {"body": "other"}), template=first.template)
    confirm(admin_client, f"{VERSIONS}{first.pk}/new_draft/")
    assert TemplateVersion.objects.get(number=3).contents.get().body == "Hi {{ name }}"


def test_it_lets_viewers_look_and_nothing_else(tenant: Tenant) -> None:
    version = create_version(tenant)
    viewer = staff("templates_app.view_templateversion", "templates_app.view_templatecontent")
    assert "Hi Ann" in see(viewer, f"{VERSIONS}{version.pk}/preview/")
    assert "save_and_publish" not in see(viewer, change(version))
    assert viewer.post(change(version), form(version) | PUBLISH).status_code == 403
    assert viewer.post(f"{VERSIONS}{version.pk}/new_draft/", {"_form_submitted": "on"}).status_code == 403
    publish(version)
    assert viewer.post(f"{VERSIONS}{version.pk}/make_current/", {"_form_submitted": "on"}).status_code == 403


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    def create() -> None:
        create_version(tenant, template=create_template(tenant, f"code-{next(_number)}"))

    assert_bounded(admin_client, VERSIONS, create)
