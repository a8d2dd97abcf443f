"""A template as a folder of files, so that it can live in git: what is in them, and what is wrong with them.

    order-shipped/          the code
        template.yaml       name, description, category, type, channels, digest
        email.en.yaml       the parts of one channel in one locale: subject, body …, layout, overrides
        email.en.mjml       its HTML part, in a file of its own: .html, .md (Markdown) or .mjml
        sms.en.yaml
        schema.json         what the data must be like
        sample.json         what they might be

Nothing here knows the database. What is written is read (`folder_reading`) as the same again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from templates_app.bodies import NewTemplate
from templates_app.channels import PARTS
from templates_app.diffing import Wording
from templates_app.drafts import Draft

ABOUT, SCHEMA, SAMPLE = "template.yaml", "schema.json", "sample.json"
HOUSE = ("_layouts", "_partials")
"""Folders that hold no template, whatever is in them."""

SUFFIXES = {"html": ".html", "markdown": ".md", "mjml": ".mjml"}
"""Of the HTML part, by what it is written in."""

CONTENT = re.compile(rf"({'|'.join(PARTS)})\.([A-Za-z0-9-]+)(\.yaml|\.html|\.md|\.mjml)")
OURS = re.compile(rf"{ABOUT}|{SCHEMA}|{SAMPLE}|{CONTENT.pattern}")


@dataclass(frozen=True, slots=True)
class Described:
    """A template with its wording, as files say it. No wording: nothing was written for it yet."""

    about: NewTemplate
    wording: Wording | None

    @property
    def code(self) -> str:
        return self.about.code


@dataclass(frozen=True, slots=True)
class FileError:
    """`path` is relative to the folder of folders; `line` counts from 1 where it is known."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.message}"


class FilesError(Exception):
    """All that is wrong with the files, at once. Nothing was changed."""

    def __init__(self, errors: list[FileError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def files(template: Described) -> dict[str, str]:
    """Name → text."""
    written = {ABOUT: as_yaml(_about(template.about))}
    if template.wording is None:
        return written
    for draft in template.wording.contents:
        written |= _content_files(draft)
    if template.wording.schema is not None:
        written[SCHEMA] = _json(template.wording.schema)
    if template.wording.sample_data:
        written[SAMPLE] = _json(template.wording.sample_data)
    return written


def save(template: Described, root: Path) -> bool:
    """Write the folder anew; files of ours that it no longer has go. Answers whether anything changed."""
    folder, wanted = root / template.code, files(template)
    folder.mkdir(parents=True, exist_ok=True)
    stale = [path for path in folder.iterdir() if OURS.fullmatch(path.name) and path.name not in wanted]
    for path in stale:
        path.unlink()
    return write(folder, wanted) or bool(stale)


def write(folder: Path, wanted: Mapping[str, str]) -> bool:
    """Path within the folder → text. Answers whether anything changed."""
    different = {name: text for name, text in wanted.items() if _bytes(folder / name) != text.encode()}
    for name, text in different.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return bool(different)


def folders(root: Path) -> list[Path]:
    """Those that hold a template, by their names."""
    return sorted(path.parent for path in root.glob(f"*/{ABOUT}") if path.parent.name not in HOUSE)


def contents_of(folder: Path) -> list[Path]:
    """What may be ours; READMEs and hidden files are not."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "README")))


def place_of(draft: Draft, part: str | None) -> str:
    """The file, within the folder, in which a part is written."""
    suffix = SUFFIXES[draft.format] if part == "html" else ".yaml"
    return f"{draft.channel}.{draft.locale}{suffix}"


def _about(about: NewTemplate) -> dict[str, Any]:
    said = about.model_dump(mode="json", exclude={"code"}, exclude_none=True)
    return {name: value for name, value in said.items() if value or name in {"name", "category"}}


def _content_files(draft: Draft) -> Iterator[tuple[str, str]]:
    said = {part: text for part, text in draft.sources.items() if part != "html"}
    if "html" in draft.sources:
        yield place_of(draft, "html"), draft.sources["html"]
        said |= {"layout": draft.layout} if draft.layout else {}
    yield place_of(draft, None), as_yaml(said)


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as people write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _ODD.search(text) else style)


# What YAML takes for line breaks too, and folds (YAML 1.1, 4.2). Only an escape is sure to come back.
_ODD = re.compile(r"[\r\x85\u2028\u2029]")
_Dumper.add_representer(str, _text)


def as_yaml(document: Mapping[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
