"""Form fields that are small tables: a JSON document with an input for each of its values.

A table has fixed rows, each with a name, or as many as there are and some blank ones. It needs no script.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from pydantic import BaseModel
from pydantic import ValidationError as Flaws
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

_SPARE = 2
"""Blank rows at the end of a table that grows."""


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    widget: forms.Widget


def text(placeholder: str = "", **attrs: str) -> forms.Widget:
    widget: forms.Widget = UnfoldAdminTextInputWidget({"placeholder": placeholder, **attrs})
    return widget


def number(placeholder: str = "") -> forms.Widget:
    widget: forms.Widget = UnfoldAdminIntegerFieldWidget({"placeholder": placeholder, "min": "0"})
    return widget


def choice(choices: Collection[tuple[str, str]]) -> forms.Widget:
    widget: forms.Widget = UnfoldAdminSelectWidget(choices=choices)
    return widget


def tick() -> forms.Widget:
    widget: forms.Widget = UnfoldBooleanWidget()
    return widget


class Chips(forms.CheckboxSelectMultiple):
    """Several of a few short words, side by side."""

    template_name = "tenants/admin/chips.html"


class Rows(list[dict[str, Any]]):
    """What was typed: values by column, of fixed rows in their order."""


class TableWidget(forms.Widget):
    template_name = "tenants/admin/table.html"
    use_fieldset = True

    def __init__(self, columns: Mapping[str, Column], heads: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.columns, self.heads = columns, heads

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        labels = [column.label for column in self.columns.values()]
        rows = list(self._rows(name, value or Rows()))
        context["widget"] |= {"labels": labels, "rows": rows, "has_heads": self.heads is not None}
        return context

    def format_value(self, value: Any) -> Any:
        return value

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Rows:
        found = Rows()
        for place in self._places(data, name):
            of_row = ((key, f"{name}-{place}-{key}") for key in self.columns)
            cells = ((key, self.columns[key].widget, given) for key, given in of_row)
            found.append(
                {key: widget.value_from_datadict(data, files, given) for key, widget, given in cells}
            )
        return found

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}-") for key in data)

    def _places(self, data: Any, name: str) -> Iterator[str]:
        """How the rows are called in the names of their inputs; a row without any ends those that grow."""
        if self.heads is not None:
            yield from self.heads
            return
        given, place = {key.rpartition("-")[0] for key in data}, 0
        while f"{name}-{place}" in given:
            yield str(place)
            place += 1

    def _rows(self, name: str, rows: Rows) -> Iterator[dict[str, Any]]:
        if self.heads is None:
            rows = Rows(row for row in rows if any(row.values()))
            places = {str(place): "" for place in range(len(rows) + _SPARE)}
        else:
            places = dict(self.heads)
        for number, (place, head) in enumerate(places.items()):
            values = rows[number] if number < len(rows) else {}
            yield {"head": head, "cells": list(self._cells(f"{name}-{place}", head, values))}

    def _cells(self, name: str, head: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for key, column in self.columns.items():
            attrs = {"aria-label": f"{head} {column.label}".strip(), "id": f"id_{name}-{key}"}
            cell: dict[str, Any] = column.widget.get_context(f"{name}-{key}", values.get(key), attrs)
            yield cell["widget"] | {"label": column.label}


class TableField(forms.Field):
    """`rows` shows a document that is stored, `document` makes one of what was typed or raises.

    `heads`: the names of fixed rows, with what they are called.
    """

    columns: Mapping[str, Column]
    heads: Mapping[str, str] | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=TableWidget(self.columns, self.heads), required=False, **options)

    def rows(self, document: Any) -> Rows:
        raise NotImplementedError

    def document(self, rows: Rows) -> Any:
        raise NotImplementedError

    def prepare_value(self, value: Any) -> Rows:
        return value if isinstance(value, Rows) else self.rows(value)

    def clean(self, value: Any) -> Any:
        return self.document(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.document(data) != self.document(self.prepare_value(initial)))
        except ValidationError:
            return True


def checked(
    model: type[BaseModel], document: Mapping[str, Any], about: str = "", *, shape: str = ""
) -> dict[str, Any]:
    """The document as the model has it, without what it does not say; or its flaws, as a form's.

    `shape` is how texts are written for which the model has a pattern: nobody should have to read that.
    """
    try:
        return model.model_validate(document).model_dump(exclude_none=True)
    except Flaws as flaws:
        found = flaws.errors(include_url=False, include_input=False)
        said = (
            shape if item["type"] == "string_pattern_mismatch" and shape else item["msg"] for item in found
        )
        raise ValidationError(
            [_flaw(about, item["loc"], words) for item, words in zip(found, said, strict=True)]
        ) from None


def _flaw(about: str, place: tuple[int | str, ...], said: str) -> str:
    words = [about, *(f"row {part + 1}" if isinstance(part, int) else part for part in place)]
    where = ", ".join(word for word in words if word and word != "windows")
    return f"{where}: {said}" if where else said
