"""What Slack shows: blocks made of a message that brings none, and text that mentions nobody by accident.

https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

from __future__ import annotations

from typing import Any

from delivery.providers.base import Message

HEADER, SECTION, BUTTON = 150, 3000, 75
"""Characters that Slack takes in each."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

Block = dict[str, Any]


def payload(message: Message) -> dict[str, Any]:
    """`text` is what notifications and screen readers get; `blocks` are what people see.

    A template's words may link and mention, for its data were escaped before; ready content may not.
    """
    content, overrides = message.content, dict(message.overrides)
    is_template = message.template_version_id is not None
    body = content.body if is_template else content.body.translate(_ESCAPES)
    title = content.title or content.subject
    blocks = overrides.pop("blocks", None) or _blocks(title, body, message)
    return {"text": body or title.translate(_ESCAPES), "blocks": blocks, **overrides}


def _blocks(title: str, body: str, message: Message) -> list[Block]:
    blocks: list[Block] = []
    if title:
        blocks.append({"type": "header", "text": {"type": "plain_text", "text": title[:HEADER]}})
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": body[start : start + SECTION]}}
        for start in range(0, len(body), SECTION)
    ]
    if message.action is not None:
        blocks.append({"type": "actions", "elements": [_button(message.action.text, message.action.url)]})
    return blocks


def _button(words: str, url: str) -> Block:
    return {"type": "button", "text": {"type": "plain_text", "text": words[:BUTTON]}, "url": url}
