"""What is no longer offered, but goes on to be sent where it was pinned; and its way back."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from templates_app import catalog
from templates_app.history import TemplateRelease, record
from templates_app.models import Template, TemplateVersion
from templates_app.releasing import ReleaseError, locked, locked_version, refuse_current

Act = TemplateRelease.Act


def archive(template: Template, *, by: str = "") -> Template:
    """It can no longer be sent, what was accepted before still is, and its code is free for another."""
    with transaction.atomic():
        template = locked(template.pk)
        if template.archived_at is None:
            template.archived_at = timezone.now()
            _save(template, Act.ARCHIVED, by)
    return template


def restore(template: Template, *, by: str = "") -> Template:
    """It can be sent again as it was. Raises ReleaseError when another has taken its code."""
    with transaction.atomic():
        template = locked(template.pk)
        if template.archived_at is not None:
            template.archived_at = None
            _save(template, Act.RESTORED, by)
    return template


def archive_version(version: TemplateVersion, *, by: str = "") -> TemplateVersion:
    """It is not to be published any more; requests that name its number still get it.

    Raises ReleaseError for the version that is sent, or is tried as a canary.
    """
    with transaction.atomic():
        template, version = locked_version(version)
        refuse_current(template, version)
        if template.canary_id == version.pk:
            raise ReleaseError("version_in_canary", "It is tried as a canary: drop that first.")
        if version.archived_at is None:
            version.archived_at = timezone.now()
            _save_version(template, version, Act.VERSION_ARCHIVED, by)
    return version


def restore_version(version: TemplateVersion, *, by: str = "") -> TemplateVersion:
    with transaction.atomic():
        template, version = locked_version(version)
        if version.archived_at is not None:
            version.archived_at = None
            _save_version(template, version, Act.VERSION_RESTORED, by)
    return version


def _save(template: Template, act: Act, by: str) -> None:
    try:
        with transaction.atomic():
            template.save(update_fields=["archived_at"])
    except IntegrityError:
        raise ReleaseError(
            "template_exists", f"Another template has the code {template.code!r} now."
        ) from None
    record(template, act, by=by)
    transaction.on_commit(catalog.forget)


def _save_version(template: Template, version: TemplateVersion, act: Act, by: str) -> None:
    """By a statement: `save` refuses published versions, of which this is the one thing that may change."""
    TemplateVersion.objects.filter(pk=version.pk).update(archived_at=version.archived_at)
    record(template, act, version=version, by=by)
