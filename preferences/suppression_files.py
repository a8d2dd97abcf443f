"""Suppressions as files: taken in from CSV or JSON lines, given out as CSV.

What is given out holds hashes, and can be taken in where the key is known. What is taken in may hold plain
addresses too, as lists of other vendors do. A bad line does not spoil the rest.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from preferences import keyed, suppressions
from preferences.addresses import spelled
from preferences.models import Suppression
from preferences.suppression_documents import ImportReport, Line, Rejected, SuppressionFilter
from preferences.suppressions import Entry
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.parsing import parse_json, validate
from tenants.problems import FieldError, Problem, invalid
from tenants.spreadsheets import lines, plain

COLUMNS = ("channel", "key", "hash", "mask", "reason", "source", "since")
_PAGE = 2_000
_AT_ONCE = 1_000
_TOLD_AT_MOST = 1_000

Read = tuple[int, dict[str, Any] | FieldError]
"""A line's number, from 1, and what stands in it, or what is wrong with it."""


def take_in(
    tenant: Tenant, read: Iterable[Read], *, name: str = "", given: Mapping[str, str] | None = None
) -> ImportReport:
    """Suppress what a file holds, a transaction for `_AT_ONCE` lines, and say what became of each.

    `name` is kept as the source's reference. `given` fills the columns that the file lacks.
    """
    report, rest = ImportReport(), iter(read)
    while some := list(islice(rest, _AT_ONCE)):
        good = list(_checked(tenant, some, given or {}, report))
        _take(tenant, good, name, report)
    return report


def _checked(
    tenant: Tenant, some: Iterable[Read], given: Mapping[str, str], report: ImportReport
) -> Iterator[Line]:
    """Those that can be taken; the others go to the report."""
    for number, what in some:
        try:
            yield _line(tenant, what, given)
        except Problem as problem:
            _reject(report, number, problem.errors)


def _line(tenant: Tenant, what: Any, given: Mapping[str, str]) -> Line:
    """With its address spelled, and its key as we call it."""
    if isinstance(what, FieldError):
        raise invalid([what])
    if not isinstance(what, dict):
        raise invalid([FieldError("", "model_type", "This is not a JSON object.")])
    line = validate(Line, {**given, **what})
    if line.address is None:
        return line.model_copy(update={"key": _key_id(line)})
    try:
        return line.model_copy(update={"address": spelled(line.channel, line.address, tenant.country)})
    except ValueError as error:
        raise invalid([FieldError("/address", "invalid_address", str(error))]) from None


def _key_id(line: Line) -> str:
    """Which of our keys it is, by whatever id the other installation calls it."""
    for key_id, mark in keyed.marks().items():
        if mark == line.key:
            return key_id
    raise invalid([FieldError("/key", "unknown_key", "There is no such key in SUPPRESSION_KEYS.")])


def _reject(report: ImportReport, number: int, errors: Iterable[FieldError]) -> None:
    report.rejected_total += 1
    if report.rejected_total <= _TOLD_AT_MOST:
        report.rejected += [
            Rejected(row=number, pointer=e.pointer, code=e.code, detail=e.detail) for e in errors
        ]


def _take(tenant: Tenant, good: Sequence[Line], name: str, report: ImportReport) -> None:
    with tenant_scope(tenant.pk):
        suppressions.rekey([tenant.pk], [(line.channel, line.address) for line in good if line.address])
        new = suppressions.store(_row(tenant.pk, line, name) for line in good)
    report.accepted += new
    report.known += len(good) - new


def _row(tenant_id: UUID, line: Line, name: str) -> Suppression:
    reference = f"{name} ({line.source})" if line.source else name
    source = Suppression.Source.IMPORT
    entry = Entry(line.channel, line.address or "", line.reason, source, reference, line.moment())
    row = suppressions.row(tenant_id, entry)
    if line.hash and line.key:
        row.address_hash, row.key_id, row.mask = line.hash, line.key, plain(line.mask)
    return row


def csv_lines(body: bytes) -> Iterator[Read]:
    """Raises a 400 `Problem` when the first line does not name the columns."""
    reader = csv.reader(body.decode("utf-8-sig", "replace").splitlines())
    columns = [column.strip().lower() for column in next(reader, [])]
    if not columns or not Line.model_fields.keys() >= set(columns):
        detail = f"The first line has to name the columns, of these: {', '.join(Line.model_fields)}."
        raise invalid([FieldError("", "unknown_column", detail)])
    return _rows(reader, columns)


def _rows(reader: Any, columns: Sequence[str]) -> Iterator[Read]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, FieldError("", "not_csv", f"This is not CSV: {error}.")
            continue
        if len(cells) > len(columns):
            yield reader.line_num, FieldError("", "not_csv", "There are more cells than columns.")
        elif cells:
            named = zip(columns, (plain(cell.strip()) for cell in cells), strict=False)
            yield reader.line_num, {column: cell for column, cell in named if cell}


def json_lines(body: bytes) -> Iterator[Read]:
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                yield number, parse_json(line)
            except Problem as problem:
                yield number, FieldError("", problem.code, problem.text)


def as_csv(tenant_id: UUID, wanted: SuppressionFilter) -> Iterator[bytes]:
    """The file in pieces, newest first: a page of rows at a time, and no transaction open between two."""
    yield lines([COLUMNS])
    marks, last = keyed.marks(), None
    while rows := _page(tenant_id, wanted, last):
        yield lines(_cells(row, marks) for row in rows)
        last = rows[-1].pk


def _page(tenant_id: UUID, wanted: SuppressionFilter, last: UUID | None) -> list[Suppression]:
    with tenant_scope(tenant_id):
        rows = wanted.of(tenant_id).order_by("-pk")
        return list((rows if last is None else rows.filter(pk__lt=last))[:_PAGE])


def _cells(row: Suppression, marks: Mapping[str, str]) -> list[str]:
    key, since = marks.get(row.key_id, ""), row.since.isoformat()
    return [row.channel, key, row.address_hash, row.mask, row.reason, row.source, since]
