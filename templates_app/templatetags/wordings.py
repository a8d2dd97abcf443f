"""What previews are drawn with."""

from __future__ import annotations

from typing import Any

import orjson
from django import template
from django.utils.safestring import SafeString

from templates_app.chat_text import html_of

register = template.Library()


@register.filter
def chat_text(text: Any, dialect: str) -> SafeString:
    """`{{ text|chat_text:"slack" }}`"""
    return html_of(str(text or ""), dialect)


@register.filter
def readable(document: Any) -> str:
    """JSON for people."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
