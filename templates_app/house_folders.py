"""A tenant's layouts, partials and brand as files, beside the folders of its templates.

    _layouts/
        standard.yaml       name, default
        standard.mjml       its source: .html or .mjml
    _partials/
        foot.yaml           name
        foot.jinja          its source
    _brand.yaml             what `brand.*` stands for

Nothing here knows the database. What is written is read as the same again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from templates_app.folder_reading import Reading
from templates_app.folders import HOUSE, FilesError, as_yaml, contents_of, write
from templates_app.house_bodies import BrandChange, NewLayout, NewPartial

LAYOUTS, PARTIALS = HOUSE
BRAND = "_brand"
_SOURCES = {LAYOUTS: (".html", ".mjml"), PARTIALS: (".jinja",)}
_OURS = re.compile(r"[-a-zA-Z0-9_]+\.(yaml|html|mjml|jinja)")

Piece = Mapping[str, str]
"""Path → text, of one layout, one partial or the brand."""


@dataclass(frozen=True, slots=True)
class House:
    """How messages look, as files say it. No brand: nothing was said of it yet."""

    layouts: Mapping[str, NewLayout] = field(default_factory=dict)
    partials: Mapping[str, NewPartial] = field(default_factory=dict)
    brand: BrandChange | None = None


_INGREDIENTS = {LAYOUTS: "layout", PARTIALS: "partial"}


def ingredient(piece: str) -> str:
    """As `made_of` names it: `layout:<code>`, `partial:<code>`, `brand`."""
    place, _, code = piece.partition("/")
    return f"{_INGREDIENTS[place]}:{code}" if code else "brand"


def pieces(house: House) -> dict[str, Piece]:
    """By `_layouts/<code>`, `_partials/<code>` and `_brand`."""
    made: dict[str, Piece] = {}
    for layout in house.layouts.values():
        stem, default = f"{LAYOUTS}/{layout.code}", {"default": True} if layout.is_default else {}
        about = as_yaml({"name": layout.name, **default})
        made[stem] = {f"{stem}.yaml": about, f"{stem}.{layout.format}": layout.source}
    for partial in house.partials.values():
        stem = f"{PARTIALS}/{partial.code}"
        made[stem] = {f"{stem}.yaml": as_yaml({"name": partial.name}), f"{stem}.jinja": partial.source}
    if house.brand is not None:
        made[BRAND] = {f"{BRAND}.yaml": as_yaml(house.brand.model_dump(exclude_unset=True))}
    return made


def save(house: House, root: Path) -> dict[str, bool]:
    """Write the files; those of ours that are no more go. Whether each piece has changed."""
    wanted = pieces(house)
    names = {path for piece in wanted.values() for path in piece}
    for place in HOUSE:
        stale = (path for path in contents_of(root / place) if _OURS.fullmatch(path.name))
        for path in stale:
            if f"{place}/{path.name}" not in names:
                path.unlink()
    return {name: write(root, piece) for name, piece in wanted.items()}


def load(root: Path) -> House:
    """Raises FilesError with all that is wrong."""
    layouts, partials = _FolderReading(root / LAYOUTS), _FolderReading(root / PARTIALS)
    above = Reading(root, shown="")
    house = House(
        {one.code: one for one in layouts.layouts()},
        {one.code: one for one in partials.partials()},
        _brand(above) if (root / f"{BRAND}.yaml").exists() else None,
    )
    if errors := layouts.errors + partials.errors + above.errors:
        raise FilesError(errors)
    return house


def _brand(reading: Reading) -> BrandChange | None:
    document = reading.mapping(f"{BRAND}.yaml")
    return None if document is None else reading.valid(BrandChange, document, f"{BRAND}.yaml")


class _FolderReading(Reading):
    """The folder of all layouts, or of all partials."""

    def layouts(self) -> Iterator[NewLayout]:
        default = ""
        for code, suffix, about in self._described():
            if strange := about.keys() - {"name", "default"}:
                self.wrong(f"{code}.yaml", f"{min(strange)}: It is said elsewhere, or means nothing here.")
                continue
            said = {"code": code, "format": suffix[1:], "is_default": about.pop("default", False), **about}
            found = self.valid(NewLayout, said | {"source": self.text(code + suffix)}, f"{code}.yaml")
            if found is not None and found.is_default and default:
                self.wrong(f"{code}.yaml", f"default: It is {default} already.")
            if found is not None:
                default = code if found.is_default else default
                yield found

    def partials(self) -> Iterator[NewPartial]:
        for code, suffix, about in self._described():
            said = {**about, "code": code, "source": self.text(code + suffix)}
            if found := self.valid(NewPartial, said, f"{code}.yaml"):
                yield found

    def _described(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The code of each, the suffix of its source, and what its YAML says."""
        suffixes = _SOURCES[self.folder.name]
        names = [path.name for path in contents_of(self.folder)]
        for name in names:
            if Path(name).suffix not in {".yaml", *suffixes}:
                self.wrong(name, f"This is no file of {self.folder.name}.")
        for code in sorted({Path(name).stem for name in names if Path(name).suffix in {".yaml", *suffixes}}):
            there = [suffix for suffix in suffixes if code + suffix in names]
            if f"{code}.yaml" not in names:
                self.wrong(code + there[0], f"There is no {code}.yaml with its name.")
            elif len(there) != 1:
                self.wrong(f"{code}.yaml", f"Its source is one file, {code}{' or '.join(suffixes)}.")
            elif (about := self.mapping(f"{code}.yaml")) is not None:
                yield code, there[0], about
