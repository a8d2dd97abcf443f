"""A tenant's colour, made readable: WCAG 2.2 asks for 4.5 to 1 of text (1.4.3). Pure.

https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

from collections.abc import Sequence

ENOUGH = 4.5
_STEPS = 40


def readable(color: str, on: str) -> str:
    """The colour, or the nearest darker or lighter one that can be read on `on`; both as `#4f46e5`."""
    towards = "#000000" if luminance(on) > 0.18 else "#ffffff"
    for step in range(_STEPS + 1):
        mixed = _mixed(color, towards, step / _STEPS)
        if contrast(mixed, on) >= ENOUGH:
            return mixed
    return towards


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    """From 0, black, to 1, white: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    red, green, blue = (_linear(part / 255) for part in _parts(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _mixed(color: str, towards: str, share: float) -> str:
    pairs = zip(_parts(color), _parts(towards), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in pairs)


def _parts(color: str) -> Sequence[int]:
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
