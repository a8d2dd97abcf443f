"""What push messages have in common, whoever carries them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from delivery.providers.base import Message

LONGEST = 28 * 24 * 3600
"""Seconds that Firebase keeps a message at most; other push services keep some longer."""

_ROOM = 2048
"""Bytes of the 4096 that a message may have: the rest is for its words."""

_RESERVED = re.compile(r"from$|message_type$|google|gcm")
"""Names that Firebase refuses: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages"""

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def seconds_left(message: Message) -> int | None:
    """How long the message is worth delivering; None without a deadline, 0 when that has passed."""
    if message.expires_at is None:
        return None
    left = (message.expires_at - dt.datetime.now(dt.UTC)).total_seconds()
    return min(max(0, int(left)), LONGEST)


def topic(message: Message) -> str | None:
    """The collapse key as a Topic header can have it (RFC 8030, section 5.4)."""
    key = message.overrides.get("collapse_key")
    if key is None or _TOPIC.fullmatch(key):
        return key
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()[:32]


def data(message: Message) -> dict[str, str]:
    """What the app is told: which notification it is, where it leads, the texts among the template's data.

    Those stay away altogether when they are too long: better a message without them than none.
    """
    said: dict[str, str] = {}
    if message.notification_id is not None:
        said["notification_id"] = str(message.notification_id)
    if message.action is not None:
        said["action_url"] = message.action.url
    return {**_texts(message.data), **said, **message.overrides.get("data", {})}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        name: value for name, value in values.items() if isinstance(value, str) and not _RESERVED.match(name)
    }
    size = sum(len(name.encode()) + len(value.encode()) for name, value in texts.items())
    return texts if size <= _ROOM else {}


def merged(ours: Any, theirs: Any) -> Any:
    """`theirs` over `ours`, field by field all the way down; lists are replaced."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return {**ours, **{name: merged(ours.get(name), value) for name, value in theirs.items()}}
    return theirs


def known(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", {})}
