"""The devices of recipients. A token names one installation, so it belongs to whoever registered it last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import orjson
from django.db import connection

from preferences.addresses import DeviceFields
from preferences.models import Device
from tenants.context import tenant_scope
from tenants.ids import new_id

# The last platform that was named is kept, and a device that did not change is not written again.
_REGISTER = """
    INSERT INTO preferences_device AS stored (id, tenant_id, recipient_id, token, platform, created_at)
    SELECT given.id, %(tenant)s, recipient.id, given.token, given.platform, now()
    FROM json_to_recordset(%(given)s::json)
      AS given (id uuid, type varchar, external_id varchar, token varchar, platform varchar)
    JOIN preferences_recipient AS recipient
      ON recipient.tenant_id = %(tenant)s
      AND recipient.type = given.type AND recipient.external_id = given.external_id
    ORDER BY given.token
    ON CONFLICT (tenant_id, token) DO UPDATE
    SET recipient_id = excluded.recipient_id,
        platform = coalesce(nullif(excluded.platform, ''), stored.platform)
    WHERE stored.recipient_id <> excluded.recipient_id
       OR stored.platform <> coalesce(nullif(excluded.platform, ''), stored.platform)
"""


def forget(tenant_id: UUID, tokens: Collection[str]) -> None:
    """The vendor says that they are gone: an app was removed, a browser unsubscribed."""
    with tenant_scope(tenant_id):
        gone = Device.objects.filter(tenant_id=tenant_id, token__in=tokens).order_by("token")
        Device.objects.filter(pk__in=list(gone.select_for_update().values_list("pk", flat=True))).delete()


def register(tenant_id: UUID, given: Mapping[tuple[str, str], Sequence[DeviceFields]]) -> None:
    """Store devices, given by their recipient's key; those of an unknown recipient are left out.

    Called in the tenant's scope. Rows are locked by order of token, so any number of these can run at once.
    """
    by_token = {
        device.token: {"id": new_id(), "type": type_, "external_id": external_id, **device.model_dump()}
        for (type_, external_id), many in given.items()
        for device in many
    }
    if by_token:
        document = orjson.dumps(list(by_token.values())).decode()
        with connection.cursor() as cursor:
            cursor.execute(_REGISTER, {"tenant": tenant_id, "given": document})
