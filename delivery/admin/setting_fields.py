"""Form fields made from a provider's Settings model, so that a new provider needs no form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from django import forms
from django.utils.html import escape
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from unfold import widgets

from delivery.providers.base import ProviderSettings

PREFIX = "setting_"
"""Before a setting's name, lest it be taken for a column of the account."""
FORGET = "forget_"
"""Before the name of an optional secret: the checkbox that drops it."""

_PLAIN: dict[Any, tuple[type[forms.Field], Any]] = {
    bool: (forms.BooleanField, widgets.UnfoldBooleanSwitchWidget),
    int: (forms.IntegerField, widgets.UnfoldAdminIntegerFieldWidget),
    float: (forms.FloatField, widgets.UnfoldAdminDecimalFieldWidget),
}
_CHOICES = re.compile(r"\^\((\w+(?:\|\w+)+)\)\$")


def setting_fields(
    model: type[ProviderSettings], values: Mapping[str, Any], kept: set[str]
) -> dict[str, forms.Field]:
    """A field a setting. `values` are shown; `kept` names the secrets that are there and are not.

    What they hold is for the model to judge: its errors are put on the fields.
    """
    fields: dict[str, forms.Field] = {}
    for name, info in model.model_fields.items():
        shown = values.get(name, None if info.default is PydanticUndefined else info.default)
        fields[PREFIX + name] = _field(name, info, shown, is_kept=name in kept)
        if name in kept and not info.is_required():
            fields[FORGET + name] = forms.BooleanField(
                required=False,
                label=f"Forget the {_label(name, info).lower()} that is kept",
                widget=widgets.UnfoldBooleanSwitchWidget(),
            )
    return fields


def given_settings(model: type[ProviderSettings], cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says, for the model to judge: an empty field says nothing."""
    given: dict[str, Any] = {}
    for name in model.model_fields:
        value = cleaned.get(PREFIX + name)
        if value not in (None, ""):
            given[name] = value
        elif cleaned.get(FORGET + name):
            given[name] = None
    return given


def _field(name: str, info: FieldInfo, shown: Any, *, is_kept: bool) -> forms.Field:
    kind = _kind(info)
    options: dict[str, Any] = {"label": _label(name, info), "help_text": escape(info.description or "")}
    if kind is SecretStr:
        return _secret(options, is_required=info.is_required(), is_kept=is_kept)
    options |= {"required": info.is_required(), "initial": shown}
    if choices := _choices(info, kind):
        return forms.ChoiceField(choices=choices, widget=widgets.UnfoldAdminSelectWidget(), **options)
    if kind in _PLAIN:
        field, widget = _PLAIN[kind]
        return field(widget=widget(_bounds(info)), **options)
    if (get_origin(kind) or kind) in (list, dict):
        return forms.JSONField(widget=widgets.UnfoldAdminTextareaWidget(), **options)
    default = "" if info.is_required() else str(info.default or "")
    return forms.CharField(widget=widgets.UnfoldAdminTextInputWidget({"placeholder": default}), **options)


def _secret(options: dict[str, Any], *, is_required: bool, is_kept: bool) -> forms.Field:
    """Empty whatever is stored; the browser is asked not to fill it in."""
    hint = "kept; type to replace it" if is_kept else ""
    widget = widgets.UnfoldAdminPasswordWidget({"autocomplete": "new-password", "placeholder": hint})
    return forms.CharField(required=is_required and not is_kept, strip=False, widget=widget, **options)


def _label(name: str, info: FieldInfo) -> str:
    return info.title or name.replace("_", " ").capitalize()


def _kind(info: FieldInfo) -> Any:
    """The type behind `X | None`."""
    kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType]
    is_optional = len(kinds) == 1 and NoneType in get_args(info.annotation)
    return kinds[0] if is_optional else info.annotation


def _choices(info: FieldInfo, kind: Any) -> list[tuple[str, str]]:
    """Of a Literal, or of a pattern that is nothing but a choice of words."""
    words: list[str] = list(get_args(kind)) if get_origin(kind) is Literal else []
    for pattern in _constraints(info, "pattern"):
        found = _CHOICES.fullmatch(pattern)
        words = found[1].split("|") if found else words
    is_open = words and (info.is_required() or info.default in (None, ""))
    return [("", "Select value")] * bool(is_open) + [(word, word) for word in words]


def _bounds(info: FieldInfo) -> dict[str, Any]:
    bounds = {"min": [*_constraints(info, "ge")], "max": [*_constraints(info, "le")]}
    return {side: values[0] for side, values in bounds.items() if values}


def _constraints(info: FieldInfo, name: str) -> Iterator[Any]:
    return (value for item in info.metadata if (value := getattr(item, name, None)) is not None)
