"""What may be asked of the benchmark."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANNELS = ("sms", "email", "in_app")
BASELINE_AT_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Options:
    n: int
    channel: str
    workers: int
    rounds: int
    yardsticks: bool
    json: bool
    profile: Path | None

    @property
    def baseline_n(self) -> int:
        """Enough for a rate: one task a message has no batch whose size could matter."""
        return min(self.n, BASELINE_AT_MOST)

    @property
    def limit_n(self) -> int:
        return max(self.n // 2, min(self.n, BASELINE_AT_MOST))


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    n: int
    names: Sequence[str]
    json: bool


@dataclass(frozen=True, slots=True)
class RenderingOptions:
    n: int
    names: Sequence[str]
    json: bool


@dataclass(frozen=True, slots=True)
class RealtimeOptions:
    """`rate` in messages a second, or 0: half of what was reached."""

    sockets: int
    users: int
    messages: int
    stored: int
    rate: int
    rounds: int
    yardsticks: bool
    json: bool


@dataclass(frozen=True, slots=True)
class PreferenceOptions:
    n: int
    json: bool


AnyOptions = Options | ProviderOptions | RenderingOptions | PreferenceOptions | RealtimeOptions


def parse(arguments: Sequence[str]) -> AnyOptions:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks of Carillon.")
    commands = parser.add_subparsers(required=True)
    pipeline = commands.add_parser(
        "pipeline",
        help="from POST send-batch to the last attempt settled",
        description="From POST send-batch to the last attempt settled, on engines and processes of its own.",
    )
    pipeline.add_argument("--n", type=_positive, default=20_000, help="notifications a round (%(default)s)")
    pipeline.add_argument("--channel", choices=CHANNELS, default="sms", help="(%(default)s)")
    pipeline.add_argument("--workers", type=_positive, default=2, help="worker processes (%(default)s)")
    pipeline.add_argument("--rounds", type=_positive, default=1, help="the median counts (%(default)s)")
    pipeline.add_argument(
        "--no-yardsticks", dest="yardsticks", action="store_false", help="neither baseline nor bare limit"
    )
    pipeline.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    pipeline.add_argument(
        "--profile", type=_profile, metavar="DIR", help="keep stacks of web and workers there (needs py-spy)"
    )
    pipeline.set_defaults(made=Options)
    providers = commands.add_parser(
        "providers",
        help="what a message costs by each provider",
        description="What a message costs by each provider, against the sandbox in a process of its own.",
    )
    providers.add_argument("names", nargs="*", metavar="PROVIDER", help="these only, e.g. twilio smtp")
    providers.add_argument("--n", type=_positive, default=5_000, help="messages by each (%(default)s)")
    providers.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    providers.set_defaults(made=ProviderOptions)
    rendering = commands.add_parser(
        "rendering",
        help="what a mail with its layout and styles costs",
        description="What a mail with its layout and styles costs, from the data to the words.",
    )
    rendering.add_argument("names", nargs="*", metavar="TEMPLATE", help="these seeds only, e.g. welcome")
    rendering.add_argument("--n", type=_positive, default=1_000, help="mails a round (%(default)s)")
    rendering.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    rendering.set_defaults(made=RenderingOptions)
    preferences = commands.add_parser(
        "preferences",
        help="what deciding whether and when people are told costs",
        description="What deciding whether and when people are told costs, by four channels.",
    )
    preferences.add_argument("--n", type=_positive, default=1_000, help="people (%(default)s)")
    preferences.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    preferences.set_defaults(made=PreferenceOptions)
    _add_realtime(commands)
    given = vars(parser.parse_args(arguments))
    made: Callable[..., AnyOptions] = given.pop("made")
    return made(**given)


def _add_realtime(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    realtime = commands.add_parser(
        "realtime",
        help="from a commit to the frame on a socket",
        description="From a commit to the frame on a socket: how many, how soon, and what a socket costs.",
    )
    add = realtime.add_argument
    add("--sockets", type=_positive, default=1_000, help="open at a time (%(default)s)")
    add("--users", type=_positive, help="whom they belong to (one a socket)")
    add("--messages", type=_positive, default=40_000, help="frames a round (%(default)s)")
    add("--stored", type=_positive, default=10_000, help="items stored in PostgreSQL (%(default)s)")
    add("--rate", type=_positive, default=0, help="messages/s for the latency (half of what was reached)")
    add("--rounds", type=_positive, default=3, help="the medians count (%(default)s)")
    add("--no-yardsticks", dest="yardsticks", action="store_false", help="neither bare hub nor Channels")
    add("--json", action="store_true", help="print one JSON document instead of a table")
    realtime.set_defaults(made=_realtime)


def _realtime(users: int | None, sockets: int, **given: Any) -> RealtimeOptions:
    return RealtimeOptions(sockets=sockets, users=min(users or sockets, sockets), **given)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _profile(text: str) -> Path:
    if shutil.which("py-spy") is None:
        raise argparse.ArgumentTypeError("needs py-spy: `pip install py-spy`")
    return Path(text).resolve()
