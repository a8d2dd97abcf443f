"""A browser's push subscription as a device token: `{"endpoint", "keys": {"auth", "p256dh"}}`, compact JSON.

https://w3c.github.io/push-api/#pushsubscription-interface (its `toJSON`); the keys: RFC 8291, section 2.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
from pydantic import HttpUrl, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

_URL = TypeAdapter(HttpUrl)
_KEYS = {"auth": 16, "p256dh": 65}


def spelled(token: Any) -> Any:
    """A subscription, given as an object or as its JSON, in its one spelling; any other token as it is."""
    try:
        if isinstance(token, str) and token.startswith("{"):
            return _compact(orjson.loads(token))
        return _compact(token) if isinstance(token, dict) else token
    except (ValueError, KeyError, TypeError, AttributeError):
        words = "This is not a browser's push subscription: it has an endpoint, keys.p256dh and keys.auth."
        raise PydanticCustomError("invalid_subscription", words) from None


def _compact(told: dict[str, Any]) -> str:
    """Without what the browser adds, so that one subscription is one device."""
    keys = {name: _key(told["keys"][name], size) for name, size in _KEYS.items()}
    return orjson.dumps({"endpoint": _endpoint(told["endpoint"]), "keys": keys}).decode()


def _key(value: str, size: int) -> str:
    digits = value.translate(_STANDARD)
    raw = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    if len(raw) != size:
        raise ValueError("a key of another length")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


_STANDARD = str.maketrans("-_", "+/", "=")


def _endpoint(url: str) -> str:
    """As the browser spells it: it is a capability, and no other spelling need work."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("no URL")
    try:
        _URL.validate_python(url)
    except ValidationError:
        raise ValueError("no URL") from None
    return url
