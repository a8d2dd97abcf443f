"""A push message in the terms of Firebase Cloud Messaging.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from __future__ import annotations

from typing import Any

from delivery.providers.base import Message
from delivery.providers.push.payload import data, known, merged, seconds_left, topic

_TOPICS = "/topics/"
"""How the address of a topic begins."""


def arguments(message: Message) -> dict[str, Any]:
    """The arguments of pyfcm's `parse_payload`. A topic has many readers, and no badge."""
    overrides, content = message.overrides, message.content
    is_topic = message.to.startswith(_TOPICS)
    badge = None if is_topic else message.badge
    return {
        "topic_name" if is_topic else "fcm_token": message.to.removeprefix(_TOPICS),
        "notification_title": content.title or content.subject,
        "notification_body": content.body,
        "notification_image": overrides.get("image"),
        "data_payload": data(message),
        "android_config": merged(_android(message, badge), overrides.get("android", {})),
        "apns_config": merged(_apns(message, badge), overrides.get("apns", {})),
        "webpush_config": merged(_webpush(message), overrides.get("webpush", {})),
    }


def _android(message: Message, badge: int | None) -> dict[str, Any]:
    left = seconds_left(message)
    return known(
        priority="HIGH" if message.is_urgent else "NORMAL",
        ttl=None if left is None else f"{left}s",
        collapse_key=message.overrides.get("collapse_key"),
        notification=known(notification_count=badge),
    )


def _apns(message: Message, badge: int | None) -> dict[str, Any]:
    """https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns

    An image needs `mutable-content`, with which the app may fetch it.
    """
    left, image = seconds_left(message), message.overrides.get("image")
    ends = int(message.expires_at.timestamp()) if message.expires_at and left else 0
    headers = {
        "apns-priority": "10" if message.is_urgent else "5",
        "apns-expiration": None if left is None else str(ends),
        "apns-collapse-id": message.overrides.get("collapse_key"),
    }
    aps = {"badge": badge, "mutable-content": 1 if image else None}
    return known(headers=known(**headers), payload=known(aps=known(**aps)), fcm_options=known(image=image))


def _webpush(message: Message) -> dict[str, Any]:
    """For browsers that registered with Firebase, whose links have to be https."""
    left, action = seconds_left(message), message.action
    headers = {
        "Urgency": "high" if message.is_urgent else "normal",
        "TTL": None if left is None else str(left),
        "Topic": topic(message),
    }
    link = action.url if action is not None and action.url.startswith("https://") else None
    return known(headers=known(**headers), fcm_options=known(link=link))
