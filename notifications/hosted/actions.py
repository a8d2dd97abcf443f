"""What a person may do on their preference page. Each action answers what it did, in words for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from django.http import QueryDict
from django.utils.translation import gettext as _

from notifications.hosted.sheet import changed, nothing_but_essential, person_of, settled, sheet_of
from notifications.hosted.words import platform_name
from preferences import recipients, switches
from preferences.directory import opt_in
from preferences.models import Recipient
from tenants.context import tenant_scope

Action = Callable[[Recipient, QueryDict], list[str]]


def act(recipient: Recipient, form: QueryDict) -> list[str]:
    """Do what the form asks for; what nobody knows does nothing, and says so."""
    action = ACTIONS.get(form.get("do", ""), _nothing)
    return action(recipient, form) or _nothing(recipient, form)


def _nothing(recipient: Recipient, form: QueryDict) -> list[str]:
    return [_("Nothing was changed.")]


def _save(recipient: Recipient, form: QueryDict) -> list[str]:
    sheet = sheet_of(recipient)
    wanted = changed(sheet, form.getlist("shown"), form.getlist("was_on"), form.getlist("on"))
    switches.change(recipient, settled(wanted, switches.read(recipient)))
    _lift(recipient, {place[1] for place, on in wanted.items() if on})
    group_of = {box.place: group.name for group in sheet.optional for box in group.boxes}
    labels = {box.place: box.label for box in sheet.boxes}
    told = [_said(str(group_of.get(place, "")), str(labels[place]), on) for place, on in wanted.items()]
    return [_("Saved."), *told] if told else []


def _said(category: str, channel: str, on: bool) -> str:
    about = {"category": category, "channel": channel}
    if category:
        return (_("%(category)s, %(channel)s: on") if on else _("%(category)s, %(channel)s: off")) % about
    return (_("%(channel)s: on") if on else _("%(channel)s: off")) % about


def _lift(recipient: Recipient, channels: Collection[str]) -> None:
    """Who switches a channel on wants to be written to, even if they once asked not to be."""
    with tenant_scope(recipient.tenant_id):
        for channel, address in person_of(recipient).suppressed:
            if channel in channels:
                opt_in([recipient.tenant_id], (channel, address))


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
    switches.change(recipient, nothing_but_essential(switches.read(recipient)))
    return [_("You now get nothing but what is essential.")]


ACTIONS: Mapping[str, Action] = {"save": _save, "forget": _forget, "leave_all": _leave_all}
