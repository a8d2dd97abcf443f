"""Forms that take what the API takes: the same checks, the same spelling, errors on the field they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from pydantic import BaseModel, ValidationError
from unfold.widgets import UnfoldAdminSelectWidget

from preferences import phones
from preferences.channels import CHANNELS


def channel_field(**options: Any) -> forms.ChoiceField:
    choices = [("", "Select a channel"), *((channel, channel) for channel in CHANNELS)]
    return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget(choices=choices), **options)


def add_errors(form: forms.BaseForm, error: ValidationError, names: Mapping[str, str] | None = None) -> None:
    """Put each of pydantic's errors on its field; `names` are the form's own names for the model's."""
    for item in error.errors(include_url=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        name = (names or {}).get(name, name)
        form.add_error(name if name in form.fields else None, item["msg"])


def validated(
    form: forms.BaseForm, model: type[BaseModel], given: dict[str, Any], **names: str
) -> dict[str, Any]:
    """What `model` makes of the fields that were given; with errors on the form, nothing."""
    try:
        checked = model.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        add_errors(form, error, names)
        return {}
    return {name: getattr(checked, name) for name in given}


def normalized_phone(form: forms.BaseForm, field: str, number: str, country: str) -> str:
    spelled = phones.e164(number, country)
    if spelled is None:
        form.add_error(field, "This is not a phone number.")
    return spelled or number
