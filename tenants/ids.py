"""Identifiers: UUIDv7 (RFC 9562), ordered by time, made here so that rows can be linked before they are stored."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    return UUID(bytes=uuid_utils.uuid7().bytes)
