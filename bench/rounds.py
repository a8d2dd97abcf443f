"""The measuring process: one round after the other in a running stack, then the result.

`python -m bench` starts it with the stack's environment, as a child beside web, worker and beat.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import django
import psutil

django.setup(set_prefix=False)  # first: what follows imports models

from bench import machine, processes, scene, yardsticks  # noqa: E402
from bench.children import Child, ChildEndedError  # noqa: E402
from bench.meter import Meter  # noqa: E402
from bench.options import Options, parse  # noqa: E402
from bench.pipeline import Stage, run  # noqa: E402
from bench.profiling import profiled  # noqa: E402
from bench.report import print_json, print_table, say  # noqa: E402
from bench.result import Result, Round, Yardsticks  # noqa: E402

_WARM_UP = 400


def main(options: Options) -> int:
    trees = processes.of_stack()
    with Child("bench.sinks", options.channel) as sink:
        made = scene.build(options.channel, sink.ask("port"), max(options.n, _WARM_UP))
        with Child("bench.client", os.environ["BENCH_URL"], options.channel) as client:
            own = {"sink": sink.pid, "client": client.pid, "bench": os.getpid(), "stack": os.getppid()}
            meter = Meter(trees, {name: psutil.Process(pid) for name, pid in own.items()})
            result = _measure(options, Stage(made, client, sink, meter), trees)
    (print_json if options.json else print_table)(result)
    return 0 if result.balances else 1


def _measure(options: Options, stage: Stage, trees: processes.Trees) -> Result:
    where, load = machine.describe(), os.getloadavg()[0]
    idle, shared_out = stage.meter.memory(), stage.meter.proportional_memory()
    say("warming up")  # connections, compiled templates, caches: as in a service that has run for a minute
    run(stage, _WARM_UP)
    rounds = [_round(options, stage, trees, number) for number in range(1, options.rounds + 1)]
    return Result(options, where, load, idle, shared_out, rounds)


def _round(options: Options, stage: Stage, trees: processes.Trees, number: int) -> Round:
    say(f"round {number} of {options.rounds}: pipeline, {options.n} by {options.channel}")
    with profiled(stage.meter, options.profile):
        whole = run(stage, options.n)
    if not options.yardsticks:
        return Round(whole, None)
    with processes.asleep(trees):
        say(f"round {number}: baseline, {options.baseline_n}")
        baseline = yardsticks.measure_baseline(stage, workers=options.workers, n=options.baseline_n)
        say(f"round {number}: bare limit, {options.limit_n}")
        limit = yardsticks.measure_limit(stage, workers=options.workers, n=options.limit_n)
    return Round(whole, Yardsticks(baseline, limit))


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    try:
        options = parse(sys.argv[1:])
        assert isinstance(options, Options)
        sys.exit(main(options))
    except ChildEndedError as error:
        sys.exit(f"error: {error} ended before it answered: see its lines above")
