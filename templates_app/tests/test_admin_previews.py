from __future__ import annotations

import pytest
from django.test import Client

from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.tests.factories import create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import post, see

pytestmark = pytest.mark.django_db
EMAIL = Draft("email", "en", {"subject": "Hi {{ name }}", "html": "<script>alert(1)</script><b>Hi</b>"})
BLOCKS = """{"blocks": [
    {"type": "header", "text": {"type": "plain_text", "text": "Fire"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": {{ "*" ~ name ~ "* <https://a.example|here>" }}}},
    {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Call"}}]},
    {"type": "rich_text", "elements": []}
]}"""
EMBEDS = '{"embeds": [{"title": "Fire", "fields": [{"name": "Floor", "value": "**3**", "inline": true}]}]}'
TEMPLATE = '{"template": {"name": "order_shipped", "language": "en", "parameters": [{{ name }}]}}'


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(name="Shop")


def preview(version: TemplateVersion) -> str:
    return f"/admin/templates_app/templateversion/{version.pk}/preview/"


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    words = [
        *(Draft("sms", locale, {"body": f"{locale}: {{{{ name }}}}"}) for locale in ("de", "en")),
        Draft("in_app", "en", {"title": "Bell for {{ name }}"}),
        Draft("push", "en", {"title": "Push", "body": "for {{ name }}"}),
        Draft("whatsapp", "en", {"body": "*Chat* with {{ name }}", "overrides": TEMPLATE}),
        Draft("slack", "en", {"body": "Fire", "overrides": BLOCKS}),
        Draft("discord", "en", {"body": "Fire", "overrides": EMBEDS}),
        Draft("webhook", "en", {"body": "Hook {{ name }}"}),
    ]
    page = see(admin_client, preview(create_version(tenant, *words, EMAIL)))
    for shown in (
        *("de: Ann", "en: Ann", "Hi Ann", "Bell for Ann", "for Ann", "<strong>Chat</strong> with Ann"),
        *("order_shipped", '<a href="https://a.example"', "<strong>Ann</strong>", "Call", "rich_text"),
        *("<strong>3</strong>", "Hook Ann", "push has no words in de"),
    ):
        assert shown in page


def test_it_shows_html_where_it_can_do_no_harm(admin_client: Client, tenant: Tenant) -> None:
    page = see(admin_client, preview(create_version(tenant, EMAIL)))
    assert page.count('<iframe sandbox=""') == 4
    assert 'srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;' in page
    assert "<script>alert(1)" not in page


def test_it_shows_what_each_part_of_a_text_message_holds(admin_client: Client, tenant: Tenant) -> None:
    Tenant.objects.update(sms_max_segments=1, sms_transliterate=True)
    version = create_version(tenant, Draft("sms", "en", {"body": "“Hi” " + "x" * 160}))
    page = see(admin_client, preview(version))
    assert "165 characters, GSM-7, 2 parts" in page
    assert "more than the 1 that is sent" in page
    assert f'title="Part 2 of 2">{"x" * 12}<' in page


def test_it_says_why_there_are_no_words(admin_client: Client, tenant: Tenant) -> None:
    page = see(admin_client, preview(create_version(tenant, sample_data={})))
    assert "missing_variable" in page


def test_it_switches_locales_and_data(admin_client: Client, tenant: Tenant) -> None:
    drafts = [Draft("sms", locale, {"body": f"{locale}: {{{{ name }}}}"}) for locale in ("de", "en")]
    first = create_version(tenant, *drafts, sample_data={"name": "Bo"})
    url = preview(create_version(tenant, *drafts, template=first.template))

    page = post(admin_client, url, {"locale": "de", "sample": "long"})
    assert "de: Ann Ann Ann" in page
    assert "en: Ann" not in page
    assert "de: Bo" in post(admin_client, url, {"sample": "v1"})
    assert "en: &lt;Cy&gt;" in post(admin_client, url, {"sample": "own", "data": '{"name": "<Cy>"}'})


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_it_refuses_data_that_are_no_object(admin_client: Client, tenant: Tenant, text: str) -> None:
    page = post(admin_client, preview(create_version(tenant)), {"sample": "own", "data": text})
    assert "The data are " in page
    assert "Hi Ann" in page
