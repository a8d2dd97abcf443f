"""What a channel takes at most, or shows: with the sample data, so a real message may still be longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from templates_app import gsm
from templates_app.findings import Finding, Setting, Wording
from templates_app.gsm import Encoding
from templates_app.overrides import said
from templates_app.segments import as_sent
from templates_app.workshop import Words

PUSH_TITLE, PUSH_BODY = 65, 240
"""Characters that Android shows once a push is opened out. Nobody promises it; other phones show less."""
PUSH_BYTES = 4096
"""Of words and data together: Firebase, APNs and Web Push (RFC 8030, section 7.2) all end there."""
WHATSAPP_TEXT, WHATSAPP_TEMPLATE = 4096, 1024
SLACK_SECTION, SLACK_HEADER = 3000, 150
DISCORD_EMBEDS, DISCORD_CONTENT = 6000, 2000


def sms(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    shown, segments = as_sent("sms", words, setting.sms)
    if segments is None:
        return
    if segments.is_too_long:
        says = (
            f"{segments.parts} parts in {segments.encoding_name}, and only {segments.limit} "
            f"{'is' if segments.limit == 1 else 'are'} allowed: it would not be sent."
        )
        yield wording.finding("sms_too_long", says, "body")
    if segments.encoding is Encoding.UCS_2:
        strange = dict.fromkeys(c for c in shown.body if gsm.encoding_of(c) is Encoding.UCS_2)
        first = next(iter(strange))
        named = " ".join([*strange][:5]) + (" …" if len(strange) > 5 else "")
        says = (
            f"{named} is not in GSM-7, so a part holds {gsm.SINGLE[Encoding.UCS_2]} characters and not 160."
        )
        yield wording.finding("sms_not_gsm7", says, "body", wording.line_of("body", first))


def push(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    if len(words.title) > PUSH_TITLE:
        says = f"{len(words.title)} characters; phones show {PUSH_TITLE} at most."
        yield wording.finding("push_title_long", says, "title")
    if len(words.body) > PUSH_BODY:
        says = f"{len(words.body)} characters; phones show {PUSH_BODY} at most."
        yield wording.finding("push_body_long", says, "body")
    payload = {"title": words.title, "body": words.body, **said("push", words.overrides)}
    size = len(orjson.dumps(payload))
    if size > PUSH_BYTES:
        says = f"{size:,} bytes; push services take {PUSH_BYTES:,} with all that goes along."
        yield wording.finding("push_too_large", says, "body")


def whatsapp(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    template = said("whatsapp", words.overrides).get("template")
    if template is None and len(words.body) > WHATSAPP_TEXT:
        says = f"{len(words.body):,} characters; WhatsApp takes {WHATSAPP_TEXT:,}."
        yield wording.finding("whatsapp_too_long", says, "body")
    filled = sum(map(len, template.get("parameters", ()))) if template else 0
    if filled > WHATSAPP_TEMPLATE:
        says = f"{filled:,} characters in its parameters; a template's body holds {WHATSAPP_TEMPLATE:,}."
        yield wording.finding("whatsapp_template_long", says, "overrides")


def slack(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    """Of blocks that a template brings: what it says in plain words is parted by itself."""
    limits = {"section": SLACK_SECTION, "header": SLACK_HEADER}
    for block in said("slack", words.overrides).get("blocks", ()):
        limit, text = limits.get(str(block.get("type"))), _text(block)
        if limit is not None and len(text) > limit:
            says = f"A {block['type']} has {len(text):,} characters; Slack takes {limit:,}."
            yield wording.finding(
                "slack_text_long", says, "overrides", wording.line_of("overrides", text[:40])
            )


def _text(block: Mapping[str, Any]) -> str:
    inner = block.get("text")
    return str(inner.get("text", "")) if isinstance(inner, Mapping) else ""


def discord(wording: Wording, words: Words, setting: Setting) -> Iterator[Finding]:
    embeds = said("discord", words.overrides).get("embeds", ())
    if embeds and len(words.body) > DISCORD_CONTENT:
        says = f"{len(words.body):,} characters beside embeds; Discord takes {DISCORD_CONTENT:,}."
        yield wording.finding("discord_too_long", says, "body")
    length = _length(embeds) if embeds else len(words.title) + len(words.body)
    if length > DISCORD_EMBEDS:
        says = f"{length:,} characters; the embeds of a message hold {DISCORD_EMBEDS:,}."
        yield wording.finding("discord_too_long", says, "overrides" if embeds else "body")


def _length(embeds: Sequence[Mapping[str, Any]]) -> int:
    """Of what counts: https://docs.discord.com/developers/resources/message#embed-object-embed-limits"""
    fields = [f for embed in embeds for f in _list(embed.get("fields")) if isinstance(f, Mapping)]
    texts = [embed.get(name, "") for embed in embeds for name in ("title", "description")]
    return sum(
        len(str(text)) for text in [*texts, *(f.get(n, "") for f in fields for n in ("name", "value"))]
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
