"""A version that some recipients get before all do: begun, changed, and ended one way or the other."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from templates_app import catalog
from templates_app.history import TemplateRelease, record
from templates_app.models import Template, TemplateVersion
from templates_app.publishing import publish, seal
from templates_app.releasing import ReleaseError, locked, locked_version, refuse_archived, refuse_current

Act = TemplateRelease.Act


def start(version: TemplateVersion, percent: Decimal, *, by: str = "") -> Template:
    """Give `percent` of the recipients this version in place of the published one; again to change how many.

    `percent` is above 0 and at most 100, with two decimals. A draft is sealed by it, as by publishing. The
    canary of another version ends. Raises ReleaseError, InvalidTemplateError, InvalidSchemaError.
    """
    with transaction.atomic():
        template, version = locked_version(version)
        refuse_archived(version)
        refuse_current(template, version)
        if template.published_id is None:
            raise ReleaseError(
                "nothing_published", "Publish a version first: a canary is an exception from it."
            )
        if (template.canary_id, template.canary_percent) == (version.pk, percent):
            return template
        act = Act.CANARY_CHANGED if template.canary_id == version.pk else _replaced(template, by)
        seal(version)
        _set(template, version, percent)
        record(template, act, version=version, percent=percent, by=by)
    return template


def promote(template: Template, *, by: str = "") -> TemplateVersion:
    """Everybody gets the canary from now on. Raises ReleaseError."""
    with transaction.atomic():
        return publish(_running(locked(template.pk)), by=by)


def drop(template: Template, *, by: str = "") -> Template:
    """Everybody gets the published version again; what was accepted keeps the canary. Raises ReleaseError."""
    with transaction.atomic():
        template = locked(template.pk)
        _drop(template, _running(template), by)
        _set(template, None, None)
    return template


def _replaced(template: Template, by: str) -> Act:
    if template.canary is not None:
        _drop(template, template.canary, by)
    return Act.CANARY_STARTED


def _drop(template: Template, version: TemplateVersion, by: str) -> None:
    record(template, Act.CANARY_DROPPED, version=version, percent=template.canary_percent, by=by)


def _running(template: Template) -> TemplateVersion:
    if template.canary is None:
        raise ReleaseError("no_canary", "The template has no canary.")
    return template.canary


def _set(template: Template, version: TemplateVersion | None, percent: Decimal | None) -> None:
    template.canary, template.canary_percent = version, percent
    template.save(update_fields=["canary", "canary_percent"])
    transaction.on_commit(catalog.forget)
