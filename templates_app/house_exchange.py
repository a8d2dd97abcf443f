"""Between a tenant's layouts, partials and brand and their files: what is written, taken in and refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from templates_app.folders import FileError
from templates_app.house_bodies import BrandChange, NewLayout, NewPartial
from templates_app.house_folders import BRAND, LAYOUTS, PARTIALS, House
from templates_app.house_style import Brand, Layout, Partial
from templates_app.kit import Frame, Kit
from templates_app.soundness import layout_error, partial_error
from templates_app.workshop import RenderError
from tenants.models import Tenant

Deed = Literal["created", "changed", "left"]
Body = TypeVar("Body", bound=BaseModel)


def house_of(tenant: Tenant) -> House:
    """As it stands. Within the tenant's scope."""
    brand = Brand.objects.filter(tenant=tenant).first()
    return House(
        {row.code: _as(NewLayout, row) for row in Layout.objects.filter(tenant=tenant)},
        {row.code: _as(NewPartial, row) for row in Partial.objects.filter(tenant=tenant)},
        None if brand is None else _as(BrandChange, brand),
    )


def _as(body: type[Body], row: Any) -> Body:
    return body.model_construct(**{name: getattr(row, name) for name in body.model_fields})


def with_house(kit: Kit, house: House, tenant: Tenant) -> Kit:
    """What contents will be put together from, once the house has been taken in."""
    default = next((one.code for one in house.layouts.values() if one.is_default), kit.default)
    said = {} if house.brand is None else house.brand.model_dump(exclude_unset=True)
    brand = {**kit.brand, **said}
    return replace(
        kit,
        layouts={**kit.layouts, **{c: Frame(one.format, one.source) for c, one in house.layouts.items()}},
        default="" if default in house.layouts and not house.layouts[default].is_default else default,
        partials={**kit.partials, **{code: one.source for code, one in house.partials.items()}},
        brand=brand | {"name": brand["name"] or tenant.name},
    )


def unsound(house: House, kit: Kit) -> Iterator[FileError]:
    """What cannot be used. `kit` holds all of them."""
    for partial in house.partials.values():
        error = partial_error(partial.code, partial.source, kit)
        yield from _told(f"{PARTIALS}/{partial.code}.jinja", error)
    for layout in house.layouts.values():
        error = layout_error(layout.code, Frame(layout.format, layout.source), kit)
        yield from _told(f"{LAYOUTS}/{layout.code}.{layout.format}", error)


def _told(path: str, error: RenderError | None) -> Iterator[FileError]:
    if error is not None:
        yield FileError(path, error.message, error.line)


def take(tenant: Tenant, house: House) -> Iterator[tuple[str, Deed]]:
    """Make it the tenant's; what is not in it is left. Each piece, and `created`, `changed` or `left`."""
    for layout in sorted(house.layouts.values(), key=lambda one: one.is_default):  # one default at a time
        yield f"{LAYOUTS}/{layout.code}", _put(Layout, tenant, layout)
    for partial in house.partials.values():
        yield f"{PARTIALS}/{partial.code}", _put(Partial, tenant, partial)
    if house.brand is not None:
        known = Brand.objects.filter(tenant=tenant).first()
        yield BRAND, _set(known or Brand(tenant=tenant), house.brand, is_new=known is None)


def _put(model: type[Layout | Partial], tenant: Tenant, wanted: NewLayout | NewPartial) -> Deed:
    known = model.objects.filter(tenant=tenant, code=wanted.code).first()
    return _set(known or model(tenant=tenant), wanted, is_new=known is None)


def _set(row: Layout | Partial | Brand, wanted: BaseModel, *, is_new: bool) -> Deed:
    said = wanted.model_dump(exclude_unset=isinstance(wanted, BrandChange))
    if not is_new and all(getattr(row, name) == value for name, value in said.items()):
        return "left"
    for name, value in said.items():
        setattr(row, name, value)
    row.save()
    return "created" if is_new else "changed"
