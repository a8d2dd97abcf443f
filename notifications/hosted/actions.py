"""What a person may do on their preference page. Each action answers what it did, in words for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications.hosted.sheet import changed, nothing_but_essential, patch_of, person_of, sheet_of
from notifications.hosted.times import Quiet, limits_of, limits_sent, pause_until, written
from notifications.hosted.words import platform_name
from preferences import recipients, stated, switches
from preferences.categories import categories
from preferences.directory import opt_in
from preferences.models import Recipient
from preferences.stated import Known
from tenants.context import tenant_scope
from tenants.parsing import Patch
from tenants.problems import Problem


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be read, and whether it is bad news."""

    sentences: list[str]
    is_error: bool = False


Action = Callable[[Recipient, QueryDict], list[str]]


def act(recipient: Recipient, form: QueryDict) -> Said:
    """Do what the form asks for; what nobody knows does nothing, and says so."""
    action = ACTIONS.get(form.get("do", ""), _nothing)
    try:
        return Said(action(recipient, form) or [_("Nothing was changed.")])
    except Problem:
        return Said(
            [_("This could not be saved. Please look at the times and numbers again.")], is_error=True
        )


def _nothing(recipient: Recipient, form: QueryDict) -> list[str]:
    return []


def _save(recipient: Recipient, form: QueryDict) -> list[str]:
    sheet, quiet = sheet_of(recipient), Quiet.of(recipient.quiet_hours)
    wanted = changed(sheet, form.getlist("shown"), form.getlist("was_on"), form.getlist("on"))
    limits = limits_sent(form, limits_of((box.place[1] for box in sheet.channels), recipient.frequency))
    patch = patch_of(wanted, switches.stored(recipient), categories(recipient.tenant_id))
    told = [
        _switched(str(group), str(box.label), wanted[box.place])
        for group, box in sheet.boxes
        if box.place in wanted
    ]
    if "quiet_shown" in form and (sent := Quiet.sent(form, quiet)).as_shown != form["quiet_shown"]:
        patch["quiet_hours"] = sent.patch
        told.append(str(sent))
    if limits:
        patch["frequency"] = {limit.channel: limit.patch for limit in limits}
        told += map(str, limits)
    if not told:
        return []
    _change(recipient, patch)
    _lift(recipient, {place[1] for place, on in wanted.items() if on})
    return [_("Saved."), *told]


def _switched(category: str, channel: str, on: bool) -> str:
    about = {"category": category, "channel": channel}
    if category:
        return (_("%(category)s, %(channel)s: on") if on else _("%(category)s, %(channel)s: off")) % about
    return (_("%(channel)s: on") if on else _("%(channel)s: off")) % about


def _change(recipient: Recipient, patch: dict[str, Any]) -> None:
    """What was switched for a category that is gone is kept: nobody sees here what would be wrong with it."""
    kept = switches.read(recipient).categories
    stated.change(recipient, Patch(patch), Known(kept, lambda codes: codes))


def _lift(recipient: Recipient, channels: Collection[str]) -> None:
    """Who switches a channel on wants to be written to, even if they once asked not to be."""
    with tenant_scope(recipient.tenant_id):
        for channel, address in person_of(recipient).suppressed:
            if channel in channels:
                opt_in([recipient.tenant_id], (channel, address))


def _pause(recipient: Recipient, form: QueryDict) -> list[str]:
    zone = person_of(recipient).timezone
    until = pause_until(form.get("how_long", ""), timezone.now(), zone)
    _change(recipient, {"do_not_disturb_until": until})
    if until is None:
        return [_("You can be disturbed again.")]
    return [_("Not disturbed until %(until)s") % {"until": written(until, zone)}]


def _forget(recipient: Recipient, form: QueryDict) -> list[str]:
    """A device, named by the id of its row: its token is nobody's business."""
    key = (recipient.type, recipient.external_id)
    for device in recipient.devices.all():
        if str(device.pk) == form.get("device") and recipients.remove_device(
            recipient.tenant, key, device.token
        ):
            return [_("Removed: %(device)s") % {"device": platform_name(device.platform)}]
    return []


def _leave_all(recipient: Recipient, form: QueryDict) -> list[str]:
    switches.replace(recipient, nothing_but_essential(switches.stored(recipient)))
    return [_("You now get nothing but what is essential.")]


ACTIONS: Mapping[str, Action] = {
    "save": _save,
    "pause": _pause,
    "forget": _forget,
    "leave_all": _leave_all,
}
