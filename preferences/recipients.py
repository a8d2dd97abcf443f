"""One recipient at a time, as the API handles it. Each function opens the tenant's scope itself."""

from __future__ import annotations

from django.db import models

from preferences import changes, devices
from preferences.addresses import DeviceFields, RecipientFields
from preferences.directory import FIELDS, Key, resolve
from preferences.models import Device, Recipient
from preferences.rules import Person
from tenants.context import tenant_scope
from tenants.models import Tenant


def find(tenant: Tenant, key: Key) -> Recipient | None:
    """The recipient with its devices loaded."""
    with tenant_scope(tenant.pk):
        return _named(tenant, key).prefetch_related("devices").first()


def replace(tenant: Tenant, key: Key, fields: RecipientFields) -> bool:
    """Store the recipient as described, forgetting what is left out; True when it is new.

    Devices are replaced when they are given and stay when they are not: apps register them on their own.
    """
    described = {field: getattr(fields, field) or "" for field in FIELDS}
    with tenant_scope(tenant.pk):
        before = _named(tenant, key).select_for_update().values_list("timezone", flat=True).first()
        recipient, created = Recipient.objects.update_or_create(
            tenant=tenant, type=key[0], external_id=key[1], defaults=described
        )
        if not created and before != recipient.timezone:
            changes.of_recipients(tenant.pk, [recipient.pk])
        if fields.devices is not None:
            _replace_devices(tenant, key, fields.devices)
    return created


def change(tenant: Tenant, key: Key, fields: RecipientFields) -> bool:
    """Change what is given, as JSON Merge Patch (RFC 7396) does: null clears, a list replaces.

    False when nobody has the key.
    """
    given = {field: getattr(fields, field) or "" for field in FIELDS if field in fields.model_fields_set}
    with tenant_scope(tenant.pk):
        recipient = _named(tenant, key).select_for_update().first()
        if recipient is None:
            return False
        is_moved = given.get("timezone", recipient.timezone) != recipient.timezone
        for field, value in given.items():
            setattr(recipient, field, value)
        recipient.save(update_fields=[*given, "updated_at"])
        if is_moved:
            changes.of_recipients(tenant.pk, [recipient.pk])
        if "devices" in fields.model_fields_set:
            _replace_devices(tenant, key, fields.devices or [])
    return True


def remove(tenant: Tenant, key: Key) -> bool:
    """Delete the recipient with its devices and switches; suppressions of its addresses stay.

    False when nobody has the key. The row is locked first, as `directory.merge` does, lest the two deadlock.
    """
    with tenant_scope(tenant.pk):
        recipient = _named(tenant, key).select_for_update().first()
        if recipient is not None:
            recipient.delete()
    return recipient is not None


def hold(tenant: Tenant, key: Key) -> Person | None:
    """Whom the directory knows by the key, locked until the transaction ends, in the tenant's scope."""
    held = _named(tenant, key).select_for_update().exists()
    return resolve(tenant, [key])[key] if held else None


def add_device(tenant: Tenant, key: Key, device: DeviceFields) -> bool:
    """Give the recipient a device, taking it from whoever had it. False: nobody has the key."""
    with tenant_scope(tenant.pk):
        devices.register(tenant.pk, {key: [device]})
        return _of(tenant, key).filter(token=device.token).exists()


def remove_device(tenant: Tenant, key: Key, token: str) -> bool:
    """False when the recipient has no such device."""
    with tenant_scope(tenant.pk):
        deleted, _ = _of(tenant, key).filter(token=token).delete()
    return bool(deleted)


def _replace_devices(tenant: Tenant, key: Key, given: list[DeviceFields]) -> None:
    _of(tenant, key).exclude(token__in=[device.token for device in given]).delete()
    devices.register(tenant.pk, {key: given})


def _named(tenant: Tenant, key: Key) -> models.QuerySet[Recipient]:
    return Recipient.objects.filter(tenant=tenant, type=key[0], external_id=key[1])


def _of(tenant: Tenant, key: Key) -> models.QuerySet[Device]:
    return Device.objects.filter(tenant=tenant, recipient__type=key[0], recipient__external_id=key[1])
