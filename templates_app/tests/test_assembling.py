"""Partials, brand and layouts taken into what an author wrote."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from templates_app.assembling import assemble
from templates_app.drafts import Draft
from templates_app.finishing import finish
from templates_app.inspection import inspect
from templates_app.kit import Frame, Kit
from templates_app.tests.mails import kit, mail
from templates_app.workshop import Job, RenderError, Words, workshop

BRAND = {"name": 'Ann & "Bo"', "logo_url": "", "postal_address": "Mill Lane 12\n10115 Berlin"}


def text(body: str, data: dict[str, Any] | None = None, **partials: str) -> str:
    made = finish(Draft("sms", "en", {"body": body}), Kit(partials=partials, brand=BRAND))
    (answer,) = workshop.render([Job(f"{body}{partials}", made.sources, data or {})])
    if isinstance(answer, RenderError):
        raise answer
    return answer.body


def test_it_works() -> None:
    around = kit(
        '<html lang="{{ content.locale }}"><title>{{ content.subject }}</title><i>{{ content }}</i>'
        '{% if content.language == "pt" %}tchau{% endif %}{% include "foot" %}',
        partials={"foot": "<b style='color:{{ accent|default(brand.color) }}'>{{ brand.name }}</b>"},
        color="#111111",
        **BRAND,
    )
    source = '{% set accent = "#222222" %}<p>{{ name }}</p>'
    sources = {"subject": "<Hi> {{ name }} & co", "html": source}
    assert mail("", {"name": "<A>"}, around, sources=sources, locale="pt-BR").html == (
        '<html lang="pt-BR"><title>&lt;Hi&gt; &lt;A&gt; &amp; co</title><i><p>&lt;A&gt;</p></i>'
        "tchau<b style='color:#222222'>Ann &amp; &quot;Bo&quot;</b>"
    )
    plain = mail("<p>x</p>", {"name": ""}, around, sources={"subject": "S", "html": "<p>x</p>"})
    assert "color:#111111" in plain.html


@pytest.mark.parametrize(
    ("body", "partials", "made"),
    [
        ("a {% include 'b' %} c", {"b": "{{ x }}"}, "a 1 c"),
        ('a {%- include "b" -%} c', {"b": "B"}, "aBc"),
        ("{% for n in [1, 2] %}{% include 'b' %}{% endfor %}", {"b": "{{ n }};"}, "1;2;"),
        ("{% include 'b' %}{% include 'b' %}", {"b": "{% include 'c' %}", "c": "x"}, "xx"),
        ("{% include 'b' ignore missing %}a", {}, "a"),
        ("{% raw %}{% include 'b' %}{% endraw %}", {}, "{% include 'b' %}"),
        ("{{ brand.name }}, {{ brand.postal_address|lines|join(', ') }}", {}, None),
    ],
)
def test_a_partial_is_taken_in_word_for_word(body: str, partials: dict[str, str], made: str | None) -> None:
    assert text(body, {"x": 1}, **partials) == made or 'Ann & "Bo", Mill Lane 12, 10115 Berlin'


@pytest.mark.parametrize(
    ("body", "partials", "said"),
    [
        ("a\nb {% include 'gone' %}", {}, 'There is no partial "gone".'),
        ("{% include 'b' %}", {"b": "{% include 'c' %}", "c": "{% include 'b' %}"}, "includes itself"),
        ("{% include 'b' %}", {"b": "x" * 300_000 + "{% include 'c' %}", "c": "y" * 300_000}, "too large"),
        ("{% include which %}", {}, "Template not found"),
        ("{% extends 'b' %}", {"b": "x"}, "Template not found"),
    ],
)
def test_it_tells_what_cannot_be_taken_in(body: str, partials: dict[str, str], said: str) -> None:
    with pytest.raises(RenderError) as caught:
        text(body, {"which": "b"}, **partials)
    assert said in caught.value.message
    assert caught.value.part == "body"


def test_nesting_does_not_multiply_the_work() -> None:
    names = [f"p{n}" for n in range(7)]
    partials = {a: f"{{% include '{b}' %}}" * 100 for a, b in pairwise(names)}
    with pytest.raises(RenderError, match="too large"):
        text("{% include 'p0' %}", {}, **partials, p6="x")
    assert text("{% include 'p0' %}", {}, **partials, p6="") == ""


def test_the_brand_of_the_data_does_not_replace_the_tenants() -> None:
    assert text("{{ brand.name }}", {"brand": {"name": "theirs"}}) == BRAND["name"]


def test_the_brand_mentions_nobody_in_slack() -> None:
    made = finish(Draft("slack", "en", {"body": "{{ brand.name }}"}), kit(name="<!channel> & co"))
    (answer,) = workshop.render([Job("slack brand", made.sources, {})])
    assert answer == Words(body="&lt;!channel&gt; &amp; co")


def test_what_a_version_is_made_of_is_written_down() -> None:
    around = kit(
        "{{ content }}{% include 'foot' %}", partials={"foot": "x", "own": "{{ brand.name }}", "else": ""}
    )
    draft = Draft("email", "en", {"subject": "S", "html": "a", "body": "{% include 'own' %}"})
    made_of = assemble(draft, around).made_of
    assert set(made_of) == {"layout:standard", "partial:foot", "partial:own", "brand"}
    changed = kit("{{ content }} {% include 'foot' %}", partials=dict(around.partials))
    assert assemble(draft, changed).made_of["layout:standard"] != made_of["layout:standard"]
    assert assemble(Draft("email", "en", draft.sources, layout="none"), around).layout is None


@pytest.mark.parametrize("html", ["<!DOCTYPE html><p>a", " <!-- x --><HTML>a", "{% set a = 1 %}<html>a"])
def test_a_whole_document_has_no_layout_unless_it_asks_for_trouble(html: str) -> None:
    around = kit("around {{ content }}")
    assert "around" not in mail(html, {}, around).html
    with pytest.raises(RenderError, match="whole document"):
        mail(html, {}, around, layout="standard")


def test_a_layout_that_is_not_there_is_an_error_of_the_html() -> None:
    with pytest.raises(RenderError, match='no layout "gone"') as caught:
        mail("a", {}, layout="gone")
    assert caught.value.part == "html"


def test_what_the_layout_needs_the_data_must_hold() -> None:
    around = Kit({"a": Frame("html", "{{ content }}{{ unsubscribe }}{{ note|default('') }}")}, "a")
    draft = Draft("email", "en", {"subject": "S", "html": "\n\n{{ name }}"})
    findings = inspect([draft], {"name": "A", "unsubscribe": "u"}, around)
    assert (findings.variables, findings.errors) == (["name", "unsubscribe"], [])
    (error,) = inspect([draft], {"unsubscribe": "u"}, around).errors
    assert (error.code, error.part, error.line) == ("missing_variable", "html", 3)
    (error,) = inspect([draft], {"name": "A"}, around).errors
    assert (error.message, error.part, error.line) == ("unsubscribe is not in the data.", "html", None)


def test_slots_are_filled_whatever_stands_in_the_content() -> None:
    around = kit("<html><style>p{color:red}</style>{{- content -}}</html>")
    assert (
        '<p style="color: red;">{{ content }} $1 \\1</p>'
        in mail("<p>{% raw %}{{ content }}{% endraw %} $1 \\1</p>", {}, around).html
    )
