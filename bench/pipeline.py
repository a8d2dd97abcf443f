"""The measured run: a batch by HTTP, to the last attempt settled, status rolled up and frame pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.children import Child
from bench.crowd import address, item
from bench.ledger import Ledger, Times
from bench.meter import Meter, Usage, Watch
from bench.scene import Scene, settle_database
from bench.waiting import await_arrivals, await_settled, unsettled


@dataclass(frozen=True, slots=True)
class Stage:
    """Who takes part in a run."""

    scene: Scene
    client: Child
    sink: Child
    meter: Meter


@dataclass(frozen=True, slots=True)
class Run:
    """`seconds` from the first request to the last status, `accept_seconds` to the last answer."""

    n: int
    seconds: float
    accept_seconds: float
    urgent_ms: list[float]
    cpu: Usage
    strangers: float
    peak_mb: Usage
    peak_stack_mb: float
    growth_mb: float
    ledger: Ledger


def run(stage: Stage, n: int) -> Run:
    """A batch of `n`, with urgent notifications of two tenants in between."""
    stage.client.ask("prepare", n=n)
    settle_database()
    batch, other = stage.scene.batch, stage.scene.other
    with stage.meter.watch() as watch:
        urgent_senders = [(sender.key, sender.urgent) for sender in (other, batch)]
        began: float = stage.client.ask("start", key=batch.key, urgent=urgent_senders)
        accepted = stage.client.ask("accepted")
        ended = await_settled(stage.sink, n, accepted["batches"])
    urgent: list[tuple[str, float]] = stage.client.ask("stop")
    await_arrivals(stage.sink, n + len(urgent))
    arrivals: Times = stage.sink.ask("take")
    return _result(stage.scene, n, (began, accepted["at"], ended), urgent, arrivals, watch)


def _result(
    scene: Scene,
    n: int,
    moments: tuple[float, float, float],
    urgent: Sequence[tuple[str, float]],
    arrivals: Times,
    watch: Watch,
) -> Run:
    began, accepted, ended = moments
    channel = scene.channel
    asked = [(address(channel, recipient), at) for recipient, at in urgent]
    crowd = [address(channel, item(channel, number)["recipient"]) for number in range(n)]
    return Run(
        n=n,
        seconds=ended - began,
        accept_seconds=accepted - began,
        urgent_ms=[1000 * (arrivals[to][0] - at) for to, at in asked if to in arrivals],
        cpu=watch.cpu,
        strangers=watch.strangers,
        peak_mb=watch.memory.peak(),
        peak_stack_mb=watch.memory.peak_of_stack(),
        growth_mb=watch.memory.growth(),
        ledger=Ledger.of([*crowd, *(to for to, _ in asked)], arrivals, unsettled=unsettled(scene.tenants)),
    )
