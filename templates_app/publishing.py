"""The life of a version: draft, then published, then never changed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from templates_app import catalog
from templates_app.inspection import Draft, InvalidTemplateError, inspect
from templates_app.models import PublishedVersionError, Template, TemplateContent, TemplateVersion


def save_draft(
    template: Template,
    contents: Sequence[Draft],
    sample_data: Mapping[str, Any],
    *,
    number: int | None = None,
) -> TemplateVersion:
    """A new version, or with `number` the draft of that number rewritten.

    Raises InvalidTemplateError when a part does not compile or is too expensive (sample data may still be
    incomplete), PublishedVersionError when that version is published, TemplateVersion.DoesNotExist.
    """
    findings = inspect(contents, sample_data)
    if errors := [error for error in findings.errors if error.code != "missing_variable"]:
        raise InvalidTemplateError(errors)
    with transaction.atomic():
        version = _new_version(template) if number is None else _open_draft(template, number)
        version.sample_data, version.variables = dict(sample_data), findings.variables
        version.save()
        version.contents.all().delete()
        TemplateContent.objects.bulk_create(_content(version, draft) for draft in contents)
    return version


def publish(version: TemplateVersion) -> TemplateVersion:
    """Make a draft what is sent from now on; a version that was published before becomes so again.

    Raises InvalidTemplateError: every part must compile and render with the version's sample data.
    """
    with transaction.atomic():
        template = Template.objects.select_for_update().get(pk=version.template_id)
        version = TemplateVersion.objects.select_for_update().get(pk=version.pk)
        if version.published_at is None:
            _seal(version)
        template.published = version
        template.save(update_fields=["published"])
        transaction.on_commit(catalog.forget)
    return version


def drafts_of(version: TemplateVersion) -> list[Draft]:
    rows = version.contents.all()
    return [Draft(row.channel, row.locale, row.sources(), row.format, row.layout) for row in rows]


def _seal(version: TemplateVersion) -> None:
    findings = inspect(drafts_of(version), version.sample_data)
    if findings.errors:
        raise InvalidTemplateError(findings.errors)
    version.variables, version.published_at = findings.variables, timezone.now()
    version.save(update_fields=["variables", "published_at"])


def _new_version(template: Template) -> TemplateVersion:
    Template.objects.select_for_update().get(
        pk=template.pk
    )  # one after the other, so that numbers are unique
    last = template.versions.aggregate(last=Max("number"))["last"] or 0
    return TemplateVersion(tenant_id=template.tenant_id, template=template, number=last + 1)


def _open_draft(template: Template, number: int) -> TemplateVersion:
    version = template.versions.select_for_update().get(number=number)
    if version.published_at is not None:
        raise PublishedVersionError
    return version


def _content(version: TemplateVersion, draft: Draft) -> TemplateContent:
    place = {"tenant_id": version.tenant_id, "version": version}
    said = {"channel": draft.channel, "locale": draft.locale, "format": draft.format, "layout": draft.layout}
    return TemplateContent(**place, **said, **draft.sources)
