"""Files that go with messages: each kept once for a tenant, under the hash of what is in it.

A notification holds references: a hash, or a URL that is fetched when the message goes out. Files are written
through Django's storage API (`STORAGES["attachments"]`), so they may stand in an object store as well.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import connection
from django.utils import timezone

from delivery.models import StoredFile
from delivery.providers.base import Attachment, ErrorKind, ProviderError
from tenants.context import installation_scope, tenant_scope
from tenants.ids import new_id

logger = logging.getLogger(__name__)

Reference = Mapping[str, Any]
"""{filename, content_type?, content_id?} and sha256 or url."""

KEPT_FOR = dt.timedelta(days=30)
"""After the message was due: a dead letter may be put back within that time."""
_PURGED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a file is not taken; `code` is part of the API."""

    code: str
    detail: str


def unfit(filename: str, size: int) -> Unfit | None:
    """What is wrong with a file, by its name and its size in bytes."""
    extension = PurePosixPath(filename).suffix.lower().lstrip(".")
    if extension in settings.ATTACHMENT_REFUSED_EXTENSIONS:
        return Unfit("attachment_refused", f"Files named .{extension} are refused: mail servers do the same.")
    if size > settings.ATTACHMENT_MAX_BYTES:
        most = settings.ATTACHMENT_MAX_BYTES
        return Unfit("attachment_too_large", f"{size} bytes: an attachment has at most {most}.")
    return None


def too_much(sizes: Iterable[int]) -> Unfit | None:
    """What is wrong with all of a message's files together."""
    total, most = sum(sizes), settings.ATTACHMENTS_MAX_BYTES
    if total <= most:
        return None
    return Unfit("attachments_too_large", f"{total} bytes: a message's attachments have at most {most}.")


def content_type(filename: str, given: str | None = None) -> str:
    return given or mimetypes.guess_type(filename)[0] or "application/octet-stream"


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_KEEP = """
    INSERT INTO delivery_storedfile AS kept (id, tenant_id, sha256, size, keep_until)
    VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, sha256) DO UPDATE
       SET keep_until = greatest(kept.keep_until, excluded.keep_until)
"""


def keep(tenant_id: UUID, content: bytes, *, until: dt.datetime) -> str:
    """Store a file, inside its tenant's scope; its hash.

    The row comes first: it waits for a purge of the same file, which then is written anew.
    """
    sha256 = hash_of(content)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [new_id(), tenant_id, sha256, len(content), until])
    place = _place(tenant_id, sha256)
    if not _storage().exists(place):
        _storage().save(place, ContentFile(content))
    return sha256


def load(tenant_id: UUID, sha256: str) -> bytes:
    """A stored file, or `ProviderError`: one that is away may come back, one that was purged does not."""
    try:
        with _storage().open(_place(tenant_id, sha256)) as file:
            content: bytes = file.read()
    except FileNotFoundError:
        raise ProviderError(ErrorKind.ADDRESS, "an attachment was purged", code="attachment_gone") from None
    except OSError as error:
        words = f"an attachment cannot be read: {type(error).__name__}"
        raise ProviderError(ErrorKind.TRANSIENT, words, code="attachment_unavailable") from None
    if hash_of(content) != sha256:
        words = "an attachment is not what was stored"
        raise ProviderError(ErrorKind.TRANSIENT, words, code="attachment_unavailable")
    return content


Loaded = Mapping[str, tuple[bytes, str] | ProviderError]
"""By hash or URL: the file and its media type, or why it is not there."""


def attached(references: Sequence[Reference], loaded: Loaded) -> tuple[Attachment, ...]:
    """A message's files. Raises the `ProviderError` of one that is missing, and for too much of them."""
    files = tuple(_attachment(reference, loaded) for reference in references)
    if problem := too_much(len(file.content) for file in files):
        raise ProviderError(ErrorKind.ADDRESS, problem.detail, code=problem.code)
    return files


def key(reference: Reference) -> str:
    """What it is loaded by."""
    return str(reference.get("sha256") or reference["url"])


def _attachment(reference: Reference, loaded: Loaded) -> Attachment:
    found = loaded[key(reference)]
    if isinstance(found, ProviderError):
        raise found
    content, kind = found
    filename: str = reference["filename"]
    if problem := unfit(filename, len(content)):
        raise ProviderError(ErrorKind.ADDRESS, problem.detail, code=problem.code)
    kind = content_type(filename, reference.get("content_type") or kind)
    return Attachment(filename, kind, content, reference.get("content_id") or "")


def load_all(tenant_id: UUID, hashes: Iterable[str]) -> dict[str, tuple[bytes, str] | ProviderError]:
    """Each stored file once, however many messages of a chunk it goes with."""
    loaded: dict[str, tuple[bytes, str] | ProviderError] = {}
    for sha256 in set(hashes):
        try:
            loaded[sha256] = load(tenant_id, sha256), ""
        except ProviderError as error:
            loaded[sha256] = error
    return loaded


def purge() -> int:
    """Delete the files that nothing needs any more; how many. The next call takes the next."""
    with installation_scope():
        stale = StoredFile.objects.filter(keep_until__lt=timezone.now()).order_by("keep_until")
        found = list(stale.values_list("tenant_id", "pk")[:_PURGED_AT_ONCE])
    return sum(_purge(tenant_id, pk) for tenant_id, pk in found)


def _purge(tenant_id: UUID, pk: UUID) -> bool:
    """Under the row's lock, so that nobody is told that the file is there while it goes."""
    with tenant_scope(tenant_id):
        rows = StoredFile.objects.select_for_update(skip_locked=True)
        row = rows.filter(pk=pk, keep_until__lt=timezone.now()).first()
        if row is None:
            return False
        _storage().delete(_place(tenant_id, row.sha256))
        row.delete()
        return True


def discard(tenant_id: UUID, sha256: str, *, unless: Callable[[], bool]) -> bool:
    """Delete a file before its time, inside the tenant's scope, `unless` somebody has it; whether it is gone.

    Under the row's lock, as a purge: who keeps the same file meanwhile waits, and writes it anew. One that is
    locked is just being kept, or purged.
    """
    rows = StoredFile.objects.select_for_update(skip_locked=True)
    row = rows.filter(tenant_id=tenant_id, sha256=sha256).first()
    if row is None or unless():
        return False
    _storage().delete(_place(tenant_id, sha256))
    row.delete()
    return True


def _storage() -> Storage:
    return storages["attachments"]


def _place(tenant_id: UUID, sha256: str) -> str:
    return f"{tenant_id}/{sha256[:2]}/{sha256}"
