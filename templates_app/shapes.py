"""What a channel makes of the words: the document that its vendor is handed, or what is seen of it.

Pure, and the same for every vendor of a channel; what only one of them adds (a token, a time to live) is not
here. Shown in previews, beside the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from templates_app.overrides import said
from templates_app.workshop import Words

Shape = dict[str, Any]
_Overrides = Mapping[str, Any]

_HEADER, _SECTION = 150, 3000  # https://docs.slack.dev/reference/block-kit/blocks


def shape(channel: str, words: Words) -> Shape:
    """Fields that hold nothing are left out."""
    made = _SHAPES[channel](words, said(channel, words.overrides))
    return {name: value for name, value in made.items() if value not in (None, "", [], {})}


def _in_app(words: Words, overrides: _Overrides) -> Shape:
    return {"title": words.title, "body": words.body, **overrides}


def _email(words: Words, overrides: _Overrides) -> Shape:
    files = [file["filename"] for file in overrides.get("attachments", ())]
    return {"subject": words.subject, **overrides, "attachments": files}


def _sms(words: Words, overrides: _Overrides) -> Shape:
    return {"sender": overrides.get("sender"), "text": words.body}


def _whatsapp(words: Words, overrides: _Overrides) -> Shape:
    """An approved template says what Meta has on file; the words are for within 24 hours of a reply."""
    media = overrides.get("media")
    text = (media or {}).get("caption") or words.body
    return {"template": overrides.get("template"), "media": media, "text": text}


def _push(words: Words, overrides: _Overrides) -> Shape:
    """`bytes` of the 4,096 that words and data may take."""
    seen = {"title": words.title, "body": words.body, **overrides}
    return {**seen, "bytes": len(orjson.dumps(seen))}


def _slack(words: Words, overrides: _Overrides) -> Shape:
    """As a message goes out: `text` for notifications and screen readers, `blocks` for people to see."""
    own = {"text": words.body or words.title, "blocks": _blocks(words)}
    return {**own, **overrides}


def _blocks(words: Words) -> list[Shape]:
    title = [{"type": "header", "text": {"type": "plain_text", "text": words.title[:_HEADER]}}]
    return (title if words.title else []) + [
        {"type": "section", "text": {"type": "mrkdwn", "text": words.body[start : start + _SECTION]}}
        for start in range(0, len(words.body), _SECTION)
    ]


def _discord(words: Words, overrides: _Overrides) -> Shape:
    if "embeds" in overrides or not words.title:
        return {"content": words.body, **overrides}
    return {"embeds": [{"title": words.title, "description": words.body}], **overrides}


def _webhook(words: Words, overrides: _Overrides) -> Shape:
    return {"title": words.title, "body": words.body, **overrides}


_SHAPES: Mapping[str, Callable[[Words, _Overrides], Shape]] = {
    "in_app": _in_app,
    "email": _email,
    "sms": _sms,
    "whatsapp": _whatsapp,
    "push": _push,
    "slack": _slack,
    "discord": _discord,
    "webhook": _webhook,
}
