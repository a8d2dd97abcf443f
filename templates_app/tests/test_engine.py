"""The language that templates are written in, and what their authors are told."""

from typing import Any

import pytest

from templates_app.workshop import Job, RenderError, Words, workshop


def render(source: str, data: dict[str, Any] | None = None, part: str = "body") -> str:
    (answer,) = workshop.render([Job(f"{part}:{source}", {part: source}, data or {})])
    if isinstance(answer, RenderError):
        raise answer
    return str(getattr(answer, part))


def test_it_works() -> None:
    assert render("{% for n in names %}{{ n|upper }} {% endfor %}", {"names": ["a", "b"]}) == "A B "


def test_it_escapes_in_html_and_nowhere_else() -> None:
    data = {"x": "<b>&\"'"}

    assert render("{{ x }}", data) == "<b>&\"'"
    assert render("{{ x }}", data, "subject") == "<b>&\"'"
    assert render("{{ x }}", data, "html") == "&lt;b&gt;&amp;&quot;&#x27;"


def test_it_keeps_subject_and_title_on_one_line() -> None:
    assert render("Hi {{ x }}", {"x": "a\r\nBcc: b@example.com"}, "subject") == "Hi a Bcc: b@example.com"


def test_it_removes_control_characters() -> None:
    assert render('{{ "a\\u0000b\\u0007" }}\tc\n{{ x }}', {"x": "\x1b"}) == "ab\tc\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ name }}", "name is not in the data."),
        ("é\n{{ order.id }}", "order.id is not in the data."),
        ("{% if vip %}x{% endif %}", "vip is not in the data."),
        ("{{ order.__class__ }}", "order.__class__ is not in the data."),
        ("{{ order.items }}", "A value that the template prints is not in the data."),
    ],
)
def test_it_names_what_is_missing(source: str, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        render(source, {"order": {}})

    assert (caught.value.code, caught.value.message) == ("missing_variable", message)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("a\n{{ b", 2, "Syntax error: unexpected end of input, expected end of variable block."),
        ("{{ 1|nope }}", 1, "Unknown filter: filter nope is unknown."),
        ("a\nb\n{{ lipsum() }}", 3, "Unknown function: lipsum is unknown."),
        ("{{ 1 / 0 }}", 1, "Invalid operation: unable to calculate 1 / 0."),
        ("{% include 'other' %}", 1, "Template not found: tried to include non-existing template 'other'."),
    ],
)
def test_it_says_what_is_wrong_and_where(source: str, line: int, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        render(source)

    assert (caught.value.part, caught.value.line, caught.value.message) == ("body", line, message)


def test_it_hides_contents_from_each_other() -> None:
    secret = Job("secret", {"body": "secret"}, {})
    curious = Job("curious", {"title": "{% include 'body' %}{% include 'secret' %}"}, {})

    words, error = workshop.render([secret, curious])

    assert words == Words(body="secret")
    assert isinstance(error, RenderError)


def test_it_gives_each_message_data_of_its_own() -> None:
    jobs = [Job("changer", {"body": "{{ xs.append(3) }}{{ xs }}"}, {"xs": [1]})] * 2

    assert workshop.render(jobs) == [Words(body="None[1, 3]")] * 2


def test_it_lists_what_a_source_takes_from_the_data() -> None:
    body = (
        "{{ order.id }}{% for line in lines %}{{ line.name }}{{ loop.index }}{% endfor %}{{ range(3) }}"
        "{% set total = 1 %}{{ total }}{% macro m(k) %}{{ k }}{{ shop }}{% endmacro %}{{ m(1) }}"
    )

    assert workshop.variables({"subject": "{{ name }}", "body": body}) == ["lines", "name", "order", "shop"]
