"""What a tenant decides about all of its recipients, as decisions read it."""

from preferences.rules import Policy
from tenants.models import Tenant


def policy_of(tenant: Tenant) -> Policy:
    return Policy(
        urgent_passes=tenant.quiet_lets_urgent_pass,
        critical_passes=tenant.quiet_lets_critical_pass,
        holds_in_app=tenant.quiet_holds_in_app,
        digest=tenant.quiet_digest,
        spread=tenant.release_spread,
        holidays=frozenset(tenant.holidays),
        blocked_channels=tenant.blocked_channels,
        version=tenant.rules_version,
    )
