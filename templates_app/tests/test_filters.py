"""Values as the recipient's language and time zone have them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from babel import localedata

from templates_app.tests.mails import mail
from templates_app.workshop import Job, RenderError, workshop

AT = "2026-03-01T23:30:00Z"


def write(source: str, locale: str = "en", timezone: str = "UTC", part: str = "body", **data: Any) -> str:
    key = f"{part}:{source}"
    (answer,) = workshop.render([Job(key, {part: f"{{{{ {source} }}}}"}, data, locale, timezone)])
    if isinstance(answer, RenderError):
        raise answer
    return str(getattr(answer, part))


def test_it_works() -> None:
    assert write("x|datetime", "de-AT", "Europe/Vienna", x=AT) == "02.03.2026, 00:30:00"
    assert write("x|money('EUR')", "de", x=1234.5) == "1.234,50 €"


@pytest.mark.parametrize(
    ("source", "locale", "timezone", "value", "said"),
    [
        ("x|date", "en", "UTC", AT, "Mar 1, 2026"),
        ("x|date", "en", "Asia/Tokyo", AT, "Mar 2, 2026"),
        ("x|date", "en", "America/New_York", "2026-03-01", "Mar 1, 2026"),
        ("x|date('full')", "pt-BR", "UTC", AT, "domingo, 1 de março de 2026"),
        ("x|date('EEEE, d. MMMM')", "de", "Europe/Berlin", AT, "Montag, 2. März"),
        ("x|date('short')", "en-GB", "UTC", AT, "01/03/2026"),
        ("x|time", "en", "UTC", AT, "11:30 PM"),
        ("x|time", "de", "UTC", AT, "23:30"),
        ("x|datetime('long')", "fr", "Europe/Paris", AT, "2 mars 2026, 00:30:00 +0100"),
        ("x|time", "de", "Asia/Tokyo", "2026-03-01T09:30", "09:30"),
        ("x|time", "de", "Asia/Tokyo", "2026-03-01T09:30+02:00", "16:30"),
        ("x|time", "de", "UTC", 1772407800, "23:30"),
        ("x|time", "de", "UTC", 1772407800000, "23:30"),
        ("x|time", "de", "No/Where", AT, "23:30"),
        ("x|time", "de", "../etc/passwd", AT, "23:30"),
        ("x|money", "ja", "UTC", {"amount": "1200", "currency": "jpy"}, "\uffe51,200"),
        ("x|money('USD')", "en", "UTC", "0.1", "$0.10"),
        ("x|number", "de", "UTC", 1234567.891, "1.234.567,891"),
        ("x|number(2)", "en", "UTC", 3, "3.00"),
        ("x|number(0)", "en", "UTC", 2.6, "3"),
        ("x|percent", "de", "UTC", 0.256, "26 %"),
        ("x|percent(1)", "en", "UTC", 0.2564, "25.6%"),
        ("x|plural('# item', '# items')", "en", "UTC", 1, "1 item"),
        ("x|plural('# item', '# items')", "en", "UTC", 1200, "1,200 items"),
        ("x|plural('# предмет', '# предмета', '# предметов')", "ru", "UTC", 3, "3 предмета"),
        ("x|plural(one='# a', many='# b', other='# c')", "pl", "UTC", 5, "5 b"),
        ("x|plural(zero='none', one='one', other='#')", "en", "UTC", 0, "none"),
        ("x|sentence", "en", "UTC", ["Ann", "Bo", "Cy"], "Ann, Bo, and Cy"),
        ("x|sentence('or')", "de", "UTC", ["Ann", "Bo"], "Ann oder Bo"),
        ("x|date", "xx-Nope", "UTC", AT, "Mar 1, 2026"),
        ("x|date", "zh-Hant-TW", "UTC", AT, "2026年3月1日"),
        ("x|sanitize", "en", "UTC", "<b>a</b> &amp; <script>b</script>", "a & "),
    ],
)
def test_it_writes_as_people_read(source: str, locale: str, timezone: str, value: Any, said: str) -> None:
    assert write(source, locale, timezone, x=value) == said


def test_relative_is_to_the_moment_it_is_written() -> None:
    now = dt.datetime.now(dt.UTC)
    assert write("x|relative", x=(now + dt.timedelta(hours=3, minutes=1)).isoformat()) == "in 3 hours"
    assert write("x|relative", "de", x=(now - dt.timedelta(days=2)).isoformat()) == "vor 2 Tagen"


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("x|date", "tomorrow", 'date: "tomorrow" is no date'),
        ("x|date", None, "date has no value to write."),
        ("y|date", "", "date has no value to write."),
        ("x|date", True, "date: True is no date."),
        ("x|date", 10**18, "date cannot be used so"),
        ("x|datetime", "0001-01-01T00:00:00+12:00", "datetime cannot be used so"),
        ("x|money", 3, "money: it needs a currency such as EUR."),
        ("x|money('euro')", 3, "money: it needs a currency"),
        ("x|money('EUR')", "1e999999", "money: it is no number to be written out."),
        ("x|number", "NaN", "number: it is no number to be written out."),
        ("x|number", [1], "number: [1] is no number."),
        ("x|number(999)", 1, "number: decimals are 0 to 20."),
        ("x|plural('a', 'b', 'c')", 1, "plural: in en there are but one, other."),
        ("x|plural(few='a')", 1, 'plural: there is no form for "one", nor "other".'),
        ("x|sentence", "abc", "sentence: it needs a list."),
        ("x|sentence('nor')", [], "sentence: it knows and, or, plain, not nor."),
        ("x|date('short', 'long', 3)", AT, "date cannot be used so"),
    ],
)
def test_it_says_what_it_cannot_write(source: str, value: Any, said: str) -> None:
    with pytest.raises(RenderError) as caught:
        write(source, x=value)
    assert said in caught.value.message
    is_missing = "no value" in said
    assert caught.value.code == ("missing_variable" if is_missing else "template_error")


def test_html_keeps_the_spaces_that_do_not_break_and_text_messages_do_without() -> None:
    assert write("x|time", part="html", x=AT) == "11:30\u202fPM"
    assert write("x|time", part="body", x=AT) == "11:30 PM"


def test_html_of_the_data_is_cleaned_and_only_then_html() -> None:
    hostile = '<p onclick="a">b <a href="javascript:c">d</a><img src=x onerror=e><script>f</script>'
    for name in ("sanitize", "safe"):
        html = write(f"x|{name}", part="html", x=hostile)
        assert html == '<p>b <a rel="noopener noreferrer">d</a><img src="x"></p>'
    assert write("x", part="html", x=hostile).startswith("&lt;p onclick")
    mixed = write("(x|sanitize) ~ y", part="html", x="<b>a</b>", y="<script>")
    assert "<script" not in mixed
    assert write("x|sanitize|replace('a', y)", part="html", x="<b>a</b>", y="<script>").count("<script") == 0


def test_it_stays_within_its_memory_in_many_languages() -> None:
    for locale in sorted(localedata.locale_identifiers())[::5]:
        assert write("x|datetime", locale.replace("_", "-"), x=AT)
    assert mail("# {{ x|date }}", {"x": AT}, format="markdown").html == "<h1>Mar 1, 2026</h1>"
