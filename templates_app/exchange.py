"""Between a tenant's templates and folders of files: export, import, and what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.db import transaction

from templates_app import catalog
from templates_app.bodies import NewTemplate
from templates_app.diffing import Wording, differences
from templates_app.folder_diffing import Difference, house_differences, template_differences
from templates_app.folder_reading import load
from templates_app.folders import (
    ABOUT,
    Described,
    FileError,
    FilesError,
    folders,
    place_of,
    save,
)
from templates_app.house_exchange import house_of, take, unsound, with_house
from templates_app.house_folders import House, ingredient
from templates_app.house_folders import load as load_house
from templates_app.house_folders import save as save_house
from templates_app.inspection import inspect
from templates_app.kit import Kit, kit_of
from templates_app.models import Template, TemplateVersion
from templates_app.publishing import publish, save_draft, wording_of
from templates_app.renewing import publish_anew
from templates_app.variables import misfits
from tenants.models import Tenant

BY = "templates import"
_FIELDS = NewTemplate.model_fields.keys()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a template, or would: `version` is the one written or published, if any was."""

    code: str
    did: Literal["created", "changed", "left"]
    version: int | None = None
    published: bool = False


def export(tenant: Tenant, root: Path, *, only: Collection[str] = (), newest: bool = False) -> list[Outcome]:
    """Write what is published, or what was never so, or with `newest` what was written last.

    And how messages look: layouts, partials and brand, where nothing is asked for by its name.
    """
    saved = {} if only else save_house(house_of(tenant), root)
    saved |= {one.code: save(one, root) for one in _described(tenant, only, newest=newest).values()}
    return [Outcome(name, "changed" if changed else "left") for name, changed in saved.items()]


def read(root: Path, *, only: Collection[str] = ()) -> tuple[House, dict[str, Described]]:
    """Raises FilesError with all that is wrong with any of the files."""
    house, found, errors = House(), {}, _absent(root, only)
    try:
        house = house if only else load_house(root)
    except FilesError as error:
        errors += error.errors
    for folder in folders(root):
        if only and folder.name not in only:
            continue
        try:
            found[folder.name] = load(folder)
        except FilesError as error:
            errors += error.errors
    if errors:
        raise FilesError(errors)
    return house, found


def import_(
    tenant: Tenant,
    root: Path,
    *,
    only: Collection[str] = (),
    publishing: bool = False,
    dry_run: bool = False,
) -> list[Outcome]:
    """Make the tenant's templates what the files say, all or none; templates without a folder are left.

    What says the same as the published version, or as the newest, makes no version. With `publishing`, what
    is made of a layout, a partial or a brand that has changed is published anew. Raises FilesError, and then
    nothing was changed. Within the tenant's scope.
    """
    house, wanted = read(root, only=only)
    kit = with_house(kit_of(tenant), house, tenant)
    errors = [*unsound(house, kit), *(e for one in wanted.values() for e in _unsound(one, kit, publishing))]
    if errors:
        raise FilesError(errors)
    with transaction.atomic():
        furnished = [Outcome(name, did) for name, did in take(tenant, house)]
        outcomes = {code: _take(tenant, one, publishing) for code, one in wanted.items()}
        if publishing:
            outcomes |= _renewed(tenant, furnished)
        transaction.set_rollback(dry_run)
    catalog.forget()
    return [*furnished, *outcomes.values()]


def compare(
    tenant: Tenant, root: Path, *, only: Collection[str] = (), newest: bool = False
) -> list[Difference]:
    """What differs between the tenant and the files. Raises FilesError."""
    house, theirs = read(root, only=only)
    of_house = [] if only else house_differences(house_of(tenant), house)
    return [*of_house, *template_differences(_described(tenant, only, newest=newest), theirs)]


def _absent(root: Path, only: Collection[str]) -> list[FileError]:
    there = {folder.name for folder in folders(root)}
    return [FileError(f"{code}/{ABOUT}", "There is no such file.") for code in sorted({*only} - there)]


def _described(tenant: Tenant, only: Collection[str], *, newest: bool) -> dict[str, Described]:
    rows = (
        Template.objects.filter(tenant=tenant, archived_at=None).select_related("published").order_by("code")
    )
    chosen = rows.filter(code__in=only) if only else rows
    return {row.code: Described(about_of(row), _wording(row, newest)) for row in chosen}


def about_of(row: Template) -> NewTemplate:
    return NewTemplate.model_validate({name: getattr(row, name) for name in _FIELDS})


def _wording(template: Template, newest: bool) -> Wording | None:
    version = _newest(template) if newest or template.published is None else template.published
    return None if version is None else wording_of(version)


def _newest(template: Template) -> TemplateVersion | None:
    return template.versions.filter(archived_at=None).first()


def _unsound(template: Described, kit: Kit, publishing: bool) -> Iterator[FileError]:
    """What is wrong with its words and its sample data; a draft's may still be incomplete."""
    wording = template.wording
    if wording is None:
        return
    for error in inspect(wording.contents, wording.sample_data, kit).errors:
        if publishing or error.code != "missing_variable":
            place = place_of(wording.contents[error.index], error.part)
            part = f"{error.part}: " if error.part not in {None, "html"} else ""
            yield FileError(f"{template.code}/{place}", part + error.message, error.line)
    if publishing and wording.schema is not None:
        for unfit in misfits(wording.schema, wording.sample_data):
            pointer = unfit.pointer.removeprefix("/sample_data")
            yield FileError(f"{template.code}/sample.json", f"{pointer or '/'}: {unfit.detail}")


def _take(tenant: Tenant, wanted: Described, publishing: bool) -> Outcome:
    template = Template.objects.filter(tenant=tenant, code=wanted.code, archived_at=None).first()
    created = template is None
    template = template or Template.objects.create(tenant=tenant, **_columns(wanted.about))
    described = _describe(template, wanted.about)
    version, written = _version(template, wanted.wording)
    published = publishing and version is not None and template.published_id != version.pk
    if version is not None and published:
        publish(version, by=BY)
    changed = described or written or published
    number = version.number if version and (written or published) else None
    return Outcome(wanted.code, "created" if created else "changed" if changed else "left", number, published)


def _renewed(tenant: Tenant, furnished: Sequence[Outcome]) -> dict[str, Outcome]:
    """The templates that were published anew, for what they are made of has changed."""
    made: dict[str, Outcome] = {}
    for changed in (one for one in furnished if one.did != "left"):
        renewal = publish_anew(tenant, ingredient(changed.code), by=BY)
        if renewal.refused:
            raise FilesError(
                [FileError(changed.code, f"{v.template.code}: {error}") for v, error in renewal.refused]
            )
        made |= {v.template.code: Outcome(v.template.code, "changed", v.number, True) for v in renewal.made}
    return made


def _columns(about: NewTemplate) -> dict[str, Any]:
    return about.model_dump(mode="json")


def _describe(template: Template, about: NewTemplate) -> bool:
    """Whether that changed anything."""
    if about_of(template) == about:
        return False
    for name, value in _columns(about).items():
        setattr(template, name, value)
    template.save(update_fields=list(_FIELDS))
    return True


def _version(template: Template, wording: Wording | None) -> tuple[TemplateVersion | None, bool]:
    """The one that says this, and whether it had to be written."""
    if wording is None:
        return None, False
    for known in (template.published, _newest(template)):
        if known is not None and not differences(wording_of(known), wording):
            return known, False
    draft = save_draft(template, wording.contents, wording.sample_data, schema=wording.schema)
    return draft, True
