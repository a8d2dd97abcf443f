"""Reading a template's folder: as far as it can be read, and all that is wrong with it at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from templates_app.bodies import ContentBody, NewTemplate, NewVersion
from templates_app.diffing import Wording
from templates_app.folders import (
    ABOUT,
    CONTENT,
    OURS,
    SAMPLE,
    SCHEMA,
    SUFFIXES,
    Described,
    FileError,
    FilesError,
    contents_of,
)
from templates_app.schemas import faults
from tenants.parsing import field_errors

_FORMATS = {suffix: written_in for written_in, suffix in SUFFIXES.items()}

Model = TypeVar("Model", bound=BaseModel)


def load(folder: Path) -> Described:
    """Raises FilesError."""
    reading = _TemplateReading(folder)
    template = reading.template()
    if template is None or reading.errors:
        raise FilesError(reading.errors)
    return template


@dataclass
class Reading:
    """A folder, read as far as it can be, with all that is wrong. `shown`: how errors name it."""

    folder: Path
    errors: list[FileError] = field(default_factory=list)
    shown: str | None = None

    def mapping(self, name: str) -> dict[str, Any] | None:
        try:
            document = yaml.safe_load(self.text(name) or "")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "it cannot be read"
            self.wrong(name, f"This is no YAML: {problem}.", mark and mark.line + 1)
            return None
        if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
            self.wrong(name, "This is no YAML mapping of names to values.")
            return None
        return document

    def document(self, name: str) -> dict[str, Any] | None:
        if not (self.folder / name).exists():
            return None
        try:
            document = json.loads(self.text(name) or "")
        except json.JSONDecodeError as error:
            self.wrong(name, f"This is no JSON: {error.msg}.", error.lineno)
            return None
        if not isinstance(document, dict):
            self.wrong(name, "This is no JSON object.")
            return None
        return document

    def text(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_bytes().decode()
        except UnicodeDecodeError:
            self.wrong(name, "This is no UTF-8.")
            return None

    def valid(self, model: type[Model], document: Mapping[str, Any], name: str) -> Model | None:
        try:
            return model.model_validate(document)
        except ValidationError as error:
            for found in field_errors(error, document=document):
                self.wrong(name, f"{found.pointer[1:]}: {found.detail}" if found.pointer else found.detail)
            return None

    def wrong(self, name: str, message: str, line: int | None = None) -> None:
        prefix = f"{self.folder.name}/" if self.shown is None else self.shown
        self.errors.append(FileError(prefix + name, message, line))


@dataclass
class _TemplateReading(Reading):
    """The folder of a template."""

    def template(self) -> Described | None:
        about = self._about()
        contents = list(self._contents())
        schema, sample = self.document(SCHEMA), self.document(SAMPLE)
        if schema is not None:
            for fault in faults(schema):
                self.wrong(SCHEMA, f"{fault.pointer.removeprefix('/schema') or '/'}: {fault.detail}")
        if about is None or self.errors:
            return None
        if not contents:
            return Described(about, None)
        version = self.valid(NewVersion, {"contents": contents, "sample_data": sample or {}}, ABOUT)
        drafts = [content.draft() for content in version.contents] if version else []
        return Described(about, Wording(drafts, schema, sample or {}))

    def _about(self) -> NewTemplate | None:
        document, code = self.mapping(ABOUT), self.folder.name
        if document is None:
            return None
        if document.get("code", code) != code:
            self.wrong(ABOUT, f"code: The folder's name is the code, {code!r}.")
        return self.valid(NewTemplate, {**document, "code": code}, ABOUT)

    def _contents(self) -> Iterator[ContentBody]:
        names = [path.name for path in contents_of(self.folder)]
        for name in names:
            if not OURS.fullmatch(name):
                self.wrong(name, "This is no file of a template.")
        found = [match for name in names if (match := CONTENT.fullmatch(name))]
        for channel, locale in sorted({(match[1], match[2]) for match in found}):
            suffixes = {match[3] for match in found if (match[1], match[2]) == (channel, locale)}
            yield from self._content(channel, locale, suffixes)

    def _content(self, channel: str, locale: str, suffixes: set[str]) -> Iterator[ContentBody]:
        stem = f"{channel}.{locale}"
        html = sorted(suffixes - {".yaml"})
        if ".yaml" not in suffixes:
            return self.wrong(f"{stem}{html[0]}", f"There is no {stem}.yaml with its other parts.")
        if len(html) > 1:
            return self.wrong(f"{stem}{html[1]}", f"There is {stem}{html[0]} already.")
        said = self.mapping(f"{stem}.yaml")
        if said is None:
            return None
        if strange := said.keys() & {"html", "format", "channel", "locale"}:
            return self.wrong(f"{stem}.yaml", f"{min(strange)} is said by files' names.")
        if html:
            said |= {"html": self.text(f"{stem}{html[0]}") or "", "format": _FORMATS[html[0]]}
        body = self.valid(ContentBody, {"channel": channel, "locale": locale, **said}, f"{stem}.yaml")
        if body is not None:
            yield body
        return None
