"""Names: what the sources ask the data for, against what the data are said to hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from templates_app.findings import KINDS, Finding, Setting, Wording
from templates_app.reserved import LINKS
from templates_app.workshop import RenderError


def unknown(wording: Wording, setting: Setting) -> Iterator[Finding]:
    """In the sources, and neither in the schema nor in the sample data: mistyped, it might be."""
    if isinstance(wording.words, RenderError):
        return  # the error says it already, and more
    known = {LINKS} | set(setting.sample_data) | (setting.declared or set())
    where = "the schema nor the sample data" if setting.declared is not None else "the sample data"
    neither = "in neither" if setting.declared is not None else "not in"
    for name in sorted(wording.names - known):
        part, line = _first_use(wording, name)
        yield wording.finding("unknown_variable", f"{name} is {neither} {where}.", part, line)


def unused(wordings: Sequence[Wording], setting: Setting) -> Iterator[Finding]:
    """Declared, or in the sample data, and no source asks for it, not even as a field of something else.

    A digest's data hold the fields of its last event beside those of its items.
    """
    used = frozenset[str]().union(*(wording.names | _words(wording) for wording in wordings))
    if any(isinstance(wording.words, RenderError) for wording in wordings):
        return  # of what does not compile nobody knows what it uses
    severity, source = KINDS["unused_variable"]
    for name in sorted((set(setting.sample_data) | (setting.declared or set())) - used):
        yield Finding("unused_variable", severity, f"No wording uses {name}.", source=source)


def unfit(setting: Setting) -> Iterator[Finding]:
    """Sample data that a request could not send: no preview with them is worth looking at."""
    severity, source = KINDS["sample_data_unfit"]
    for words in setting.misfits:
        yield Finding("sample_data_unfit", severity, words, part="sample_data", source=source)


_CODE = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*")


def _words(wording: Wording) -> set[str]:
    code = (block[0] for source in wording.draft.sources.values() for block in _CODE.finditer(source))
    return {word for block in code for word in _WORD.findall(block)}


def _first_use(wording: Wording, name: str) -> tuple[str, int | None]:
    whole = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
    for part, source in wording.draft.sources.items():
        for block in _CODE.finditer(source):
            if found := whole.search(block[0]):
                return part, source.count("\n", 0, block.start() + found.start()) + 1
    return "", None
