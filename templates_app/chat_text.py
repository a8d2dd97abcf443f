"""Chat programs' own markup as HTML, for previews: bold, italics, struck, code, links, mentions.

Slack: https://docs.slack.dev/messaging/formatting-message-text
WhatsApp: https://faq.whatsapp.com/539178204879377
Discord: https://support.discord.com/hc/en-us/articles/210298617
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_CODE = r"```\n?(?P<block>.+?)\n?```|`(?P<code>[^`\n]+)`"
_BARE = r"(?P<bare>https?://[^\s<>]*[^\s<>.,;:!?)\]'\"])"


def _around(name: str, mark: str) -> str:
    """Between two marks that stand at the edges of words."""
    sign = re.escape(mark)
    return rf"(?<![\w{sign}]){sign}(?P<{name}>[^\s{sign[-1]}](?:[^\n]*?[^\s{sign[-1]}])?){sign}(?![\w{sign}])"


_SLACK_LINK = (
    r"<(?P<url>(?:https?://|mailto:)[^|>\s]+)(?:\|(?P<label>[^>]*))?>|<(?P<mention>[@#!][^>|]+)(?:\|[^>]*)?>"
)
_DISCORD_LINK = r"\[(?P<label>[^\]\n]+)\]\((?P<url>https?://[^)\s]+)\)|<(?P<mention>[@#][^>\s]+)>"

DIALECTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile("|".join(rules), re.DOTALL)
    for name, rules in {
        "slack": (_CODE, _SLACK_LINK, _around("b", "*"), _around("i", "_"), _around("s", "~")),
        "whatsapp": (_CODE, _BARE, _around("b", "*"), _around("i", "_"), _around("s", "~")),
        "discord": (
            *(_CODE, _DISCORD_LINK, _BARE, _around("b", "**"), _around("s", "~~")),
            *(_around("i", "*"), _around("em", "_")),
        ),
    }.items()
}
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


def html_of(text: str, dialect: str) -> SafeString:
    """As the program shows it, less its headings, lists and quotes. Safe, whatever the text holds."""
    return format_html_join("", "{}", ((piece,) for piece in _pieces(text, dialect)))


def _pieces(text: str, dialect: str) -> Iterator[SafeString]:
    at = 0
    for found in DIALECTS[dialect].finditer(text):
        yield _plain(text[at : found.start()], dialect)
        yield _marked(found, dialect)
        at = found.end()
    yield _plain(text[at:], dialect)


def _marked(found: re.Match[str], dialect: str) -> SafeString:
    kind = next(name for name, value in found.groupdict().items() if value is not None and name != "label")
    return _KINDS[kind](found[kind], found.groupdict().get("label") or found[kind], dialect)


def _link(url: str, label: str, dialect: str) -> SafeString:
    return format_html('<a href="{}" rel="noreferrer" target="_blank">{}</a>', url, _plain(label, dialect))


def _element(tag: str) -> Callable[[str, str, str], SafeString]:
    return lambda text, _, dialect: format_html(f"<{tag}>{{}}</{tag}>", html_of(text, dialect))


_KINDS: Mapping[str, Callable[[str, str, str], SafeString]] = {
    "block": lambda text, _, dialect: format_html("<pre>{}</pre>", _plain(text, dialect)),
    "code": lambda text, _, dialect: format_html("<code>{}</code>", _plain(text, dialect)),
    "url": _link,
    "bare": _link,
    "mention": lambda text, _, dialect: format_html("<mark>{}</mark>", f"@{text[1:]}"),
    "b": _element("strong"),
    "i": _element("em"),
    "em": _element("em"),
    "s": _element("s"),
}


def _plain(text: str, dialect: str) -> SafeString:
    """Slack's own three entities are characters to a reader."""
    if dialect == "slack":
        text = re.sub("&lt;|&gt;|&amp;", lambda found: _ENTITIES[found[0]], text)
    return mark_safe(conditional_escape(text).replace("\n", "<br>"))  # noqa: S308 - it is escaped
