"""Text messages are spelled and measured here, whichever provider they go by (`templates_app.segments`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from delivery.providers.base import Content
from delivery.queue import Leg
from templates_app.rendering import RenderError
from templates_app.segments import Segments, SmsPolicy, TooLongError, fitted, measured
from tenants.models import Tenant


def overrides_of(leg: Leg, content: Content) -> Mapping[str, Any]:
    """The template's, and the request's before them."""
    return {**content.overrides, **leg.payload.get("overrides", {}).get(leg.channel, {})}


def fit(leg: Leg, content: Content | RenderError, policy: SmsPolicy) -> Content | RenderError:
    """The words as they go out, or why they do not. `policy` is the tenant's."""
    if leg.channel != "sms" or isinstance(content, RenderError):
        return content
    body = fitted(content.body, policy.under(overrides_of(leg, content)))
    return body if isinstance(body, RenderError) else replace(content, body=body)


def segments(leg: Leg, content: Content | RenderError, tenant: Tenant) -> Segments | None:
    """What a text message is charged as, once it is `fit`; of one too long, what it would have been."""
    if isinstance(content, TooLongError):
        return content.segments
    if leg.channel != "sms" or isinstance(content, RenderError):
        return None
    return measured(content.body, SmsPolicy.of(tenant).under(overrides_of(leg, content)))
