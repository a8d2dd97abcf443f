import pytest

from templates_app.chat_text import html_of


def link(url: str, words: str) -> str:
    return f'<a href="{url}" rel="noreferrer" target="_blank">{words}</a>'


@pytest.mark.parametrize(
    ("dialect", "text", "html"),
    [
        ("slack", "*bold* _it_ ~gone~", "<strong>bold</strong> <em>it</em> <s>gone</s>"),
        ("slack", "`a*b*`", "<code>a*b*</code>"),
        ("slack", "2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("slack", "a &lt;b&gt; &amp;amp;\nc", "a &lt;b&gt; &amp;amp;<br>c"),
        ("slack", "<https://a.example|*here*>", link("https://a.example", "*here*")),
        ("slack", "<!channel> <@U1|ann>", "<mark>@channel</mark> <mark>@U1</mark>"),
        ("slack", "<script>", "&lt;script&gt;"),
        ("slack", "<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        ("slack", "```a\n*b*```", "<pre>a<br>*b*</pre>"),
        ("whatsapp", "*Hi* <b>", "<strong>Hi</strong> &lt;b&gt;"),
        ("whatsapp", "https://a.example/1.", link("https://a.example/1", "https://a.example/1") + "."),
        ("discord", "**b** *i* _e_ ~~s~~ *", "<strong>b</strong> <em>i</em> <em>e</em> <s>s</s> *"),
        ("discord", '[x"](https://a.example/")', link("https://a.example/&quot;", "x&quot;")),
        ("discord", "**a *b* c**", "<strong>a <em>b</em> c</strong>"),
    ],
)
def test_it_works(dialect: str, text: str, html: str) -> None:
    assert html_of(text, dialect) == html
