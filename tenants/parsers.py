"""What DRF reads bodies with. Apart from `parsing`, which workers use too: DRF costs a process 10 MB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from tenants.parsing import load_json, may_hold_control_characters, parse_json
from tenants.problems import TOO_LARGE


class RawParser(BaseParser):
    """The root of all: the bytes as they came, no more than a body may have."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TOO_LARGE
        return self._parse(raw)

    def _parse(self, raw: bytes) -> Any:
        return raw


class CsvParser(RawParser):
    """Unread, for whoever judges its rows: they are read one by one."""

    media_type = "text/csv"


class JsonLinesParser(RawParser):
    """A JSON text a line (https://github.com/ndjson/ndjson-spec), unread, as `CsvParser`."""

    media_type = "application/x-ndjson"


class OrjsonParser(RawParser):
    media_type = "application/json"

    def _parse(self, raw: bytes) -> Any:
        return parse_json(raw)


@dataclass(frozen=True, slots=True)
class Items:
    """A body of many items, each to be judged by itself. `suspicious`: look for control characters."""

    document: Any
    suspicious: bool


class ItemsParser(OrjsonParser):
    """Leaves control characters to whoever judges the items, so that a bad one does not spoil the others."""

    def _parse(self, raw: bytes) -> Items:
        return Items(load_json(raw), may_hold_control_characters(raw))
