"""To leave a category on a channel by a link, and to come back.

Somebody stored gets a switch, category and channel, as if they had set it themselves. Of somebody who is
not, or is not any more, nothing is known but the address: it is suppressed on that channel. Either may be
asked for any number of times.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from preferences import suppressions, switches
from preferences.addresses import mask
from preferences.categories import categories, names
from preferences.links import Link
from preferences.models import Recipient, Suppression
from preferences.rules import CategoryRule
from tenants.context import tenant_scope


def is_optional(category: CategoryRule) -> bool:
    """Whether its messages have to offer a way out: not those about people's own affairs.

    Nor those of a critical category, which no preference holds back: a button would promise too much.
    """
    return not (category.is_transactional or category.is_critical)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about, as it stands. `address` is masked, and empty where there is none to show."""

    category: str
    channel: str
    address: str
    is_stored: bool
    is_on: bool


def leave(link: Link, templates: Collection[str] = ()) -> None:
    """`templates` are the codes of the category's: what was switched on for one of these alone is off too."""
    if recipient := recipient_of(link):
        own = [(code, link.channel) for code in templates]
        switches.change(recipient, {(link.category, link.channel): False}, unset_templates=own)
    elif link.address:
        entry = (link.channel, link.address, Suppression.Reason.UNSUBSCRIBED)
        suppressions.suppress(link.tenant_id, [entry])


def come_back(link: Link) -> None:
    """Undo `leave`: by no switch of its own where it comes without one."""
    if recipient := recipient_of(link):
        place, said = (link.category, link.channel), switches.stored(recipient)
        comes_anyway = said.channels.get(link.channel, _default(link))
        switches.change(recipient, {place: None if comes_anyway else True})
    elif link.address:
        with tenant_scope(link.tenant_id):
            suppressions.opt_in([link.tenant_id], (link.channel, link.address))


def look(link: Link) -> Subscription:
    recipient = recipient_of(link)
    return Subscription(
        category=_name(link),
        channel=link.channel,
        address=mask(link.channel, link.address),
        is_stored=recipient is not None,
        is_on=_is_switched_on(recipient, link) if recipient else not _is_suppressed(link),
    )


def recipient_of(link: Link) -> Recipient | None:
    """Who the link was made for, with devices, if they are still stored."""
    if link.recipient_id is None:
        return None
    with tenant_scope(link.tenant_id):
        found = Recipient.objects.filter(tenant_id=link.tenant_id, pk=link.recipient_id)
        return found.prefetch_related("devices").first()


def _is_switched_on(recipient: Recipient, link: Link) -> bool:
    return switches.stored(recipient).says(link.category, link.channel, default=_default(link))


def _default(link: Link) -> bool:
    rule = categories(link.tenant_id).get(link.category)
    return rule is None or rule.defaults.get(link.channel, True)


def _is_suppressed(link: Link) -> bool:
    with tenant_scope(link.tenant_id):
        return bool(suppressions.among(link.tenant_id, [(link.channel, link.address)]))


def _name(link: Link) -> str:
    """How the tenant calls the category; its code once it is gone."""
    return names(link.tenant_id).get(link.category, link.category)
