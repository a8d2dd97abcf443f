"""The words of a draft as forms: judged together, so that each error stands at the part it is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from pydantic import TypeAdapter, ValidationError
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from templates_app.bodies import Locale
from templates_app.channels import PARTS, missing_parts
from templates_app.engine import PARTS as ALL_PARTS
from templates_app.inspection import Draft, inspect
from templates_app.kit import kit_of
from templates_app.models import TemplateContent, TemplateVersion
from templates_app.proofreading import Subject, unsendable
from templates_app.schemas import faults
from templates_app.variables import misfits
from tenants.admin.base import InlineFormSet, ModelForm
from tenants.problems import FieldError

PUBLISH = "templates_app_templateversion_save_and_publish"
"""The name of the button that saves and publishes: such a form is judged by its sample data too."""

_LOCALE: TypeAdapter[str] = TypeAdapter(Locale)
_CHANNELS = [("", "Select a channel"), *((channel, channel) for channel in PARTS)]
_SOURCE = {"spellcheck": "false", "class": "c-source"}


class ReadableJSON(forms.JSONField):
    def prepare_value(self, value: Any) -> Any:
        """Indented; what was typed and is no JSON comes back as it was typed, and nothing as nothing."""
        if value is None:
            return ""
        return value if isinstance(value, str) else readable(value)


def readable(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


class VersionForm(ModelForm[TemplateVersion]):
    sample_data = ReadableJSON(
        required=False,
        widget=UnfoldAdminTextareaWidget({**_SOURCE, "rows": 10}),
        help_text="What a request might send as data. Previews use it, and publishing needs it complete.",
    )

    schema = ReadableJSON(
        required=False,
        widget=UnfoldAdminTextareaWidget({**_SOURCE, "rows": 10}),
        help_text="What the data must be like: a JSON Schema, draft 2020-12. Requests that do not fit are "
        "refused. Empty: every name that the words use must be there, and may be anything.",
    )

    def clean_schema(self) -> Any:
        schema = self.cleaned_data["schema"] or None
        if schema is not None and (errors := faults(schema)):
            raise forms.ValidationError([_told(error, "/schema") for error in errors])
        return schema

    def clean(self) -> dict[str, Any]:
        """To publish, the sample data must fit the schema."""
        cleaned = super().clean() or self.cleaned_data
        schema = cleaned.get("schema")
        if PUBLISH in self.data and schema and "sample_data" in cleaned:
            for unfit in misfits(schema, cleaned["sample_data"]):
                self.add_error("sample_data", _told(unfit, "/sample_data"))
        return cleaned

    def clean_sample_data(self) -> dict[str, Any]:
        data = self.cleaned_data["sample_data"] or {}
        if not isinstance(data, dict):
            raise forms.ValidationError("Sample data is a JSON object.")
        return data


def _told(error: FieldError, field: str) -> str:
    """With its place within the field."""
    place = error.pointer.removeprefix(field)
    return f"{place}: {error.detail}" if place else error.detail


class ContentForm(ModelForm[TemplateContent]):
    channel = forms.ChoiceField(
        choices=_CHANNELS,
        widget=UnfoldAdminSelectWidget({"data-parts": json.dumps(PARTS)}, choices=_CHANNELS),
    )
    subject = forms.CharField(required=False, widget=UnfoldAdminExpandableTextareaWidget({**_SOURCE}))
    title = forms.CharField(required=False, widget=UnfoldAdminExpandableTextareaWidget({**_SOURCE}))
    body = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({**_SOURCE, "rows": 6}))
    html = forms.CharField(
        required=False, label="HTML", widget=UnfoldAdminTextareaWidget({**_SOURCE, "rows": 14})
    )
    format = forms.ChoiceField(
        choices=TemplateContent.Format.choices,
        required=False,
        initial=TemplateContent.Format.HTML,
        label="HTML is written in",
        widget=UnfoldAdminSelectWidget(choices=TemplateContent.Format.choices),
    )
    overrides = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({**_SOURCE, "rows": 8}),
        help_text='JSON for what the channel takes besides words, e.g. {"tags": [{{ order }}]}. '
        "Values are quoted by themselves.",
    )

    def clean_locale(self) -> str:
        try:
            return _LOCALE.validate_python(self.cleaned_data["locale"])
        except ValidationError:
            raise forms.ValidationError("This is not a BCP 47 language tag such as pt-BR.") from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned |= {part: cleaned.get(part, "").replace("\r\n", "\n") for part in ALL_PARTS}
        channel = cleaned.get("channel")
        if channel:
            given = {part for part in ALL_PARTS if cleaned[part]}
            for part in given - set(PARTS[channel]):
                self.add_error(part, f"A message by {channel} has no {part}.")
            for missing in missing_parts(channel, given):
                self.add_error(missing.partition(" ")[0], f"A message by {channel} needs {missing}.")
        return cleaned

    def draft(self) -> Draft:
        sources = {part: self.cleaned_data[part] for part in ALL_PARTS if self.cleaned_data[part]}
        said = self.cleaned_data
        return Draft(said["channel"], said["locale"], sources, said["format"] or "html", said["layout"])


class ContentFormSet(InlineFormSet[TemplateContent, TemplateVersion, ContentForm]):
    def clean(self) -> None:
        super().clean()
        kept = self.kept()
        for judge in (self._refuse_doubles, self._refuse_what_fails):
            if not any(form.errors for form in kept):
                judge(kept)

    def kept(self) -> list[ContentForm]:
        """The forms that say something and are not to be deleted."""
        said = [form for form in self.forms if form in self.initial_forms or form.has_changed()]
        return [form for form in said if not self._should_delete_form(form)]  # type: ignore[attr-defined]  # Django's

    def drafts(self) -> list[Draft]:
        return [form.draft() for form in self.kept()]

    def _refuse_doubles(self, kept: Sequence[ContentForm]) -> None:
        seen: set[tuple[str, str]] = set()
        for form in kept:
            place = (form.cleaned_data["channel"], form.cleaned_data["locale"].lower())
            if place in seen:
                form.add_error("locale", f"There are words for {place[0]} in this locale already.")
            seen.add(place)

    def _refuse_what_fails(self, kept: Sequence[ContentForm]) -> None:
        """Compile every part and render it; a draft may still lack sample data."""
        publishing = PUBLISH in self.data
        version = self.instance
        drafts = [form.draft() for form in kept]
        errors = inspect(drafts, version.sample_data, kit_of(version.tenant)).errors
        if publishing and not errors:
            errors = unsendable(Subject.of(version, drafts))
        for error in errors:
            if publishing or error.code != "missing_variable":
                where = f"Line {error.line}: " if error.line else ""
                kept[error.index].add_error(error.part, f"{where}{error.message}")
        if publishing and not kept:
            raise forms.ValidationError("There is nothing to publish: add words for a channel.")
