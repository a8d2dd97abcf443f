"""What the endpoints of layouts, partials and the brand take and give."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, StringConstraints, model_validator

from templates_app.bodies import Code, Name, Source
from templates_app.house_style import NO_LAYOUT, Layout, Partial
from templates_app.renewing import Renewal, Use
from tenants.parsing import RequestModel

Format = Literal["html", "mjml"]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("This is not an http or https URL.")
    return value


def _not_reserved(value: str) -> str:
    if value == NO_LAYOUT:
        raise ValueError(f'"{NO_LAYOUT}" is what a content says to have no layout.')
    return value


WebAddress = Annotated[str, StringConstraints(max_length=200), AfterValidator(_web_address)]
LayoutCode = Annotated[Code, AfterValidator(_not_reserved)]
Written = Annotated[Source, StringConstraints(min_length=1)]


class _Change(RequestModel):
    """What is left out stays as it is."""

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        if nulls := [name for name in self.model_fields_set if getattr(self, name) is None]:
            raise ValueError(f"{', '.join(sorted(nulls))}: null is not a value.")
        return self


class NewLayout(RequestModel):
    """`{{ content }}` in the source is where the content goes. `is_default`: for mails that name none."""

    code: LayoutCode
    name: Name
    format: Format = "html"
    source: Written
    is_default: bool = False


class LayoutChange(_Change):
    """The code never changes: contents name the layout by it."""

    name: Name | None = None
    format: Format | None = None
    source: Written | None = None
    is_default: bool | None = None


class NewPartial(RequestModel):
    """Used by `{% include "code" %}` in any part."""

    code: Code
    name: Name
    source: Written


class PartialChange(_Change):
    name: Name | None = None
    source: Written | None = None


class BrandChange(_Change):
    """What `brand.*` stands for in every part of every template."""

    name: Annotated[str, StringConstraints(max_length=200)] | None = None
    website: WebAddress | None = None
    logo_url: WebAddress | None = None
    postal_address: Annotated[str, StringConstraints(max_length=1000)] | None = None
    primary_color: Color | None = None
    background_color: Color | None = None
    text_color: Color | None = None


class UseView(BaseModel):
    """A template whose published version is made of it; not current when it has changed since."""

    template: str
    version: int
    is_current: bool

    @classmethod
    def of(cls, use: Use) -> Self:
        version = use.version
        return cls(template=version.template.code, version=version.number, is_current=use.is_current)


class LayoutView(BaseModel):
    code: str
    name: str
    format: Format
    source: str
    is_default: bool
    created_at: dt.datetime
    changed_at: dt.datetime

    @classmethod
    def of(cls, row: Layout) -> Self:
        return cls(**{name: getattr(row, name) for name in LayoutView.model_fields})


class LayoutDetail(LayoutView):
    used_by: list[UseView]


class PartialView(BaseModel):
    code: str
    name: str
    source: str
    created_at: dt.datetime
    changed_at: dt.datetime

    @classmethod
    def of(cls, row: Partial) -> Self:
        return cls(**{name: getattr(row, name) for name in PartialView.model_fields})


class PartialDetail(PartialView):
    used_by: list[UseView]


class BrandView(BaseModel):
    """As templates know it, with what stands in where the tenant says nothing."""

    name: str
    website: str
    logo_url: str
    postal_address: str
    primary_color: str
    background_color: str
    text_color: str


class BrandDetail(BrandView):
    used_by: list[UseView]


class RenewedView(BaseModel):
    template: str
    version: int


class RefusedView(BaseModel):
    template: str
    detail: str


class RenewalView(BaseModel):
    """The versions that were published, and the templates that stay as they are, with the reason."""

    published: list[RenewedView]
    refused: list[RefusedView]

    @classmethod
    def of(cls, renewal: Renewal) -> Self:
        return cls(
            published=[RenewedView(template=v.template.code, version=v.number) for v in renewal.made],
            refused=[RefusedView(template=v.template.code, detail=str(e)) for v, e in renewal.refused],
        )
