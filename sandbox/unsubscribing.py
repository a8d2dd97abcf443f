"""The button that mail programs show beside a sender: one-click unsubscribe, https://www.rfc-editor.org/rfc/rfc8058

A browser may not post to another origin, so it is done here, as a mail provider would: no cookies and no
redirects. Unlike there `http` will do: a demonstration on one machine has no certificate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from yarl import URL

BODY = "List-Unsubscribe=One-Click"
LONGEST = 500
TIMEOUT = aiohttp.ClientTimeout(total=10)
_PLACE = re.compile(r"<\s*(https?://[^>\s]+)\s*>")


class NoButtonError(Exception):
    """The mail does not say that it can be left by one click."""


class UnreachableError(Exception):
    """Nobody answered; the text is the kind of error."""


def place(headers: Mapping[str, str]) -> str:
    """Where the button posts to. Raises `NoButtonError`."""
    said = {name.lower(): value for name, value in headers.items()}
    found = _PLACE.search(said.get("list-unsubscribe", ""))
    if found is None or said.get("list-unsubscribe-post", "").replace(" ", "") != BODY:
        raise NoButtonError
    return found[1]


async def press(headers: Mapping[str, str]) -> dict[str, Any]:
    """What came back: `{"url", "status", "answer", "at"}`. Raises `NoButtonError` and `UnreachableError`."""
    url = place(headers)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.post(URL(url, encoded=True), data=BODY, headers=form, allow_redirects=False) as answer,
        ):
            said = (await answer.content.read(4 * LONGEST)).decode("utf-8", "replace")[:LONGEST]
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            return {"url": url, "status": answer.status, "answer": said.strip(), "at": at}
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise UnreachableError(type(error).__name__) from None
