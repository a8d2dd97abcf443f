import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.rendering import RenderError, RenderRequest, Words, render_many
from templates_app.tests.factories import ANN, create_published, create_version
from tenants.ids import new_id
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def request(
    version: TemplateVersion, channel: str = "sms", locale: str = "en", **data: object
) -> RenderRequest:
    return RenderRequest(version.pk, channel, locale, "en", data or ANN)


def test_it_works() -> None:
    version = create_published(create_tenant())

    assert render_many([request(version), request(version, name="Bo")]) == [
        Words(body="Hi Ann"),
        Words(body="Hi Bo"),
    ]


def test_data_mention_nobody_on_slack_and_the_template_may() -> None:
    said = {
        "body": "<!here> {{ name }} {{ cart[0].item }}",
        "overrides": '{"blocks": [{"text": {{ name }}}]}',
    }
    sample = {"name": "Ann", "cart": [{"item": "tea"}]}
    version = create_published(create_tenant(), Draft("slack", "en", said), sample_data=sample)

    (words,) = render_many([request(version, "slack", name="<!channel>", cart=[{"item": "R&D"}])])

    assert isinstance(words, Words)
    assert words.body == "<!here> &lt;!channel&gt; R&amp;D"
    assert words.overrides == '{"blocks": [{"text": "&lt;!channel&gt;"}]}'


def test_it_answers_in_order_whatever_fails() -> None:
    tenant = create_tenant()
    version = create_published(tenant)

    answers = render_many(
        [
            request(version, name="A"),
            request(version, other="B"),
            request(version, channel="push"),
            RenderRequest(new_id(), "sms", "en", "en", {}),
            request(version, name="E"),
        ]
    )

    codes = [answer.code if isinstance(answer, RenderError) else answer.body for answer in answers]
    missing = "template_missing_content"
    assert codes == ["Hi A", "missing_variable", missing, missing, "Hi E"]


def test_it_speaks_the_language_of_the_recipient() -> None:
    contents = [
        Draft("sms", locale, {"body": text}) for locale, text in [("en", "Hi"), ("pt", "Oi"), ("de", "Hallo")]
    ]
    version = create_published(create_tenant(), *contents)

    answers = render_many([request(version, locale=locale) for locale in ("pt-BR", "de-AT", "fr")])

    assert answers == [Words(body="Oi"), Words(body="Hallo"), Words(body="Hi")]


def test_dates_and_numbers_are_written_in_the_language_of_the_words() -> None:
    sources = {"en": "Total {{ x|number }} {{ at|time }}", "pt": "Soma {{ x|number }} {{ at|time }}"}
    contents = [Draft("sms", locale, {"body": body}) for locale, body in sources.items()]
    data = {"x": 1234.5, "at": "2026-03-01T23:30:00Z"}
    version = create_published(create_tenant(), *contents, sample_data=data)
    asked = [
        RenderRequest(version.pk, "sms", locale, "en", data, timezone)
        for locale, timezone in [("pt-BR", "America/Sao_Paulo"), ("en-GB", "UTC"), ("de", "Europe/Berlin")]
    ]
    assert render_many(asked) == [
        Words(body="Soma 1.234,5 20:30"),
        Words(body="Total 1,234.5 23:30"),
        Words(body="Total 1,234.5 12:30 AM"),
    ]


def test_it_asks_once_for_all_versions_and_never_again() -> None:
    tenant = create_tenant()
    versions = [
        create_published(tenant, template=None) for tenant in (tenant, create_tenant(), create_tenant())
    ]
    requests = [request(version) for version in versions]

    with CaptureQueriesContext(connection) as first:
        render_many(requests)
    with CaptureQueriesContext(connection) as second:
        assert render_many(requests) == [Words(body="Hi Ann")] * 3

    assert (len(first), len(second)) == (1, 0)


def test_it_renders_no_draft() -> None:
    (answer,) = render_many([request(create_version(create_tenant()))])

    assert isinstance(answer, RenderError)
    assert answer.code == "template_missing_content"


def test_it_renders_nothing_for_nobody() -> None:
    assert render_many([]) == []
