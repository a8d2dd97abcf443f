"""The second yardstick: the same statements, renders and provider calls, and nothing else.

`python -m bench.limit`, a process a worker. There is no HTTP, no validation, no broker, no task, no window:
each takes a thousand notifications at a time through the very functions that web and worker call.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import django

django.setup(set_prefix=False)  # first: what follows imports models

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.children import obey  # noqa: E402
from bench.client import ITEMS  # noqa: E402
from bench.crowd import item  # noqa: E402
from delivery import dispatch  # noqa: E402
from notifications import intake, planning  # noqa: E402
from notifications.requests import NewNotification  # noqa: E402
from tenants.context import tenant_scope  # noqa: E402
from tenants.ids import new_id  # noqa: E402
from tenants.models import Tenant  # noqa: E402

Moments = tuple[float, float]


class Limit:
    def __init__(self) -> None:
        self.requests: list[NewNotification] = []

    def prepare(self, tenant_id: str, channel: str, first: int, n: int) -> int:
        """Requests to the recipients from `first` on, parsed before the clock starts."""
        self.tenant = Tenant.objects.get(pk=tenant_id)
        documents = (item(channel, number) for number in range(first, first + n))
        self.requests = [NewNotification.model_validate(document) for document in documents]
        return n

    def go(self) -> Moments:
        """When it began and when it was done."""
        began = time.monotonic()
        for start in range(0, len(self.requests), ITEMS):
            ids = self._accept(self.requests[start : start + ITEMS])
            for place in range(0, len(ids), settings.NOTIFICATION_CHUNK_SIZE):
                self._send(ids[place : place + settings.NOTIFICATION_CHUNK_SIZE])
        return began, time.monotonic()

    def _accept(self, requests: Sequence[NewNotification]) -> list[UUID]:
        now = timezone.now()
        with tenant_scope(self.tenant.pk):
            checked = intake.check(self.tenant, requests, now=now)
            good = [item for item in checked if isinstance(item, intake.Checked)]
            ids = [new_id() for _ in good]
            intake.insert(self.tenant, good, ids, now=now, is_test=False, batch_id=None)
        return ids

    def _send(self, ids: Sequence[UUID]) -> None:
        ready = planning.plan(self.tenant.pk, ids)
        dispatch.run(self.tenant.pk, [id for id, _, _ in ready])


if __name__ == "__main__":
    limit = Limit()
    commands: dict[str, Any] = {"prepare": limit.prepare, "go": limit.go}
    obey(commands)
