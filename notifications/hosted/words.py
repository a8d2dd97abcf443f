"""What the hosted pages call things that people know by other names than we do.

Lazy, so that each is said in the language of whoever looks.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

_CHANNELS: Mapping[str, Text] = {
    "email": _("Email"),
    "sms": _("Text message"),
    "whatsapp": _("WhatsApp"),
    "push": _("Push"),
    "in_app": _("In the app"),
    "slack": _("Slack"),
    "discord": _("Discord"),
    "webhook": _("Webhook"),
}
_BY: Mapping[str, Text] = {
    "email": _("by email"),
    "sms": _("by text message"),
    "whatsapp": _("by WhatsApp"),
    "push": _("by push message"),
    "in_app": _("in the app"),
    "slack": _("by Slack"),
    "discord": _("by Discord"),
    "webhook": _("by webhook"),
}
_SEEDED: Mapping[str, Text] = {
    "Transactional": _("Orders and account"),
    "Marketing": _("News and offers"),
    "System": _("Service notices"),
    "Alerts": _("Alerts"),
}
"""The names that a new tenant's categories have; its own it says as it likes."""

_PLATFORMS: Mapping[str, Text] = {
    "android": _("Android device"),
    "ios": _("iPhone or iPad"),
    "web": _("Browser"),
}


_PER: Mapping[str, Text] = {
    "hour": _("an hour"),
    "day": _("a day"),
    "week": _("a week"),
    "month": _("a month"),
}


def channel_name(channel: str) -> Text:
    return _CHANNELS.get(channel, channel)


def by_channel(channel: str) -> Text:
    return _BY.get(channel, channel)


def category_name(name: str) -> Text:
    return _SEEDED.get(name, name)


def per_name(per: str) -> Text:
    return _PER.get(per, per)


def platform_name(platform: str) -> Text:
    return _PLATFORMS.get(platform, platform or _("Device"))
