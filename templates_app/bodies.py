"""What the template endpoints take and give."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Discriminator, Field, StringConstraints, Tag, model_validator

from templates_app.channels import PARTS, missing_parts
from templates_app.digest_windows import DigestWish
from templates_app.engine import PARTS as ALL_PARTS
from templates_app.inspection import Draft
from templates_app.models import Template, TemplateContent, TemplateVersion
from tenants.channels import ConditionalChannel, OptionalWithin, link_shape, shape
from tenants.parsing import RequestModel

_SLUG = r"^[-a-zA-Z0-9_]+$"

# Written out for the OpenAPI document; `test_bodies` holds it against `PARTS`.
Channel = Literal["in_app", "email", "sms", "whatsapp", "push", "slack", "discord", "webhook"]
Code = Annotated[str, StringConstraints(pattern=_SLUG, max_length=100)]
Format = Literal["html", "markdown", "mjml"]
LayoutCode = Annotated[str, StringConstraints(pattern=r"^[-a-zA-Z0-9_]*$", max_length=100)]
Category = Annotated[str, StringConstraints(pattern=_SLUG, max_length=64)]
TypeCode = Annotated[str, StringConstraints(pattern=r"^[-a-zA-Z0-9_]*$", max_length=64)]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Source = Annotated[str, StringConstraints(max_length=200_000)]
Data = Annotated[dict[str, Any], Field(max_length=200)]


class ConditionalTemplateChannel(ConditionalChannel):
    """A channel that is used only while the recipient has the live feed open, or only while they have not."""

    channel: Channel


Link = Annotated[
    Annotated[Channel, Tag("name")] | Annotated[ConditionalTemplateChannel, Tag("conditional")],
    Discriminator(link_shape),
]
Chain = Annotated[list[Link], Field(min_length=1, max_length=8)]


class TimedTemplateChain(RequestModel):
    """The next route is used when the one before was not delivered, or not seen, `within` seconds."""

    chain: Chain
    within: OptionalWithin = None


Entry = Annotated[
    Annotated[Channel, Tag("name")]
    | Annotated[ConditionalTemplateChannel, Tag("conditional")]
    | Annotated[Chain, Tag("chain")]
    | Annotated[TimedTemplateChain, Tag("timed")],
    Discriminator(shape),
]


def _unique(entries: list[Entry]) -> list[Entry]:
    if any(entries.count(entry) > 1 for entry in entries):
        raise ValueError("A channel is named twice.")
    return entries


Channels = Annotated[list[Entry], Field(max_length=16), AfterValidator(_unique)]


class NewTemplate(RequestModel):
    code: Code
    name: Name
    description: str = Field("", max_length=2_000)
    category: Category = "transactional"
    type: TypeCode = ""
    channels: Channels = []
    digest: DigestWish | None = None


class TemplateChange(RequestModel):
    """What is left out stays as it is. The code never changes: services call the template by it.

    `digest` null: each is told by itself.
    """

    name: Name | None = None
    description: str | None = Field(None, max_length=2_000)
    category: Category | None = None
    type: TypeCode | None = None
    channels: Channels | None = None
    digest: DigestWish | None = None

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        if nulls := [n for n in self.model_fields_set - {"digest"} if getattr(self, n) is None]:
            raise ValueError(f"{', '.join(sorted(nulls))}: null is not a value.")
        return self


class ContentBody(RequestModel):
    """The words for one channel in one locale; each part is a MiniJinja source.

    `overrides` makes JSON: what the channel takes besides words, such as Slack's blocks. `format` is what
    `html` is written in; `layout` is the code of what stands around it: empty for the default, or "none".
    """

    channel: Channel
    locale: Locale
    subject: Source = ""
    title: Source = ""
    body: Source = ""
    html: Source = ""
    overrides: Source = ""
    format: Format = "html"
    layout: LayoutCode = ""

    @model_validator(mode="after")
    def _fits_channel(self) -> Self:
        given = self.sources().keys()
        if strange := given - set(PARTS[self.channel]):
            raise ValueError(f"A message by {self.channel} has no {', '.join(sorted(strange))}.")
        if missing := missing_parts(self.channel, set(given)):
            raise ValueError(f"A message by {self.channel} needs {' and '.join(missing)}.")
        return self

    def sources(self) -> dict[str, str]:
        return {part: source for part in ALL_PARTS if (source := getattr(self, part))}

    def draft(self) -> Draft:
        return Draft(self.channel, self.locale, self.sources(), self.format, self.layout)


def _no_doubles(contents: list[ContentBody]) -> list[ContentBody]:
    places = [(content.channel, content.locale.lower()) for content in contents]
    if doubles := {place for place in places if places.count(place) > 1}:
        raise ValueError(f"There are two contents for {' in '.join(min(doubles))}.")
    return contents


Contents = Annotated[list[ContentBody], Field(min_length=1, max_length=200), AfterValidator(_no_doubles)]
SchemaBody = Annotated[dict[str, Any] | None, Field(alias="schema")]


class NewVersion(RequestModel):
    """`schema` is a JSON Schema (draft 2020-12) of what the data must be like, `sample_data` fit it."""

    contents: Contents
    data_schema: SchemaBody = None
    sample_data: Data = {}


class VersionChange(RequestModel):
    """What is left out stays as it is; a schema of null takes it away. Contents are given all or none."""

    contents: Contents | None = None
    data_schema: SchemaBody = None
    sample_data: Data | None = None

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        if nulls := [n for n in self.model_fields_set - {"data_schema"} if getattr(self, n) is None]:
            raise ValueError(f"{', '.join(sorted(nulls))}: null is not a value.")
        return self


class ContentView(BaseModel):
    channel: str
    locale: str
    subject: str
    title: str
    body: str
    html: str
    overrides: str
    format: str
    layout: str

    @classmethod
    def of(cls, row: TemplateContent) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class CanaryView(BaseModel):
    """`percent` of the recipients get this version."""

    version: int
    percent: float

    @classmethod
    def of(cls, row: Template) -> Self | None:
        if row.canary is None or row.canary_percent is None:
            return None
        return cls(version=row.canary.number, percent=float(row.canary_percent))


class TemplateView(BaseModel):
    """`published` is the number of the version that is sent, null before the first."""

    id: UUID
    code: str
    name: str
    description: str
    category: str
    type: str
    channels: list[Entry]
    digest: DigestWish | None
    published: int | None
    canary: CanaryView | None
    created_at: dt.datetime
    archived_at: dt.datetime | None

    @classmethod
    def of(cls, row: Template) -> Self:
        plain = {name: getattr(row, name) for name in cls.model_fields.keys() - {"published", "canary"}}
        published = row.published.number if row.published else None
        return cls(**plain, published=published, canary=CanaryView.of(row))


class VersionSummary(BaseModel):
    """`variables` are the names that the data of a notification must hold. What is archived is still sent."""

    id: UUID
    number: int
    status: Literal["draft", "published", "archived"]
    variables: list[str]
    sample_data: dict[str, Any]
    created_at: dt.datetime
    published_at: dt.datetime | None
    archived_at: dt.datetime | None

    @classmethod
    def of(cls, row: TemplateVersion) -> Self:
        return cls(
            id=row.pk,
            number=row.number,
            status=row.status,
            variables=row.variables,
            sample_data=row.sample_data,
            created_at=row.created_at,
            published_at=row.published_at,
            archived_at=row.archived_at,
        )


class VersionView(VersionSummary):
    data_schema: dict[str, Any] | None = Field(serialization_alias="schema")
    contents: list[ContentView]

    @classmethod
    def of(cls, row: TemplateVersion) -> Self:
        contents = [ContentView.of(content) for content in row.contents.all()]
        return cls(**VersionSummary.of(row).model_dump(), data_schema=row.schema, contents=contents)
