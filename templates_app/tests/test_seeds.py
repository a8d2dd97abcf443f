import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from templates_app.catalog import missing_variables, published
from templates_app.models import Template, TemplateContent, TemplateVersion
from templates_app.publishing import publish, save_draft
from templates_app.rendering import RenderError, RenderRequest, Words, render_many
from templates_app.seeds import renew_templates, seed_templates
from templates_app.tests.factories import GREETING, create_template
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

CODES = {
    *("welcome", "password-reset", "order-confirmation", "order-shipped", "payment-receipt"),
    *("payment-failed", "reminder", "alert", "low-stock", "daily-summary", "system-notice"),
    *("activity-digest", "newsletter"),
}
# GSM 03.38, the default alphabet and its extension table
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant()
    seed_templates(tenant)
    return tenant


def render(version: TemplateVersion, channel: str, locale: str, data: Mapping[str, Any]) -> Words:
    (answer,) = render_many([RenderRequest(version.pk, channel, locale, "en", data)])
    if isinstance(answer, RenderError):
        raise answer
    return answer


def test_it_works() -> None:
    tenant = create_tenant()

    created, skipped = seed_templates(tenant)

    assert (set(created), skipped) == (CODES, [])
    assert Template.objects.filter(tenant=tenant, published__isnull=False).count() == len(CODES)


def test_it_does_nothing_twice_and_touches_nothing_of_the_tenants_own() -> None:
    tenant = create_tenant()
    publish(save_draft(create_template(tenant, "welcome", name="Our own"), GREETING, {"name": "Ann"}))

    created, skipped = seed_templates(tenant)
    assert (set(created), skipped) == (CODES - {"welcome"}, ["welcome"])
    again, all_there = seed_templates(tenant)
    assert (again, set(all_there)) == ([], CODES)
    assert Template.objects.get(tenant=tenant, code="welcome").name == "Our own"


def test_it_says_what_its_data_are(tenant: Tenant) -> None:
    """Its schema asks for what it cannot be rendered without, and names all that it can say.

    A digest's words need a list, of which each request brings one item.
    """
    for version in TemplateVersion.objects.filter(tenant=tenant).select_related("template"):
        schema = version.schema
        assert schema is not None
        needed = {"who", "what"} if version.template.digest else set(version.variables)
        assert set(schema["required"]) == needed, version
        assert set(version.sample_data) == set(schema["properties"]), version
        assert all("description" in about for about in schema["properties"].values()), version


def before_schemas(template: Template, body: str = "") -> None:
    """As it would have been published before there were any; `body` takes the place of the feed's words."""
    assert template.published is not None
    drafts = [content.draft() for content in template.published.contents.all()]
    if body:
        other = {"in_app": {"title": "{{ name }}", "body": body}}
        drafts = [replace(draft, sources=other.get(draft.channel, draft.sources)) for draft in drafts]
    publish(save_draft(template, drafts, template.published.sample_data))


def test_what_has_no_schema_yet_gets_one_and_a_tenants_own_words_are_left(tenant: Tenant) -> None:
    assert renew_templates(tenant) == []
    alert, welcome = (Template.objects.get(tenant=tenant, code=code) for code in ("alert", "welcome"))
    before_schemas(alert)
    before_schemas(welcome, "Our own words, {{ name }}.")
    assert renew_templates(tenant) == ["alert"]
    alert.refresh_from_db()
    assert alert.published is not None
    assert (alert.published.number, alert.published.schema is not None) == (3, True)
    assert renew_templates(tenant) == []


def test_it_speaks_both_languages_on_every_channel(tenant: Tenant) -> None:
    for version in TemplateVersion.objects.filter(tenant=tenant):
        channels = {
            locale: set(version.contents.filter(locale=locale).values_list("channel", flat=True))
            for locale in ("en", "de")
        }
        assert channels["en"] == channels["de"]
        assert channels["en"] >= set(version.template.channels)


def test_it_renders_each_with_its_sample_data_and_with_the_least_it_needs(tenant: Tenant) -> None:
    for content in TemplateContent.objects.filter(tenant=tenant).select_related("version__template"):
        version = content.version
        least = {name: version.sample_data[name] for name in version.variables}
        for data in (version.sample_data, least):
            words = render(version, content.channel, content.locale, data)
            text = "".join(words)
            assert not re.search(r"\$\w|\{\{|\{%|None", text), f"{version} {content}: {text}"
            assert "\n\n\n" not in words.body
            assert bool(words.html) == (content.channel == "email")


def test_it_keeps_a_text_message_to_one_segment(tenant: Tenant) -> None:
    for content in TemplateContent.objects.filter(tenant=tenant, channel="sms").select_related("version"):
        body = render(content.version, "sms", content.locale, content.version.sample_data).body

        assert set(body) <= GSM_7, body
        assert len(body) + sum(body.count(extended) for extended in "^{}\\[~]|€") <= 160


def test_it_sends_a_shipped_order_with_a_name_and_a_number(tenant: Tenant) -> None:
    data = {"name": "Ann", "order": "A-17"}
    template = published(tenant.pk, [("order-shipped", None)])["order-shipped", None]
    version = TemplateVersion.objects.get(pk=template.version_id)

    assert missing_variables(template, data) == []
    assert template.channels == ("in_app", "email", "sms")
    assert render(version, "sms", "en-GB", data).body == "Hi Ann, your order A-17 is on its way."
    assert render(version, "email", "de", data).subject == "Deine Bestellung A-17 ist unterwegs"


def test_it_escapes_what_the_data_bring_into_an_email(tenant: Tenant) -> None:
    version = TemplateVersion.objects.get(tenant=tenant, template__code="order-shipped")

    html = render(version, "email", "en", {"name": "<script>", "order": "A&B"}).html

    assert "<script>" not in html
    assert "A&amp;B" in html
