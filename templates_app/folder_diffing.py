"""What differs between a tenant and its files, as what an import would do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from templates_app.diffing import NOTHING, Line, PartDiff, compared, differences
from templates_app.folders import ABOUT, Described, files
from templates_app.house_folders import House, Piece, ingredient, pieces


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what the tenant has and its files, as what an import would do. `missing`: which is not there.

    `files`: those that differ as a whole, with their lines. The rest of a template differs by its `parts`.
    """

    code: str
    missing: str = ""
    files: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    parts: Sequence[PartDiff] = ()


def template_differences(
    ours: Mapping[str, Described], theirs: Mapping[str, Described]
) -> Iterator[Difference]:
    for code in sorted(ours.keys() | theirs.keys()):
        if code not in ours or code not in theirs:
            yield Difference(code, "folder" if code in ours else "template")
        elif found := _difference(ours[code], theirs[code]):
            yield found


def _difference(ours: Described, theirs: Described) -> Difference | None:
    changed = _lines({ABOUT: files(ours)[ABOUT]}, {ABOUT: files(theirs)[ABOUT]})
    parts = differences(ours.wording or NOTHING, theirs.wording or NOTHING)
    return Difference(ours.code, files=changed, parts=parts) if changed or parts else None


def house_differences(ours: House, theirs: House) -> Iterator[Difference]:
    before, after = pieces(ours), pieces(theirs)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Difference(name, "file" if name in before else ingredient(name).partition(":")[0])
        elif before[name] != after[name]:
            yield Difference(name, files=_lines(before[name], after[name]))


def _lines(before: Piece, after: Piece) -> dict[str, Sequence[Line]]:
    """Of each file that differs, its name and its lines."""
    texts = {path: (before.get(path, ""), after.get(path, "")) for path in {**before, **after}}
    return {
        path.rpartition("/")[2]: list(compared(old.splitlines(), new.splitlines()))
        for path, (old, new) in texts.items()
        if old != new
    }
