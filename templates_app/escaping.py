"""What data may not do on a channel whose plain text is a language of its own.

In Slack's, `<!channel>` in a customer's name would wake everybody. A template's author may mention and link;
what comes from the data is only ever said: https://docs.slack.dev/messaging/formatting-message-text#escaping
HTML needs nothing here, for MiniJinja escapes it while it renders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def harmless(channel: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as the channel's templates may have them."""
    return {key: _said(value) for key, value in data.items()} if channel == "slack" else data


def _said(value: Any) -> Any:
    match value:
        case str():
            return value.translate(_SLACK)
        case list():
            return [_said(item) for item in value]
        case dict():
            return {key: _said(item) for key, item in value.items()}
        case _:
            return value
