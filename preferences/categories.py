"""What kinds of thing a tenant notifies of."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from preferences.hours import windows_of
from preferences.models import Category
from preferences.rules import CategoryRule
from tenants.context import tenant_scope
from tenants.models import Tenant

ESSENTIAL = "transactional"
"""What a notification belongs to that names no category."""
_Unknown = Category.UnknownPolicy

# None is critical. A critical category takes the choice away from the person, and only the tenant can know
# that one deserves it: the same "alert" is a fire at one tenant and a price drop at another.
_DEFAULTS = (
    (ESSENTIAL, "Transactional", _Unknown.RESEND, True),
    ("marketing", "Marketing", _Unknown.STOP, False),  # better never than twice
    ("system", "System", _Unknown.WAIT, True),
    ("alert", "Alerts", _Unknown.RESEND, True),  # better twice than never
)
_READ = (
    *("code", "is_critical", "unknown_policy", "is_transactional", "channels", "defaults", "sending_hours"),
    *("skips_holidays", "block", "frequency"),
)


def categories(tenant_id: UUID) -> dict[str, CategoryRule]:
    """The tenant's categories by code. One query."""
    with tenant_scope(tenant_id):
        rows = Category.objects.filter(tenant_id=tenant_id).values(*_READ)
        return {row["code"]: _rule(row) for row in rows}


def _rule(row: Mapping[str, Any]) -> CategoryRule:
    return CategoryRule(
        code=row["code"],
        is_critical=row["is_critical"],
        unknown_policy=row["unknown_policy"],
        is_transactional=row["is_transactional"],
        channels=frozenset(row["channels"]) if row["channels"] else None,
        defaults=row["defaults"],
        hours=windows_of(row["sending_hours"]) if row["sending_hours"] else None,
        skips_holidays=row["skips_holidays"],
        block=row["block"],
        frequency=row["frequency"],
    )


def names(tenant_id: UUID) -> dict[str, str]:
    """How the tenant calls its categories, by code."""
    with tenant_scope(tenant_id):
        return dict(Category.objects.filter(tenant_id=tenant_id).values_list("code", "name"))


def create_default_categories(tenant: Tenant) -> None:
    """transactional, marketing, system and alert, where the tenant does not have them yet."""
    with tenant_scope(tenant.pk):
        Category.objects.bulk_create(
            (
                Category(
                    tenant=tenant, code=code, name=name, unknown_policy=policy, is_transactional=transactional
                )
                for code, name, policy, transactional in _DEFAULTS
            ),
            ignore_conflicts=True,
        )
