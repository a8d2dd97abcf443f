"""What a tenant's contents are put together from, as it stands now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from templates_app.house_style import Brand, Layout, Partial
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Frame:
    """A layout: its source, in `format` html or mjml."""

    format: str
    source: str


@dataclass(frozen=True, slots=True)
class Kit:
    """Layouts and partials by their codes; `default` is the layout of mails that name none, or empty."""

    layouts: Mapping[str, Frame] = field(default_factory=dict)
    default: str = ""
    partials: Mapping[str, str] = field(default_factory=dict)
    brand: Mapping[str, str] = field(default_factory=dict)

    def hash_of(self, ingredient: str) -> str:
        """Of `layout:<code>`, `partial:<code>` or `brand`, as it is; empty where it is no more."""
        kind, _, code = ingredient.partition(":")
        match kind:
            case "layout" if code in self.layouts:
                frame = self.layouts[code]
                return _hash(f"{frame.format} {frame.source}".encode())
            case "partial" if code in self.partials:
                return _hash(self.partials[code].encode())
            case "brand":
                return _hash(orjson.dumps(self.brand, option=orjson.OPT_SORT_KEYS))
        return ""


EMPTY = Kit(brand=dict.fromkeys(Brand.FIELDS, ""))


def kit_of(tenant: Tenant) -> Kit:
    """Three queries, inside the tenant's scope."""
    layouts = list(Layout.objects.filter(tenant=tenant))
    return Kit(
        layouts={row.code: Frame(row.format, row.source) for row in layouts},
        default=next((row.code for row in layouts if row.is_default), ""),
        partials=dict(Partial.objects.filter(tenant=tenant).values_list("code", "source")),
        brand=Brand.of(tenant).words(),
    )


def _hash(said: bytes) -> str:
    return hashlib.sha256(said).hexdigest()[:16]
