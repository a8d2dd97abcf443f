"""The life of a version: draft, then published, then never changed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from templates_app import catalog
from templates_app.diffing import Wording
from templates_app.history import TemplateRelease, record
from templates_app.inspection import Draft, InvalidTemplateError, inspect
from templates_app.kit import kit_of
from templates_app.models import PublishedVersionError, Template, TemplateContent, TemplateVersion
from templates_app.proofreading import Subject, unsendable
from templates_app.releasing import locked_version, refuse_archived
from templates_app.schemas import InvalidSchemaError, refuse_unsound
from templates_app.variables import misfits


def save_draft(
    template: Template,
    contents: Sequence[Draft],
    sample_data: Mapping[str, Any],
    *,
    schema: Mapping[str, Any] | None = None,
    number: int | None = None,
) -> TemplateVersion:
    """A new version, or with `number` the draft of that number rewritten.

    Raises InvalidTemplateError when a part does not compile or is too expensive, InvalidSchemaError when the
    schema is none (sample data may still be incomplete), PublishedVersionError when that version is
    published, TemplateVersion.DoesNotExist.
    """
    if schema is not None:
        refuse_unsound(schema)
    findings = inspect(contents, sample_data, kit_of(template.tenant))
    if errors := [error for error in findings.errors if error.code != "missing_variable"]:
        raise InvalidTemplateError(errors)
    with transaction.atomic():
        version = _new_version(template) if number is None else _open_draft(template, number)
        version.sample_data, version.variables = dict(sample_data), findings.variables
        version.schema = None if schema is None else dict(schema)
        version.save()
        version.contents.all().delete()
        TemplateContent.objects.bulk_create(_content(version, draft) for draft in contents)
    return version


def publish(version: TemplateVersion, *, by: str = "") -> TemplateVersion:
    """Make a version what is sent from now on. Of one that was published before, that is the rollback.

    Raises InvalidTemplateError and InvalidSchemaError, for every part must compile and render with the sample
    data, and they must fit the schema; ReleaseError when it is archived. The current one again is no act.
    """
    with transaction.atomic():
        template, version = locked_version(version)
        refuse_archived(version)
        if template.published_id == version.pk:
            return version
        act = _act(template, version)
        seal(version)
        template.published = version
        if template.canary_id == version.pk:
            template.canary = template.canary_percent = None
        template.save(update_fields=["published", "canary", "canary_percent"])
        record(template, act, version=version, by=by)
        transaction.on_commit(catalog.forget)
    return version


def _act(template: Template, version: TemplateVersion) -> TemplateRelease.Act:
    if template.canary_id == version.pk:
        return TemplateRelease.Act.CANARY_PROMOTED
    if template.published is not None and version.number < template.published.number:
        return TemplateRelease.Act.ROLLED_BACK
    return TemplateRelease.Act.PUBLISHED


def wording_of(version: TemplateVersion) -> Wording:
    return Wording(drafts_of(version), version.schema, version.sample_data)


def drafts_of(version: TemplateVersion) -> list[Draft]:
    return [row.draft() for row in version.contents.all()]


def seal(version: TemplateVersion) -> None:
    """From now on it never changes, if it is sound. One that is sealed stays so."""
    if version.published_at is not None:
        return
    contents = list(version.contents.all())
    drafts = [row.draft() for row in contents]
    findings = inspect(drafts, version.sample_data, kit_of(version.tenant))
    if errors := findings.errors or unsendable(Subject.of(version, drafts)):
        raise InvalidTemplateError(errors)
    if version.schema is not None and (unfit := misfits(version.schema, version.sample_data)):
        raise InvalidSchemaError(unfit)
    for content, made in zip(contents, findings.finished, strict=True):
        content.compiled, content.made_of = dict(made.sources), dict(made.made_of)
    TemplateContent.objects.bulk_update(contents, ["compiled", "made_of"])
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
