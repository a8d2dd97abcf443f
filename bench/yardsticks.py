"""What the pipeline is held against: on the same engines, by the same sink, while the stack itself sleeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from celery import Celery

from bench.children import Child
from bench.crowd import TEMPLATE, address, item
from bench.ledger import Ledger
from bench.meter import Usage
from bench.pipeline import Stage
from bench.scene import Scene, settle_database
from bench.waiting import await_settled, unsettled
from config.processes import end, spawn
from notifications.models import Notification, NotificationStatus, Priority
from templates_app.models import Template
from tenants.ids import new_id

QUEUE = "bench"
_STORED_AT_ONCE = 1_000
_WARM_UP = 200
_PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Measure:
    n: int
    seconds: float
    cpu: Usage
    strangers: float
    ledger: Ledger

    @property
    def per_s(self) -> float:
        return self.n / self.seconds


def measure_baseline(stage: Stage, *, workers: int, n: int) -> Measure:
    """`n` notifications, stored a thousand at a time and queued one by one, to the last one's status."""
    scene, sink = stage.scene, stage.sink
    with _baseline_worker(workers) as pid:
        _send_by_tasks(scene, sink, _WARM_UP)
        sink.ask("take")
        settle_database()
        with stage.meter.plus("baseline", [pid]).watch() as watch:
            seconds = _send_by_tasks(scene, sink, n)
    return Measure(n, seconds, watch.cpu, watch.strangers, _ledger(scene, sink, n))


@contextmanager
def _baseline_worker(workers: int) -> Iterator[int]:
    """Its pid."""
    celery = [sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "-A", "bench.baseline", "worker"]
    options = [f"--concurrency={workers}", f"--queues={QUEUE}", "--without-gossip", "--without-mingle"]
    command = [*celery, *options]
    process = spawn(command, on_owner_death=signal.SIGKILL, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        end(process, signal.SIGTERM, _PATIENCE)


def _send_by_tasks(scene: Scene, sink: Child, n: int) -> float:
    """How many seconds it took."""
    app = Celery(broker=os.environ["REDIS_URL"], set_as_current=False)
    batch = Notification(
        tenant_id=scene.batch.tenant_id,
        template_version_id=Template.objects.get(tenant_id=scene.batch.tenant_id).published_id,
        batch_id=new_id(),
    )
    began = time.monotonic()
    for start in range(0, n, _STORED_AT_ONCE):
        rows = [_row(scene, batch, number) for number in range(start, min(start + _STORED_AT_ONCE, n))]
        Notification.objects.bulk_create(rows)
        for row in rows:
            app.send_task("bench.send", (str(row.pk),), queue=QUEUE)
    return await_settled(sink, n, [str(batch.batch_id)]) - began


def _row(scene: Scene, batch: Notification, number: int) -> Notification:
    asked = item(scene.channel, number)
    return Notification(
        tenant_id=batch.tenant_id,
        batch_id=batch.batch_id,
        recipient_external_id=asked["recipient"],
        template_code=TEMPLATE,
        template_version_id=batch.template_version_id,
        data=asked["data"],
        channels=asked["channels"],
        category="transactional",
        type="info",
        priority=Priority.NORMAL,
        reference=asked["reference"],
        status=NotificationStatus.PROCESSING,  # none of our sweepers may take it for its own
    )


def measure_limit(stage: Stage, *, workers: int, n: int) -> Measure:
    """`n` notifications, shared out among as many processes as there are workers."""
    scene, sink = stage.scene, stage.sink
    with ExitStack() as stack:
        children = [stack.enter_context(Child("bench.limit")) for _ in range(workers)]
        _prepare(children, scene, _WARM_UP)
        _go(children)
        sink.ask("take")
        _prepare(children, scene, n)
        settle_database()
        with stage.meter.plus("limit", (child.pid for child in children)).watch() as watch:
            seconds = _go(children)
    return Measure(n, seconds, watch.cpu, watch.strangers, _ledger(scene, sink, n))


def _prepare(children: list[Child], scene: Scene, n: int) -> None:
    bounds = [n * place // len(children) for place in range(len(children) + 1)]
    who = {"tenant_id": scene.batch.tenant_id, "channel": scene.channel}
    for place, child in enumerate(children):
        child.ask("prepare", **who, first=bounds[place], n=bounds[place + 1] - bounds[place])


def _go(children: list[Child]) -> float:
    """How many seconds it took, from the first to begin to the last to end."""
    for child in children:
        child.tell("go")
    moments = [child.hear() for child in children]
    return float(max(ended for _, ended in moments) - min(began for began, _ in moments))


def _ledger(scene: Scene, sink: Child, n: int) -> Ledger:
    wanted = (address(scene.channel, item(scene.channel, number)["recipient"]) for number in range(n))
    return Ledger.of(wanted, sink.ask("take"), unsettled=unsettled(scene.tenants))
