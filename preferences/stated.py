"""All that a recipient has stated: switches, quiet hours, do-not-disturb, and how much is too much.

It is read and written as one document, `Stated`, in the shape of the API. Each function opens the tenant's
scope itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import AwareDatetime, Field, StrictBool

from preferences import changes, switches
from preferences.channels import Capped, KnownChannel
from preferences.hours import QuietHoursBody
from preferences.models import Recipient
from preferences.switches import Switches
from tenants.context import tenant_scope
from tenants.frequency import Cap
from tenants.parsing import Patch, RequestModel, merge_patch, validate
from tenants.problems import FieldError, escape, invalid

ByChannel = dict[KnownChannel, StrictBool]


class Stated(RequestModel):
    """On or off by channel: altogether, within a category, within a template. The last weighs most.

    Quiet hours hold what would ring until they are over, as `do_not_disturb_until` does. `frequency`: at most
    so many, by channel or of `all`.
    """

    channels: ByChannel = {}
    categories: dict[str, ByChannel] = {}
    templates: dict[str, ByChannel] = {}
    quiet_hours: QuietHoursBody | None = None
    do_not_disturb_until: AwareDatetime | None = Field(None, lt=dt.datetime(3000, 1, 1, tzinfo=dt.UTC))
    frequency: dict[Capped, Cap] = {}

    @property
    def switches(self) -> Switches:
        return Switches(self.channels, self.categories, self.templates)


def read(recipient: Recipient) -> dict[str, Any]:
    """Every channel as it stands, every category, and what else was set."""
    said = switches.read(recipient)
    return {
        "channels": said.channels,
        "categories": said.categories,
        "templates": said.templates,
        "quiet_hours": _quiet_hours(recipient.quiet_hours),
        "do_not_disturb_until": recipient.do_not_disturb_until,
        "frequency": recipient.frequency or {},
    }


def _quiet_hours(stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """As it was written; of the shapes that it may have, only the one it has."""
    return None if stored is None else QuietHoursBody.model_validate(stored).model_dump(exclude_none=True)


def replace(recipient: Recipient, stated: Stated) -> None:
    """This and nothing else: what is left out is back at its default. `recipient` then says so too."""
    with tenant_scope(recipient.tenant_id):
        hold(recipient)
        kept = _without_echo(stated.channels, switches.stored(recipient).channels)
        _write(recipient, stated.model_copy(update={"channels": kept}))


def _without_echo(channels: Mapping[str, bool], stored: Mapping[str, bool]) -> dict[str, bool]:
    """A channel that has no switch is shown as on. That comes back, and is not meant to make one.

    It would overrule the categories that are off until somebody asks for them.
    """
    return {channel: on for channel, on in channels.items() if not on or channel in stored}


def change(recipient: Recipient, patch: Patch, known: Known) -> None:
    """Change what is given, as JSON Merge Patch (RFC 7396) does: null takes away, the rest stays.

    Raises a 400 `Problem` that points at what is wrong with the outcome.
    """
    with tenant_scope(recipient.tenant_id):
        hold(recipient)
        said = switches.stored(recipient)
        present = {**read(recipient), **asdict(said)}
        _write(recipient, checked(merge_patch(present, patch.root), known))


@dataclass(frozen=True, slots=True)
class Known:
    """The codes that there are; of templates those of the ones that were asked for."""

    categories: Collection[str]
    templates: Callable[[Collection[str]], Collection[str]]


def checked(document: Any, known: Known) -> Stated:
    """The document, or a 400 `Problem` that points at each code that there is none of."""
    stated = validate(Stated, document)
    errors = [
        *_unknown(stated.categories, known.categories, "category", "/categories"),
        *_unknown(stated.templates, known.templates(stated.templates), "template", "/templates"),
    ]
    if errors:
        raise invalid(errors)
    return stated


def _unknown(given: Iterable[str], known: Collection[str], kind: str, root: str) -> Iterator[FieldError]:
    for code in given:
        if code not in known:
            yield FieldError(f"{root}/{escape(code)}", f"unknown_{kind}", f"There is no such {kind}.")


def hold(recipient: Recipient) -> None:
    """Lock the recipient's row, and see what it says now."""
    recipient.refresh_from_db(fields=_TIMES, from_queryset=Recipient.objects.select_for_update(no_key=True))


_TIMES = ["quiet_hours", "do_not_disturb_until", "frequency"]


def _write(recipient: Recipient, stated: Stated) -> None:
    switches.replace(recipient, stated.switches)
    fields = {
        "quiet_hours": stated.quiet_hours and stated.quiet_hours.model_dump(exclude_none=True),
        "do_not_disturb_until": stated.do_not_disturb_until,
        "frequency": {channel: cap.model_dump() for channel, cap in stated.frequency.items()} or None,
    }
    if any(getattr(recipient, name) != value for name, value in fields.items()):
        Recipient.objects.filter(pk=recipient.pk).update(**fields)
        recipient.refresh_from_db(fields=_TIMES)
        changes.of_recipients(recipient.tenant_id, [recipient.pk])
