"""WhatsApp's customer service window: for 24 hours after they wrote, a person may be written to freely.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from __future__ import annotations

import datetime as dt

from delivery.providers.base import ErrorKind, Message, ProviderError


def refuse_if_closed(message: Message, now: dt.datetime) -> None:
    """For words of one's own. Templates may always go."""
    if message.window_until is None or message.window_until <= now:
        raise window_closed()


def window_closed() -> ProviderError:
    words = "they have not written within 24 hours: only a template reaches them"
    return ProviderError(ErrorKind.ADDRESS, words, code="window_closed")
