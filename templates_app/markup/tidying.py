from __future__ import annotations

import re

_GAP = re.compile(r"\n{3,}")
_INDENT = re.compile(r"[ \t]*\n[ \t]*")


def tidy(text: str) -> str:
    """A rendered text with no more than one empty line between two others."""
    return _GAP.sub("\n\n", _INDENT.sub("\n", text)).strip()
