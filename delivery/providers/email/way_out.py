"""How a mail says where its reader can leave, for the button that mail programs show beside the sender.

One-click: https://www.rfc-editor.org/rfc/rfc8058#section-3.1
The list of places, the preferred one first: https://www.rfc-editor.org/rfc/rfc2369#section-2
Who asks for it: https://support.google.com/a/answer/81126, https://senders.yahooinc.com/best-practices/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import Field

Headers = tuple[tuple[str, str], ...]

MAILTO: Any = Field(
    "",
    title="Unsubscribe by mail",
    description="An address that somebody reads, for mail programs without one-click. Empty: none.",
    pattern=r"^([^\s@<>,]+@[^\s@<>,]+)?$",
)
"""An account's setting."""

PLACES, ONE_CLICK = "List-Unsubscribe", "List-Unsubscribe-Post"


def list_headers(url: str, mailto: str = "") -> Headers:
    """The headers for one reader, whose own the `url` is; none without it.

    `mailto` is an address that is read; the subject of what is written there ends with the URL's token, which
    says who wrote: to post to the URL does what they ask for.
    """
    if not url:
        return ()
    places = f"<{url}>"
    if mailto:
        subject = quote(f"unsubscribe {url.rpartition('/')[2]}")
        places += f", <mailto:{quote(mailto, safe='@+')}?subject={subject}>"
    return ((PLACES, places), (ONE_CLICK, "List-Unsubscribe=One-Click"))
