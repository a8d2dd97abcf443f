"""Recipients for every suite's tests."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from preferences.models import Device, Recipient
from tenants.context import tenant_scope
from tenants.models import Tenant

_number = count(1)


def create_recipient(tenant: Tenant, devices: Sequence[str] = (), **over: Any) -> Recipient:
    """A stored recipient with an email and a phone number; `devices` are push tokens."""
    external_id = over.get("external_id", f"user-{next(_number)}")
    known = {"external_id": external_id, "email": f"{external_id}@example.com", "phone": "+15005550006"}
    with tenant_scope(tenant.pk):
        recipient = Recipient.objects.create(tenant=tenant, **{**known, **over})
        Device.objects.bulk_create(
            Device(tenant=tenant, recipient=recipient, token=token) for token in devices
        )
    return recipient
