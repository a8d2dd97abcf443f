"""What a tenant blocks altogether, and why: a channel, a category, a recipient. Critical categories pass.

No reason lifts the block. What is waiting is decided again. Call these in the tenant's scope.
"""

from __future__ import annotations

from preferences import changes
from preferences.directory import Key
from preferences.models import Category, Recipient
from tenants.models import Tenant


def block_channel(tenant: Tenant, channel: str, reason: str) -> None:
    of_all = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    kept = {name: why for name, why in of_all.blocked_channels.items() if name != channel}
    of_all.blocked_channels = kept | ({channel: reason} if reason else {})
    of_all.save(update_fields=["blocked_channels"])
    changes.of_tenant(tenant.pk)


def block_category(tenant: Tenant, code: str, reason: str) -> bool:
    """False when there is none."""
    found = Category.objects.filter(tenant_id=tenant.pk, code=code).update(block=reason)
    if found:
        changes.of_tenant(tenant.pk)
    return bool(found)


def block_recipient(tenant: Tenant, key: Key, reason: str) -> bool:
    """False when nobody has the key."""
    named = Recipient.objects.filter(tenant_id=tenant.pk, type=key[0], external_id=key[1])
    recipient = named.select_for_update(no_key=True).first()
    if recipient is None:
        return False
    Recipient.objects.filter(pk=recipient.pk).update(block=reason)
    changes.of_recipients(tenant.pk, [recipient.pk])
    return True


def blocked_categories(tenant: Tenant) -> dict[str, str]:
    """The reasons by code."""
    blocked = Category.objects.filter(tenant_id=tenant.pk).exclude(block="").order_by("code")
    return dict(blocked.values_list("code", "block"))
