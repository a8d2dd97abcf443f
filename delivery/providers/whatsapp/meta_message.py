"""A message as Meta's Cloud API takes it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
Templates: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
Buttons:
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-cta-url-messages
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from delivery.providers.base import Button, Message
from delivery.providers.windows import refuse_if_closed

_LONGEST_BESIDE_BUTTON, _LONGEST_ON_BUTTON = 1024, 20

Document = dict[str, Any]
Media = Mapping[str, Any]


def document(message: Message, *, previews: bool, now: dt.datetime) -> Document:
    """Raises `ProviderError` for what may not be said now. With `previews` a text shows where it links to."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to.removeprefix("+"),
        "biz_opaque_callback_data": message.reference,
        **_said(message, previews, now),
    }


def _said(message: Message, previews: bool, now: dt.datetime) -> Document:
    if template := message.overrides.get("template"):
        return {"type": "template", "template": _template(template, message.locale)}
    refuse_if_closed(message, now)
    return _freely(message.content.body, message.overrides.get("media"), message.action, previews)


def _template(template: Mapping[str, Any], locale: str) -> Document:
    """Meta's languages are as ours, but for the line: `pt_BR`."""
    components = list(template.get("components") or ())
    if parameters := template.get("parameters"):
        texts = [{"type": "text", "text": text} for text in parameters]
        components.append({"type": "body", "parameters": texts})
    language = template.get("language") or locale.replace("-", "_")
    named = {"name": template["name"], "language": {"code": language}}
    return {**named, "components": components} if components else named


def _freely(body: str, media: Media | None, button: Button | None, previews: bool) -> Document:
    words = (media or {}).get("caption") or body
    if button is not None and _fits(words, button):
        return {"type": "interactive", "interactive": _with_button(words, button, media)}
    if button is not None:
        words = f"{words}\n\n{button.url}".lstrip()
    if media is not None:
        return {"type": media["type"], media["type"]: _file(media) | ({"caption": words} if words else {})}
    return {"type": "text", "text": {"body": words, "preview_url": previews and "://" in words}}


def _fits(words: str, button: Button) -> bool:
    return 0 < len(words) <= _LONGEST_BESIDE_BUTTON and len(button.text) <= _LONGEST_ON_BUTTON


def _with_button(words: str, button: Button, media: Media | None) -> Document:
    leads = {"display_text": button.text, "url": button.url}
    said = {
        "type": "cta_url",
        "body": {"text": words},
        "action": {"name": "cta_url", "parameters": leads},
    }
    if media is None:
        return said
    return {**said, "header": {"type": media["type"], media["type"]: _file(media)}}


def _file(media: Media) -> Document:
    """Meta fetches it. Only a document has a name of its own."""
    name = media.get("filename")
    named = {"filename": name} if name and media["type"] == "document" else {}
    return {"link": media["url"], **named}
