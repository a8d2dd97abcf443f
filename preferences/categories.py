"""What kinds of thing a tenant notifies of."""

from uuid import UUID

from preferences.models import Category
from preferences.rules import CategoryRule
from tenants.context import tenant_scope
from tenants.models import Tenant

_Unknown = Category.UnknownPolicy

# None is critical. A critical category takes the choice away from the person, and only the tenant can know
# that one deserves it: the same "alert" is a fire at one tenant and a price drop at another.
_DEFAULTS = (
    ("transactional", "Transactional", _Unknown.RESEND),
    ("marketing", "Marketing", _Unknown.STOP),  # better never than twice
    ("system", "System", _Unknown.WAIT),
    ("alert", "Alerts", _Unknown.RESEND),  # better twice than never
)


def categories(tenant_id: UUID) -> dict[str, CategoryRule]:
    """The tenant's categories by code. One query."""
    with tenant_scope(tenant_id):
        rows = Category.objects.filter(tenant_id=tenant_id).values_list(
            "code", "is_critical", "unknown_policy"
        )
        return {row[0]: CategoryRule(*row) for row in rows}


def create_default_categories(tenant: Tenant) -> None:
    """transactional, marketing, system and alert, where the tenant does not have them yet."""
    with tenant_scope(tenant.pk):
        Category.objects.bulk_create(
            (
                Category(tenant=tenant, code=code, name=name, unknown_policy=policy)
                for code, name, policy in _DEFAULTS
            ),
            ignore_conflicts=True,
        )
