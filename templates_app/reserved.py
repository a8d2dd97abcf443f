"""Names that templates may use and no request gives: they are filled in when a message goes out.

`links.unsubscribe` leads out of the message's category on its channel, `links.preferences` to the recipient's
own page. Either is empty where there is nothing to lead to: transactional mails have no way out, and of
somebody who is not stored nothing can be set. So a layout asks: `{% if links.unsubscribe %}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LINKS = "links"

SAMPLES = {
    "unsubscribe": "https://notify.example.com/unsubscribe/sample",
    "preferences": "https://notify.example.com/preferences/sample",
}
"""For previews and checks of what is not being sent."""

NOWHERE = dict.fromkeys(SAMPLES, "")
"""For what goes to nobody in particular."""

_LINKS = re.compile(rf"\b{LINKS}\b")


def asks_for_links(sources: Mapping[str, str]) -> bool:
    return any(_LINKS.search(source) for source in sources.values())


def with_links(data: Mapping[str, Any], links: Mapping[str, str]) -> dict[str, Any]:
    """The data, and the links in them; what the data themselves call `links` has these besides."""
    own = data.get(LINKS)
    return {**data, LINKS: {**(own if isinstance(own, Mapping) else {}), **links}}
