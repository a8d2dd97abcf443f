"""A schema to begin with: the names that a wording needs, and what the sample data show of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from templates_app.schemas import DIALECT, faults

_DEPTHS = (6, 2, 1, 0)  # how far into the sample, the first whose schema is not too large
_TYPES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "boolean"),  # before numbers: a bool is an int to Python
    ((int, float), "number"),
    (str, "string"),
)


def inferred(names: Sequence[str], sample_data: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed is required; what the sample does not show may be anything; more than both is allowed.

    A whole number in a sample says "number": the next total has cents.
    """
    shapes = (_shape(names, sample_data, depth) for depth in _DEPTHS)
    return next((shape for shape in shapes if not faults(shape)), {"$schema": DIALECT, "type": "object"})


def _shape(names: Sequence[str], sample_data: Mapping[str, Any], depth: int) -> dict[str, Any]:
    known = sorted({*names, *sample_data})
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": sorted(names),
        "properties": {n: _seen(sample_data[n], depth) if n in sample_data else {} for n in known},
    }


def _seen(value: Any, depth: int) -> dict[str, Any]:
    if depth == 0 or value is None:
        return {}
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: _seen(one, depth - 1) for name, one in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": _common([_seen(one, depth - 1) for one in value])}
    return {"type": next(name for kind, name in _TYPES if isinstance(value, kind))}


def _common(shapes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all elements have in common: their type, and of objects the properties that agree."""
    if not shapes or len({shape.get("type") for shape in shapes}) > 1:
        return {}
    first = shapes[0]
    if first.get("type") == "array":
        return {"type": "array", "items": _common([shape["items"] for shape in shapes])}
    if first.get("type") != "object":
        return first
    names = sorted({name for shape in shapes for name in shape["properties"]})
    seen = {name: [s["properties"][name] for s in shapes if name in s["properties"]] for name in names}
    return {"type": "object", "properties": {name: _common(found) for name, found in seen.items()}}
