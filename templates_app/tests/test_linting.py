from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from templates_app.findings import KINDS
from templates_app.inspection import Draft
from templates_app.linting import Finding, Setting, Severity, Wording, blocking, lint
from templates_app.segments import SmsPolicy
from templates_app.workshop import RenderError, Words

GOOD = (
    '<html><head><meta name="color-scheme" content="light dark"><title>Hi</title></head><body>'
    '<div style="display:none">Your order left today.&#847;</div>'
    '<p>Hi <a href="https://shop.example/1">see</a></p>'
    '<img src="https://shop.example/a.png" alt="" width="40"></body></html>'
)


def wording(channel: str, words: Words | RenderError, *, locale: str = "en", **sources: str) -> Wording:
    """With the words as their own sources, unless these are given."""
    given = sources or (words._asdict() if isinstance(words, Words) else {"body": "x"})
    return Wording(0, Draft(channel, locale, {part: text for part, text in given.items() if text}), words)


def setting(**over: Any) -> Setting:
    return Setting(
        **{
            "category": "transactional",
            "locale": "en",
            "sms": SmsPolicy(False, 2),
            "sample_data": {},
            **over,
        }
    )


def mail(html: str = GOOD, *, subject: str = "Your order", body: str = "Hi") -> Words:
    return Words(subject, "", body, html)


def with_overrides(body: str = "Hi", title: str = "", **overrides: Any) -> Words:
    return Words("", title, body, "", orjson.dumps(overrides).decode())


def found(*wordings: Wording, **over: Any) -> list[Finding]:
    return lint(wordings, setting(**over))


def test_it_works() -> None:
    draft = Draft(
        "email", "en", {"subject": "Hi", "body": "Hi", "html": "<p>\n<img src='https://a.example/b.png'>"}
    )
    words = mail('<p>\n<img src="https://a.example/b.png">', subject="Hi")
    (alt, *_) = [f for f in found(Wording(3, draft, words)) if f.code == "image_without_alt"]
    assert (alt.severity, alt.channel, alt.locale, alt.part, alt.line) == (
        Severity.WARNING,
        "email",
        "en",
        "html",
        2,
    )
    assert alt.pointer == "/contents/3/html"
    assert "b.png" in alt.words
    assert alt.source.startswith("https://")


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("email", mail()),
        ("sms", Words(body="x" * 300)),
        ("push", Words(title="x" * 65, body="x" * 240)),
        ("whatsapp", Words(body="x" * 4096)),
        ("whatsapp", with_overrides(template={"name": "order", "parameters": ["x" * 1024]})),
        (
            "slack",
            with_overrides(blocks=[{"type": "divider"}, {"type": "header", "text": {"text": "x" * 150}}]),
        ),
        ("discord", Words(title="x" * 256, body="x" * 5000)),
        ("discord", with_overrides(embeds=[{"description": "x" * 4000, "fields": "none"}])),
        ("in_app", Words(title="Hi", body="https://shop.example")),
        ("webhook", Words(body="Hi")),
    ],
)
def test_it_finds_nothing_in_what_is_sound(channel: str, words: Words) -> None:
    assert found(wording(channel, words)) == []


@pytest.mark.parametrize(
    ("channel", "words", "code", "part"),
    [
        ("email", mail(subject=" "), "subject_empty", "subject"),
        ("email", mail(subject="x" * 79), "subject_long", "subject"),
        ("email", mail(subject="BUY THIS TODAY"), "subject_shouting", "subject"),
        ("email", mail(f"{GOOD}<!-- {'x' * (102 << 10)} -->"), "html_clipped", "html"),
        ("email", mail(body=""), "text_derived", "html"),
        ("email", mail(GOOD.replace("display:none", "")), "preheader_missing", "html"),
        ("email", mail(GOOD.replace("color-scheme", "robots")), "dark_mode_undeclared", "html"),
        ("email", mail(GOOD.replace(' alt=""', "")), "image_without_alt", "html"),
        ("email", mail(GOOD.replace(' width="40"', "")), "image_without_width", "html"),
        (
            "email",
            mail(GOOD.replace("https://shop.example/1", "http://shop.example/1")),
            "link_not_https",
            "html",
        ),
        ("email", mail(GOOD.replace("https://shop.example/1", "#")), "link_empty", "html"),
        ("email", mail(body="See http://shop.example/1."), "link_not_https", "body"),
        ("sms", Words(body="x" * 307), "sms_too_long", "body"),
        ("sms", Words(body="“Hi”"), "sms_not_gsm7", "body"),
        ("push", Words(title="x" * 66, body="Hi"), "push_title_long", "title"),
        ("push", Words(title="Hi", body="x" * 241), "push_body_long", "body"),
        ("push", with_overrides(data={"a": "x" * 4096}), "push_too_large", "body"),
        ("whatsapp", Words(body="x" * 4097), "whatsapp_too_long", "body"),
        (
            "whatsapp",
            with_overrides(template={"name": "order", "parameters": ["x" * 1000, "y" * 25]}),
            "whatsapp_template_long",
            "overrides",
        ),
        (
            "slack",
            with_overrides(blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]),
            "slack_text_long",
            "overrides",
        ),
        ("discord", Words(body="x" * 6001), "discord_too_long", "body"),
        ("discord", with_overrides("x" * 2001, embeds=[{"title": "x"}]), "discord_too_long", "body"),
        (
            "discord",
            with_overrides(embeds=[{"fields": [{"name": "x", "value": "x" * 6000}]}]),
            "discord_too_long",
            "overrides",
        ),
        ("slack", with_overrides(blocks="none"), "invalid_overrides", "overrides"),
        ("slack", Words(body="<http://shop.example|here>"), "link_not_https", "body"),
    ],
)
def test_it_says_what_is_wrong(channel: str, words: Words, code: str, part: str) -> None:
    assert [(finding.code, finding.part) for finding in found(wording(channel, words))] == [(code, part)]


def test_it_points_at_the_site_where_the_data_make_the_rest() -> None:
    source = "Hi\nhttp://shop.example/{{ order }}"
    (finding,) = found(wording("in_app", Words(body="Hi\nhttp://shop.example/A-17"), body=source))
    assert (finding.code, finding.line) == ("link_not_https", 2)


def test_it_says_nothing_twice_of_a_text_that_is_made_of_the_html() -> None:
    words = mail(
        GOOD.replace("https://shop.example/1", "http://shop.example/1"), body="http://shop.example/1"
    )
    written = wording("email", words, subject="Hi", html=words.html)
    assert [f.part for f in found(written) if f.code == "link_not_https"] == ["html"]


def test_it_names_a_character_that_makes_a_text_message_dearer() -> None:
    (finding,) = found(wording("sms", Words(body="Hi\n“Ann”")))
    assert finding.words.startswith("“ ” is not in GSM-7")
    assert finding.line == 2
    assert found(wording("sms", Words(body="“Ann”")), sms=SmsPolicy(True, 2)) == []


@pytest.mark.parametrize(
    ("category", "html", "body", "missing"),
    [
        ("transactional", "", "Hi", False),
        ("alert", GOOD, "Hi", False),
        ("marketing", GOOD, "Hi", True),
        ("news", "", "Hi", True),
        ("news", "", "To unsubscribe: https://shop.example/u", False),
        ("marketing", GOOD.replace(">see<", ">Abmelden<"), "Hi", False),
        ("marketing", GOOD.replace("/1", "/unsubscribe/1"), "Hi", False),
        ("marketing", GOOD.replace("Hi <", "unsubscribe <"), "Hi", True),
    ],
)
def test_it_asks_for_a_way_out(category: str, html: str, body: str, missing: bool) -> None:
    codes = [f.code for f in found(wording("email", mail(html, body=body)), category=category)]
    assert codes == ["unsubscribe_missing"] * missing


@pytest.mark.parametrize(
    ("places", "own", "expected"),
    [
        ([("sms", "en")], "en", []),
        ([("sms", "de")], "de-AT", []),
        ([("sms", "en"), ("push", "de"), ("push", "en")], "en", [("missing_locale", "sms", "de")]),
        ([("sms", "de"), ("push", "de-AT")], "de-AT", [("missing_locale", "push", "de")]),
        ([("sms", "de-AT")], "de", [("missing_default_locale", "sms", "de")]),
    ],
)
def test_it_misses_locales(
    places: list[tuple[str, str]], own: str, expected: list[tuple[str, str, str]]
) -> None:
    wordings = [wording(channel, Words(title="Hi", body="Hi"), locale=locale) for channel, locale in places]
    assert [(f.code, f.channel, f.locale) for f in found(*wordings, locale=own)] == expected


@pytest.mark.parametrize(
    ("names", "sample", "declared", "expected"),
    [
        ({"name"}, {"name": "Ann"}, None, []),
        ({"name"}, {}, None, [("unknown_variable", "body", 2)]),
        ({"name"}, {}, {"name"}, []),
        ({"name"}, {"name": "Ann", "order": 1}, None, [("unused_variable", "", None)]),
        ({"name"}, {"name": {"first": "Ann"}, "first": 1}, None, []),
        ({"name"}, {"name": "Ann"}, {"name", "order"}, [("unused_variable", "", None)]),
    ],
)
def test_it_compares_names(
    names: set[str], sample: Mapping[str, Any], declared: set[str] | None, expected: list[Any]
) -> None:
    draft = Draft("sms", "en", {"body": "My name\n{% if name %}is {{ name.first }}{% endif %}"})
    one = Wording(0, draft, Words(body="My name"), frozenset(names))
    schema = None if declared is None else frozenset(declared)
    shown = found(one, sample_data=sample, declared=schema)
    assert [(f.code, f.part, f.line) for f in shown] == expected


def test_it_passes_on_where_the_data_do_not_fit_their_schema() -> None:
    (finding,) = found(wording("sms", Words(body="Hi")), misfits=("/name: The value is not a string.",))
    assert (finding.code, finding.severity, finding.pointer) == (
        "sample_data_unfit",
        Severity.ERROR,
        "/sample_data",
    )


def test_what_cannot_be_rendered_is_an_error_and_nothing_else() -> None:
    error = RenderError("missing_variable", "name is not in the data.", "body", 4)
    (finding,) = found(wording("email", error), sample_data={"order": 1})
    assert (finding.code, finding.severity, finding.part, finding.line) == (
        "missing_variable",
        Severity.ERROR,
        "body",
        4,
    )


def test_errors_come_first_and_alone_block() -> None:
    findings = found(wording("email", mail(body="")), wording("sms", Words(body="x" * 999)), locale="de")
    assert [f.severity.value for f in findings] == ["error", "warning", "warning", "info"]
    assert [f.code for f in blocking(findings)] == ["sms_too_long"]


@pytest.mark.parametrize(
    "html", ["", "<p", "</p></div>", "<a href>x", "<p style=display:none>a<p>b", "<!--", "&#0;"]
)
def test_it_survives_any_html(html: str) -> None:
    assert all(finding.code in KINDS for finding in found(wording("email", mail(html))))


def test_each_finding_is_told_of() -> None:
    told = (Path(__file__).parents[2] / "docs" / "template-workshop.md").read_text()
    assert [code for code in KINDS if f"`{code}`" not in told] == []
