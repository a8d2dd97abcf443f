"""The links of each message: out of its category, and into its recipient's preferences (`preferences.links`).

They are made when a message goes out, and only for those that need them: a mail for its headers
(`providers.email.way_out`), any other where its template asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial

from django.utils import timezone

from delivery.queue import Leg
from preferences.addresses import ADDRESS_FIELD
from preferences.categories import categories
from preferences.links import Link, end_of_mail_links, preferences_url, seal, unsubscribe_url
from preferences.rules import CategoryRule
from preferences.subscription import is_optional
from tenants.models import Tenant

Rules = Callable[[], Mapping[str, CategoryRule]]


class Links:
    """One leg's. Either link is empty where it would lead nowhere."""

    def __init__(self, leg: Leg, tenant: Tenant, rules: Rules) -> None:
        self.leg, self._tenant, self._rules = leg, tenant, rules

    @cached_property
    def unsubscribe(self) -> str:
        rule = self._rules().get(self.leg.category)
        return unsubscribe_url(self._token) if rule and is_optional(rule) and self._is_to_somebody else ""

    @property
    def preferences(self) -> str:
        return preferences_url(self._token) if self.leg.recipient_id else ""

    def in_headers(self) -> str:
        """Where a mail program's own button leads."""
        return self.unsubscribe if self.leg.channel == "email" else ""

    def words(self) -> dict[str, str]:
        """As templates have them, under `links`."""
        return {"unsubscribe": self.unsubscribe, "preferences": self.preferences}

    @property
    def _is_to_somebody(self) -> bool:
        return bool(self.leg.recipient_id or self._address)

    @property
    def _address(self) -> str:
        """A device's token is no address that anybody would know as theirs."""
        return self.leg.address if self.leg.channel in ADDRESS_FIELD else ""

    @cached_property
    def _token(self) -> str:
        leg = self.leg
        until = end_of_mail_links(timezone.now())
        return seal(Link(self._tenant.pk, leg.recipient_id, until, leg.channel, leg.category, self._address))


def links_of(legs: Sequence[Leg], tenant: Tenant) -> list[Links]:
    """In order. One query when first one of them is asked for; none where nothing is."""
    rules = cache(partial(categories, tenant.pk))
    return [Links(leg, tenant, rules) for leg in legs]
