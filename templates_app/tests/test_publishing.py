from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from templates_app.inspection import Draft, InvalidTemplateError
from templates_app.models import PublishedVersionError, TemplateContent, TemplateVersion
from templates_app.publishing import publish, save_draft
from templates_app.tests.factories import ANN, GREETING, create_published, create_template, create_version
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    version = publish(create_version(create_tenant()))

    version.template.refresh_from_db()
    assert version.template.published == version
    assert version.published_at is not None
    assert (version.number, version.variables) == (1, ["name"])


def test_it_numbers_versions_and_goes_back() -> None:
    first = create_published(create_tenant())
    second = create_published(first.tenant, template=first.template)
    assert second.number == 2

    publish(first)

    first.template.refresh_from_db()
    assert first.template.published == first


def test_it_rewrites_a_draft() -> None:
    draft = create_version(create_tenant())

    save_draft(draft.template, [Draft("push", "de", {"body": "Hallo"})], {}, number=1)

    assert [str(content) for content in draft.contents.all()] == ["push · de"]


def test_it_takes_a_draft_with_sample_data_still_to_come_but_does_not_publish_it() -> None:
    draft = create_version(create_tenant(), sample_data={})

    with pytest.raises(InvalidTemplateError) as caught:
        publish(draft)

    (error,) = caught.value.errors
    assert (error.code, error.pointer, error.line) == ("missing_variable", "/contents/0/body", 1)
    draft.refresh_from_db()
    assert draft.published_at is None


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("a\n{{ b", "template_error", 2),
        ("{{ name|nope }}", "template_error", 1),
        ('{{ "a" * 100000000 }}', "template_too_expensive", None),
        ("{{ " + "-" * 100_000 + "1 }}", "template_too_expensive", None),
        ("{% for a in range(99999) %}{{ a }}{% endfor %}", "template_too_expensive", 1),
    ],
)
def test_it_says_where_a_draft_is_wrong_and_stores_nothing(source: str, code: str, line: int | None) -> None:
    template = create_template(create_tenant())
    contents = [*GREETING, Draft("email", "en", {"subject": "S", "body": "B", "html": source})]

    with pytest.raises(InvalidTemplateError) as caught:
        save_draft(template, contents, ANN)

    (error,) = caught.value.errors
    assert (error.pointer, error.code, error.line) == ("/contents/1/html", code, line)
    assert not template.versions.exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{{ name }} {{ order.id }}", ["name", "order"]),
        ("{{ name|default('friend') }}", []),
        ("{% if name is defined %}{{ name }}{% endif %}{{ order.id }}", ["order"]),
        ("{{ name|default('friend') }} {{ name }}", ["name"]),
        ("{% if vip %}{{ perk }}{% endif %}", ["perk", "vip"]),
        ("{% for line in order.lines %}{{ line }}{{ loop.index }}{% endfor %}{{ range(2) }}", ["order"]),
    ],
)
def test_it_knows_what_the_data_must_hold(body: str, expected: list[str]) -> None:
    sample = {"name": "Ann", "order": {"id": 1, "lines": [1]}, "vip": False, "perk": "tea"}
    content = Draft("sms", "en", {"body": body})

    assert create_published(create_tenant(), content, sample_data=sample).variables == expected


def test_it_needs_what_any_content_needs() -> None:
    guarded = Draft("sms", "en", {"body": "{{ name|default('you') }}"})
    plain = Draft("sms", "de", {"body": "{{ name }}"})

    assert create_published(create_tenant(), guarded, plain).variables == ["name"]


CHANGES: dict[str, Callable[[TemplateVersion], object]] = {
    "the version saved": lambda version: version.save(),
    "the version deleted": lambda version: version.delete(),
    "a content saved": lambda version: version.contents.get().save(),
    "a content deleted": lambda version: version.contents.get().delete(),
    "a content added": lambda version: TemplateContent.objects.create(
        tenant=version.tenant, version=version, channel="push", locale="en", body="x"
    ),
    "the draft rewritten": lambda version: save_draft(version.template, GREETING, ANN, number=version.number),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_never_changes_what_is_published(change: Callable[[TemplateVersion], object]) -> None:
    version = create_published(create_tenant())

    with pytest.raises(PublishedVersionError):
        change(version)


STATEMENTS = {
    "version update": "UPDATE templates_app_templateversion SET sample_data = '{}' WHERE id = %(version)s",
    "version reopened": "UPDATE templates_app_templateversion SET published_at = NULL WHERE id = %(version)s",
    "version delete": "DELETE FROM templates_app_templateversion WHERE id = %(version)s",
    "content update": "UPDATE templates_app_templatecontent SET body = 'x' WHERE version_id = %(version)s",
    "content delete": "DELETE FROM templates_app_templatecontent WHERE version_id = %(version)s",
    "content moved in": (
        "UPDATE templates_app_templatecontent SET version_id = %(version)s WHERE version_id = %(draft)s"
    ),
    "content insert": (
        "INSERT INTO templates_app_templatecontent"
        " (id, tenant_id, version_id, channel, locale, subject, title, body, html)"
        " VALUES (gen_random_uuid(), %(tenant)s, %(version)s, 'push', 'en', '', '', 'x', '')"
    ),
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_it_is_kept_from_changing_by_the_database_too(statement: str) -> None:
    version = create_published(create_tenant())
    draft = create_version(version.tenant, template=version.template)
    ids = {"version": version.pk, "draft": draft.pk, "tenant": version.tenant.pk}

    with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
        connection.cursor().execute(statement, ids)


def test_it_lets_drafts_go() -> None:
    draft = create_version(create_tenant())

    draft.template.delete()

    assert not TemplateContent.objects.filter(version=draft).exists()


def test_it_lets_a_tenant_go_with_what_it_published() -> None:
    version = create_published(create_tenant())
    ids = {"version": version.pk, "tenant": version.tenant.pk}

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_tenant WHERE id = %(tenant)s", ids)
        with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
            cursor.execute(STATEMENTS["version update"], ids)
        cursor.execute(STATEMENTS["version delete"], ids)
        cursor.execute(STATEMENTS["content delete"], ids)
        cursor.execute("DELETE FROM templates_app_templaterelease WHERE tenant_id = %(tenant)s", ids)
        cursor.execute("DELETE FROM templates_app_template WHERE tenant_id = %(tenant)s", ids)

    assert not TemplateContent.objects.exists()
