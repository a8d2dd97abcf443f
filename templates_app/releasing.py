"""What all acts on a template's versions have in common: they are done to locked rows, or refused."""

from __future__ import annotations

from uuid import UUID

from templates_app.models import Template, TemplateVersion


class ReleaseError(Exception):
    """What a template or version does not allow in its state. Nothing was changed.

    `code`: version_archived, version_current, version_in_canary, nothing_published, no_canary or
    template_exists.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def locked(template_id: UUID) -> Template:
    """The template as it stands, for one act after the other; within a transaction."""
    return Template.objects.select_for_update().get(pk=template_id)


def locked_version(version: TemplateVersion) -> tuple[Template, TemplateVersion]:
    template = locked(version.template_id)
    return template, TemplateVersion.objects.select_for_update().get(pk=version.pk)


def refuse_archived(version: TemplateVersion) -> None:
    if version.archived_at is not None:
        raise ReleaseError("version_archived", f"Version {version.number} is archived: restore it first.")


def refuse_current(template: Template, version: TemplateVersion) -> None:
    if template.published_id == version.pk:
        raise ReleaseError("version_current", f"Version {version.number} is the one that is sent.")
