"""Links that no request gives: a template may use them, and nobody asks the data for them."""

from __future__ import annotations

import pytest

from templates_app.catalog import missing_variables, published
from templates_app.inspection import Draft, inspect
from templates_app.previewing import proof
from templates_app.proofreading import Subject
from templates_app.rendering import RenderRequest, Words, render_many
from templates_app.reserved import SAMPLES
from templates_app.tests.factories import create_published
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

FOOTER = '{% if links.unsubscribe %}<a href="{{ links.unsubscribe }}">{{ name }}, unsubscribe</a>{% endif %}'
MAIL = Draft("email", "en", {"subject": "News", "body": "{{ links.preferences }}", "html": FOOTER})
WAYS = {"unsubscribe": "https://notify.example.com/unsubscribe/t_-1", "preferences": "https://x.example/p"}


def test_it_works() -> None:
    tenant = create_tenant()
    version = create_published(tenant, MAIL)
    template = published(tenant.pk, [("greeting", None)])["greeting", None]
    assert missing_variables(template, {"name": "Ann"}) == []
    request = RenderRequest(version.pk, "email", "en", "en", {"name": "Ann"}, links=lambda: WAYS)
    (words,) = render_many([request])
    assert isinstance(words, Words)
    assert f'href="{WAYS["unsubscribe"]}"' in words.html.replace("&#x2f;", "/")
    assert words.body == WAYS["preferences"]


def test_they_are_made_only_for_templates_that_ask() -> None:
    def refuse() -> dict[str, str]:
        raise AssertionError("nobody asked")

    version = create_published(create_tenant(), Draft("sms", "en", {"body": "Hi"}))
    assert isinstance(render_many([RenderRequest(version.pk, "sms", "en", "en", {}, links=refuse)])[0], Words)


def test_a_preview_has_some_to_show() -> None:
    tenant = create_tenant()
    version = create_published(tenant, MAIL)
    made = proof(Subject(tenant, version.template, [MAIL], {"name": "Ann"}))
    (preview,) = made.previews
    assert preview.words is not None
    assert preview.words.body == SAMPLES["preferences"]
    assert not [finding for finding in made.findings if finding.code == "unknown_variable"]


def test_only_these_two_are_there() -> None:
    (error,) = inspect([Draft("sms", "en", {"body": "{{ links.help }}"})], {}).errors
    assert error.code == "missing_variable"
