"""Identifiers: UUIDv7 (RFC 9562), ordered by time, made here so that rows are linked before stored."""

import datetime as dt
from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    return UUID(bytes=uuid_utils.uuid7().bytes)


def first_id_at(moment: dt.datetime) -> UUID:
    """The smallest id that can be made at `moment`: with it a primary key answers 'since when'."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))


def made_at(made: UUID) -> dt.datetime:
    """When an id was made, to the millisecond."""
    return dt.datetime.fromtimestamp((made.int >> 80) / 1000, dt.UTC)
