"""Mails are compiled once, tags and all, and mean the same afterwards."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from templates_app.tests.mails import kit, mail, styled
from templates_app.workshop import RenderError

SCRIPT = '<script>alert("x")</script>'
ROWS = [{"name": "Pen", "price": 3}, {"name": "Ink", "price": 4}]


def body(html: str) -> str:
    return html.partition("<body>")[2].removesuffix("</body></html>")


def test_it_works() -> None:
    css = ".a{color:{{ color }}} td{padding:1px} @media (max-width:600px){.a{color:blue}}"
    source = (
        '<table class="a">{% for row in rows %}<tr><td>{{ row.name }}</td></tr>'
        "{% else %}<tr><td>nothing</td></tr>{% endfor %}</table>"
    )
    html = mail(source, {"rows": ROWS, "color": "red"}, styled(css)).html
    assert body(html) == (
        '<table class="a" style="color: red;"><tbody><tr><td style="padding: 1px;">Pen</td></tr>'
        '<tr><td style="padding: 1px;">Ink</td></tr></tbody></table>'
    )
    assert "<style>@media (max-width:600px){.a{color:blue}} </style>" in html
    assert "nothing" in mail(source, {"rows": [], "color": "red"}, styled(css)).html


@pytest.mark.parametrize(
    ("source", "data", "made"),
    [
        pytest.param("<p>{{ x }}</p>", {"x": SCRIPT}, "&lt;script&gt;alert(&quot;x&quot;)", id="a script"),
        pytest.param("<p title='{{ x }}'>", {"x": "\"'>"}, 'title="&quot;&#x27;&gt;"', id="an attribute"),
        pytest.param("<a href={{ x }}>", {"x": "a b onclick=c"}, 'href="a b onclick=c"', id="without quotes"),
        pytest.param('<p title="{{ x|default("a>b") }}">', {}, 'title="a&gt;b"', id="quotes inside quotes"),
        pytest.param(
            "<p {% if x %}class=b{% endif %} id=c>", {"x": 1}, 'id="c" class=b>', id="an attribute if"
        ),
        pytest.param("<p {% if x %}class=b{% endif %} id=c>", {"x": 0}, '<p id="c" >', id="no attribute"),
        pytest.param('<p class="b {% if x %}c{% endif %}">', {"x": 1}, '<p class="b c"', id="a class"),
        pytest.param("<p {{ x|default('') }}>a", {}, "<p >a", id="attributes out of the data"),
        pytest.param("<i>{{ '}}' }}{{ '{%' }}", {}, "<i>}}{%</i>", id="delimiters in a string"),
        pytest.param("<i>{{ {'a': {'b': 1}}.a.b }}", {}, "<i>1</i>", id="braces in an expression"),
        pytest.param("<i>{% raw %}{{ x }}{% endraw %}", {}, "<i>{{ x }}</i>", id="raw"),
        pytest.param(
            "<i>&#123;{ x }}&#x7b;% if", {}, "<i>&#123;{ x }}&#123;% if</i>", id="braces as entities"
        ),
        pytest.param("<i>a {#- private -#} b", {}, "<i>ab</i>", id="a comment that trims"),
        pytest.param("<i>a {# private #} b", {}, "<i>a  b</i>", id="a comment"),
        pytest.param("<i>a {%- if true -%} b {%- endif -%} c", {}, "<i>abc</i>", id="white space"),
        pytest.param(
            "<select>{% for x in xs %}<option>{{ x }}</option>{% endfor %}",
            {"xs": []},
            "<select>",
            id="select",
        ),
        pytest.param(
            "<!--[if mso]>{{ x }}<![endif]-->", {"x": "m"}, "<!--[if mso]>m<![endif]-->", id="outlook"
        ),
        pytest.param(
            "{% if x %}<a href=b>{% endif %}c{% if x %}</a>{% endif %}", {"x": 0}, "c", id="a wrapper"
        ),
    ],
)
def test_a_tag_keeps_its_place(source: str, data: dict[str, Any], made: str) -> None:
    assert made in mail(source, data, styled("i{}")).html
    assert mail(source, data).html.count("{{ content }}") == 0


def test_a_style_with_tags_comes_after_what_the_style_sheet_says() -> None:
    source = """<p style="width:{{ w }}px;{% if bold %}font:'A'{% endif %}">a</p><p style='font:"B"'>b</p>"""
    html = mail(source, {"w": 7, "bold": True}, styled("p{margin:0;width:1px}")).html
    assert body(html) == (
        "<p style=\"margin: 0;width: 1px;width:7px;font:'A'\">a</p>"
        "<p style=\"margin: 0;width: 1px;font: 'B'\">b</p>"
    )


def test_a_style_sheet_that_is_more_than_rules_stays_one() -> None:
    css = "{% if dark %}p{color:white}{% endif %} .{{ name }}{color:red}"
    html = mail("<p>a</p>", {"dark": True, "name": "n"}, styled(css)).html
    assert "<style>p{color:white} .n{color:red}</style>" in html
    assert body(html) == "<p>a</p>"


def test_a_style_sheet_makes_no_tags() -> None:
    html = mail("<p>a</p>", {}, styled("@media print{ #a{color:red} }")).html
    assert "#a{color:red}" in html


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<table>{% if a %}<p>x</p>{% endif %}<tr><td>", "HTML has no place for"),
        ("<table>{% if a %}x{% endif %}<tr><td>", "HTML has no place for text"),
        (
            "{% for a in b %}{% if a %}<tr><td>{% else %}<td>{% endif %}x</td></tr>{% endfor %}",
            "no place for <tr>",
        ),
        ("<table>{% if a %}<tr><td>{% else %}<tr><td id=b>{% endif %}x</table>", "<td> is not closed in the"),
        ("<ul>{% for a in b %}<li>a{% endfor %}</ul>", "<li> is not closed in the branch"),
        ("<p {% if x %}>y</p>", "{% if x %} begins inside <p> and does not end there."),
        ("{% autoescape false %}{{ x }}{% endautoescape %}", "|sanitize"),
    ],
)
def test_it_tells_what_html_would_tear_apart(source: str, said: str) -> None:
    with pytest.raises(RenderError) as caught:
        mail(source, {"a": 1, "b": [1], "x": 1}, styled("i{}"))
    assert (caught.value.code, caught.value.part) == ("template_error", "html")
    assert said in caught.value.message


@pytest.mark.parametrize("count", [0, 1, 3])
def test_it_makes_a_text_of_the_html_with_the_same_tags(count: int) -> None:
    source = (
        "<div style='display:none'>{{ pre }}</div><h1>Hi {{ name }}</h1><p>You   have:</p>"
        "<table>{% for row in rows %}<tr><td>{{ row.name }}</td><td>{{ row.price }}</td></tr>{% endfor %}"
        '</table>{% if url is defined %}<p><a href="{{ url }}">Look &amp; see</a>, '
        '<a href="mailto:a@b.c">a@b.c</a></p>'
        "{% else %}<p>Bye</p>{% endif %}<ul><li>one<li>two</ul><p>&#123;{ x<br>last</p>"
    )
    text = mail(
        source, {"name": "<Ann>", "pre": "p", "rows": (ROWS * 2)[:count], "url": "https://a.b/?c&d"}
    ).body
    rows = "".join(f"\n{row['name']}  {row['price']}" for row in (ROWS * 2)[:count])
    assert text == (
        f"Hi <Ann>\n\nYou have:{chr(10) + rows if rows else ''}\n\nLook & see <https://a.b/?c&d>, a@b.c"
        "\n\n- one\n- two\n\n{{ x\nlast"
    )
    assert mail(source, {"name": "A", "pre": "", "rows": []}).body.split("\n\n")[2] == "Bye"


def test_a_body_of_the_authors_stays() -> None:
    sources = {"subject": "S", "html": "<p>a</p>", "body": "b {{ x }}"}
    assert mail("", {"x": 1}, sources=sources).body == "b 1"


MARKDOWN = """\
# Hi {{ name }}

{% if rows %}
| What | Price |
|------|------:|
{% for row in rows %}
| {% if row.price > 3 %}**{{ row.name }}**{% endif %} | {{ row.price }} |
{% endfor %}
{% endif %}

{% for row in rows %}
- {{ row.name }}
{% else %}
- nothing
{% endfor %}
[Look]({{ url }}) <script>alert(1)</script> [no](javascript:alert)
"""


def test_markdown_makes_one_table_and_one_list_of_a_loop() -> None:
    html = mail(MARKDOWN, {"name": "<A>", "rows": ROWS, "url": "https://a.b"}, format="markdown").html
    squeezed = html.replace("\n", "")
    assert "<h1>Hi &lt;A&gt;</h1>" in html
    assert squeezed.count("<table>") == squeezed.count("<ul>") == 1
    assert squeezed.count("<tr>") == 3
    assert "<strong>Ink</strong>" in html
    assert "<strong>Pen</strong>" not in html
    assert "<ul><li>Pen</li><li>Ink</li></ul>" in squeezed
    assert '<a href="https:&#x2f;&#x2f;a.b">Look</a>' in html
    assert "<script" not in html
    assert 'href="javascript' not in html
    empty = mail(MARKDOWN, {"name": "A", "rows": [], "url": ""}, format="markdown").html
    assert "<table>" not in empty
    assert "<li>nothing</li>" in empty


MJML = (
    "<mjml><mj-head><mj-title>{{{{ t }}}}</mj-title>"
    '<mj-style inline="inline">.b{{color:red}}</mj-style></mj-head><mj-body>{}</mj-body></mjml>'
)
SECTION = "<mj-section><mj-column>{}</mj-column></mj-section>"


def test_mjml_keeps_loops_between_its_elements() -> None:
    texts = '{% for row in rows %}<mj-text>{{ row.name }} <b class="b">x</b></mj-text>{% endfor %}'
    button = '{% if url %}<mj-button href="{{ url }}">Go &amp; see</mj-button>{% endif %}'
    source = MJML.format(SECTION.format(texts) + SECTION.format(button))
    words = mail(source, {"rows": ROWS, "url": "https://a.b", "t": SCRIPT}, format="mjml")
    assert words.html.count('<tr><td align="left"') == 2
    assert "Pen <b" in words.html
    assert "color: red" in words.html
    assert 'href="https:&#x2f;&#x2f;a.b"' in words.html
    assert "<script" not in words.html
    assert words.body == "Pen x\nInk x\n\nGo & see <https://a.b>"
    assert "Go &amp; see" not in mail(source, {"rows": ROWS, "url": "", "t": ""}, format="mjml").html


def test_a_layout_in_mjml_takes_each_format() -> None:
    around = kit(MJML.format(SECTION.format("<mj-text>{{ content }}</mj-text>")), written_in="mjml")
    assert ">Hi <br>x</p>" in mail("<p>Hi <br>x</p>", {"t": ""}, around).html
    assert "<em>Hi</em>" in mail("*Hi*", {"t": ""}, around, format="markdown").html
    sections = kit(MJML.format("{{ content }}"), written_in="mjml")
    assert (
        "Hi</div>" in mail(SECTION.format("<mj-text>Hi</mj-text>"), {"t": ""}, sections, format="mjml").html
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<mj-section>", "MJML is a whole document"),
        ("<mjml><mj-body><mj-section></mj-body></mjml>", "This is no MJML: unexpected end of stream"),
        ("<mjml><mj-body><mj-include path='/etc/passwd'/></mj-body></mjml>", "This is no MJML"),
        ("<mjml><mj-body><mj-sectoin></mj-sectoin></mj-body></mjml>", "no <mj-sectoin> in MJML"),
        (MJML.format(SECTION.format('<mj-image src="a" width="{{ w }}px" />')), "{{ w }} stands where MJML"),
        ("<mjml>" * 50_000, ""),
    ],
)
def test_what_is_no_mjml_is_told_to_its_author(source: str, said: str) -> None:
    with pytest.raises(RenderError) as caught:
        mail(source, {"t": "", "w": 3}, format="mjml")
    assert said in caught.value.message


@pytest.mark.parametrize("written_in", ["html", "markdown", "mjml"])
@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000,
        "<p title='" * 20_000,
        "> " * 5_000 + "a",
        "[" * 20_000,
        "<style>" + "a{b:c}" * 20_000 + "</style>" + "<i class=a>" * 3_000,
        "{% if x %}" * 500,
        "<![CDATA[" * 5_000 + "\x00",
    ],
)
def test_a_hostile_source_harms_nobody(source: str, written_in: str) -> None:
    with suppress(RenderError):
        mail(source, {"x": 1}, styled("i{}"), format=written_in)
    assert mail("<p>{{ x }}</p>", {"x": 1}).html == "<p>1</p>"
