"""The one place where recipients are resolved and stored, so that a remote user service can stand behind it.

Nothing outside `preferences` reads a recipient's tables: it asks for a `Person`. Each function opens the
tenant's scope itself, so it may be called in one or out of one.

The statements take their rows as one JSON document: psycopg needs milliseconds for arrays of a chunk's size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from preferences import devices, suppressions
from preferences.addresses import ADDRESS_FIELD, DeviceFields, RecipientFields
from preferences.hours import quiet_hours_of
from preferences.models import Preference
from preferences.rules import Person
from preferences.rules.terms import Switch
from preferences.suppressions import Address, Entry, opt_in, opt_out, suppress, unsuppress
from tenants.bulk import recordset
from tenants.context import tenant_scope
from tenants.ids import new_id
from tenants.models import Tenant

__all__ = [
    "Key",
    "by_ids",
    "merge",
    "once",
    "once_many",
    "opt_in",
    "opt_out",
    "resolve",
    "retire",
    "suppress",
    "unsuppress",
]

Key = tuple[str, str]
"""A recipient's type and external id: its identity within a tenant."""

Row = Mapping[str, Any]

FIELDS = ("email", "phone", "locale", "timezone", "slack", "discord", "webhook")
"""What a recipient's row says of it, besides its identity. Empty means unknown."""

_COLUMNS = ("id", "type", "external_id", *FIELDS)
_RULES = ("quiet_hours", "do_not_disturb_until", "block", "preferences_version", "frequency")

# LIMIT holds the planner to one index look-up a key, whatever it believes about the sizes of the tables.
_FIND = f"""
    SELECT {", ".join(f"found.{column}" for column in _COLUMNS + _RULES)},
      (SELECT array_agg(token ORDER BY id) FROM preferences_device WHERE recipient_id = found.id) AS tokens,
      (SELECT json_agg(json_build_array(level, key, channel, enabled)) FROM preferences_preference
       WHERE tenant_id = found.tenant_id AND recipient_id = found.id) AS switches
    FROM json_to_recordset(%s::json) AS wanted ({{given}})
    CROSS JOIN LATERAL (
      SELECT * FROM preferences_recipient AS recipient WHERE recipient.tenant_id = %s AND {{whose}}
      LIMIT 1
    ) AS found
"""
_FIND_BY_KEY = _FIND.format(
    given="type varchar, external_id varchar",
    whose="recipient.type = wanted.type AND recipient.external_id = wanted.external_id",
)
_FIND_BY_ID = _FIND.format(given="id uuid", whose="recipient.id = wanted.id")

# What is not given is empty, and empty leaves alone what is stored. What did not change is not written.
_MERGED = ", ".join(f"coalesce(nullif(excluded.{field}, ''), stored.{field})" for field in FIELDS)
_GIVEN = ", ".join(f"{column} varchar" for column in _COLUMNS[1:])
_FILLED = ", ".join(f"coalesce({column}, '')" if column in FIELDS else column for column in _COLUMNS)
_MERGE = f"""
    INSERT INTO preferences_recipient AS stored (tenant_id, created_at, updated_at, {", ".join(_COLUMNS)})
    SELECT %s, statement_timestamp(), statement_timestamp(), {_FILLED}
    FROM json_to_recordset(%s::json) AS given (id uuid, {_GIVEN})
    ORDER BY type, external_id
    ON CONFLICT (tenant_id, type, external_id) DO UPDATE
    SET (updated_at, preferences_version, {", ".join(FIELDS)}) = ROW (
        excluded.updated_at,
        stored.preferences_version + (excluded.timezone NOT IN ('', stored.timezone))::int,
        {_MERGED})
    WHERE ({", ".join(f"stored.{field}" for field in FIELDS)}) IS DISTINCT FROM ({_MERGED})
"""


def resolve(tenant: Tenant, keys: Iterable[Key]) -> dict[Key, Person]:
    """The people behind the keys; a key that nobody has is left out. Two queries, however many keys."""
    wanted = [{"type": type_, "external_id": external_id} for type_, external_id in set(keys)]
    with tenant_scope(tenant.pk):
        people = _people(tenant, _found(tenant, _FIND_BY_KEY, wanted))
    return {(person.type, person.external_id): person for person in people}


def by_ids(tenant: Tenant, ids: Iterable[UUID]) -> dict[UUID, Person]:
    """As `resolve`, by the ids that the directory gave them."""
    with tenant_scope(tenant.pk):
        people = _people(tenant, _found(tenant, _FIND_BY_ID, [{"id": id} for id in set(ids)]))
    return {person.id: person for person in people if person.id is not None}


def _found(tenant: Tenant, statement: str, wanted: Sequence[Mapping[str, Any]]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [recordset(wanted), tenant.pk])
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_UNSTATED = {
    "switches": None,
    "quiet_hours": None,
    "do_not_disturb_until": None,
    "block": "",
    "preferences_version": 0,
    "frequency": None,
}


def once(tenant: Tenant, fields: RecipientFields) -> Person:
    """Somebody described in a request and not stored."""
    return once_many(tenant, [fields])[0]


def once_many(tenant: Tenant, many: Iterable[RecipientFields]) -> list[Person]:
    """As `once` for a chunk, in the same order. One query: suppressions hold for strangers too."""
    rows = [
        {
            **{field: getattr(fields, field) for field in FIELDS},
            "id": None,
            "external_id": "",
            "type": fields.type,
            **_UNSTATED,
            "tokens": [device.token for device in fields.devices or ()],
        }
        for fields in many
    ]
    with tenant_scope(tenant.pk):
        return _people(tenant, rows)


def merge(tenant: Tenant, many: Iterable[RecipientFields]) -> None:
    """Store those that have an id: what is given overwrites, what is not stays, devices are added.

    One INSERT for all, and one for their devices. Rows are locked by order of key, so any number of these can
    run at once. Of two descriptions of one recipient the later wins, field by field.
    """
    rows: dict[Key, dict[str, Any]] = {}
    given: dict[Key, list[DeviceFields]] = defaultdict(list)
    for fields in many:
        if fields.id is not None:
            row = rows.setdefault(
                (fields.type, fields.id), {"id": new_id(), "type": fields.type, "external_id": fields.id}
            )
            row |= {field: value for field in FIELDS if (value := getattr(fields, field)) is not None}
            given[fields.type, fields.id] += fields.devices or ()
    if not rows:
        return
    with tenant_scope(tenant.pk):
        with connection.cursor() as cursor:
            cursor.execute(_MERGE, [tenant.pk, orjson.dumps(list(rows.values())).decode()])
        devices.register(tenant.pk, given)


def retire(tenant_id: UUID, gone: Iterable[tuple[str, str, str] | Entry]) -> None:
    """Write no more to these: (channel, address, why). Device tokens are forgotten, the rest suppressed."""
    all_gone = list(gone)
    if tokens := [one[1] for one in all_gone if one[0] == "push"]:
        devices.forget(tenant_id, tokens)
    if others := [one for one in all_gone if one[0] != "push"]:
        suppress(tenant_id, others)


def _people(tenant: Tenant, rows: Sequence[Row]) -> list[Person]:
    """Those whom the rows describe; one query, for suppressions."""
    addresses = [_addresses(row) for row in rows]
    suppressed = suppressions.among(tenant.pk, (pair for known in addresses for pair in _pairs(known)))
    return [_person(tenant, row, known, suppressed) for row, known in zip(rows, addresses, strict=True)]


def _addresses(row: Row) -> dict[str, tuple[str, ...]]:
    addresses: dict[str, tuple[str, ...]] = {
        channel: (row[field],) for channel, field in ADDRESS_FIELD.items() if row[field]
    }
    if row["id"]:
        addresses["in_app"] = (str(row["id"]),)
    if row["tokens"]:
        addresses["push"] = tuple(row["tokens"])
    return addresses


def _pairs(addresses: Mapping[str, tuple[str, ...]]) -> list[Address]:
    return [(channel, address) for channel, on_channel in addresses.items() for address in on_channel]


def _person(
    tenant: Tenant, row: Row, addresses: Mapping[str, tuple[str, ...]], suppressed: Mapping[Address, str]
) -> Person:
    channels, categories, templates = _switches(row["switches"] or ())
    return Person(
        id=row["id"],
        external_id=row["external_id"],
        type=row["type"],
        addresses=addresses,
        locale=row["locale"] or tenant.locale,
        timezone=row["timezone"] or tenant.timezone,
        channels={channel: enabled for (_, channel), enabled in channels.items()},
        categories=categories,
        suppressed={pair: suppressed[pair] for pair in _pairs(addresses) if pair in suppressed}
        if suppressed
        else {},
        templates=templates,
        quiet_hours=quiet_hours_of(row["quiet_hours"]) if row["quiet_hours"] else None,
        do_not_disturb_until=row["do_not_disturb_until"],
        block=row["block"],
        version=row["preferences_version"],
        frequency=orjson.loads(row["frequency"]) if row["frequency"] else {},
    )


def _switches(rows: Iterable[tuple[str, str, str, bool]]) -> tuple[dict[Switch, bool], ...]:
    """Those of channels, of categories and of templates."""
    by_level: dict[str, dict[Switch, bool]] = {level: {} for level in Preference.Level.values}
    for level, key, channel, enabled in rows:
        by_level[level][key, channel] = enabled
    return tuple(by_level.values())
