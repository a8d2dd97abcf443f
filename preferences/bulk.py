"""Many recipients from one request: each is judged by itself, and the good ones are merged together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from preferences.addresses import RecipientFields, normalize
from preferences.directory import merge
from tenants.models import Tenant
from tenants.parsing import control_errors, parse_json, validate
from tenants.problems import FieldError, Problem, invalid

AT_ONCE = 1_000
"""Recipients a transaction."""
_TOLD_AT_MOST = 1_000


@dataclass(slots=True)
class Report:
    """How many were taken and how many were not, and for the first thousand of those what is wrong."""

    accepted: int = 0
    rejected_total: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item:
    """A recipient as it came: parsed, or a line that is yet to be. `pointer` is its place in the body."""

    index: int
    pointer: str
    document: Any
    is_suspicious: bool = False


def listed(documents: Iterable[Any], pointer: str, *, is_suspicious: bool) -> Iterator[Item]:
    """Those of a JSON list."""
    for index, document in enumerate(documents):
        yield Item(index, f"{pointer}/{index}", document, is_suspicious)


def lines(body: bytes) -> Iterator[Item]:
    """Those of JSON lines; empty ones count, and are passed over."""
    for index, line in enumerate(body.splitlines()):
        if line.strip():
            yield Item(index, f"/{index}", line)


def upsert(tenant: Tenant, items: Iterable[Item]) -> Report:
    """Store recipients as `directory.merge` does: what is given overwrites, what is not stays."""
    report, rest = Report(), iter(items)
    while some := list(islice(rest, AT_ONCE)):
        good = list(_good(tenant, some, report))
        merge(tenant, good)
        report.accepted += len(good)
    return report


def _good(tenant: Tenant, some: Iterable[Item], report: Report) -> Iterator[RecipientFields]:
    """Those that can be stored; the others go to the report."""
    for item in some:
        try:
            yield _read(tenant, item)
        except Problem as problem:
            _reject(report, item, problem)


def _read(tenant: Tenant, item: Item) -> RecipientFields:
    document = parse_json(item.document) if isinstance(item.document, bytes) else item.document
    if item.is_suspicious and (errors := control_errors(document)):
        raise invalid(errors)
    fields = validate(RecipientFields, document)
    if fields.id is None:
        raise invalid([FieldError("/id", "missing", "Field required")])
    return normalize(fields, tenant.country)


def _reject(report: Report, item: Item, problem: Problem) -> None:
    report.rejected_total += 1
    if report.rejected_total <= _TOLD_AT_MOST:
        errors = problem.errors or [FieldError("", problem.code, problem.text)]
        report.rejected += [
            {"index": item.index, "code": e.code, "detail": e.detail, "pointer": item.pointer + e.pointer}
            for e in errors
        ]
