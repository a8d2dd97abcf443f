"""`python -m bench rendering`: what a mail with its layout and its styles costs, from the data to the words.

Rendered is what a published version keeps: put together, compiled, styles in the elements. Beside it, the
same mail as it would cost if its styles were put into the elements once a message. Counted is the CPU of this
process and of the engine's child; they take turns, so their sum is what a core needs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import django

django.setup(set_prefix=False)  # first: what follows reads settings

import orjson  # noqa: E402
import psutil  # noqa: E402
import yaml  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import templates_app  # noqa: E402
from bench.options import RenderingOptions, parse  # noqa: E402
from delivery.providers.base import Content, Message  # noqa: E402
from delivery.providers.email.composing import Composer  # noqa: E402
from templates_app.assembling import assemble  # noqa: E402
from templates_app.drafts import Draft  # noqa: E402
from templates_app.finishing import finish  # noqa: E402
from templates_app.kit import Frame, Kit  # noqa: E402
from templates_app.workshop import Job, RenderError, Words, workshop  # noqa: E402

CHUNK = 200
ROUNDS = 5
WANTED_SECONDS = 1.0
"""For a thousand mails on one core."""

_SEEDS = Path(templates_app.__file__).with_name("seeds")
_BRAND = {
    "name": "Paper & Pen",
    "website": "https://shop.example",
    "logo_url": "",
    "postal_address": "Mill Lane 12\n10115 Berlin",
    "primary_color": "#4f46e5",
    "background_color": "#f3f4f7",
    "text_color": "#1d2430",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`seconds` of CPU for a thousand mails, `clock` of the clock; `size` of one mail's HTML in bytes."""

    what: str
    seconds: float
    clock: float
    size: int


def main(options: RenderingOptions) -> int:
    kit = _kit()
    rows = []
    for name in options.names or ("order-confirmation", "welcome", "daily-summary"):
        draft, data = _seed(name)
        compiled, raw = finish(draft, kit).sources, _uncompiled(draft, kit)
        rows += [
            measure(name, options.n, partial(send, compiled, data, options.n, is_compiled=True)),
            measure(f"{name}, once a message", options.n, partial(send, raw, data, options.n)),
        ]
    if options.json:
        document = {"wanted_s": WANTED_SECONDS, "mails": [asdict(row) for row in rows]}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(table(rows))
    return 0 if all(row.seconds < WANTED_SECONDS for row in rows[::2]) else 1


def send(sources: Any, data: dict[str, Any], n: int, *, is_compiled: bool = False) -> list[int]:
    """Render and compose `n` mails to `n` people, as a worker does; the sizes of their HTML."""
    sizes = []
    for start in range(0, n, CHUNK):
        numbers = range(start, min(start + CHUNK, n))
        key = f"{is_compiled}{hash(sources['html'])}"
        jobs = [Job(key, sources, {**data, "name": f"Ann {number}"}, "en") for number in numbers]
        composer = Composer("shop@example.com")
        for number, words in zip(numbers, workshop.render(jobs), strict=True):
            mail = composer.compose(_message(number, words, is_compiled=is_compiled))
            sizes.append(len(mail.words.html))
    return sizes


def _message(number: int, words: Words | RenderError, *, is_compiled: bool) -> Message:
    if isinstance(words, RenderError):
        raise words
    content = Content(words.subject, words.title, words.body, words.html)
    version = uuid4() if is_compiled else None
    return Message(uuid4(), str(number), f"ann{number}@example.com", content, template_version_id=version)


def measure(what: str, n: int, work: Callable[[], Sequence[int]]) -> Row:
    work()  # loads what it needs
    spent, clock, sizes = [], [], [0]
    for _ in range(ROUNDS):
        started, cpu = time.perf_counter(), _cpu()
        sizes = list(work())
        spent.append(_cpu() - cpu)
        clock.append(time.perf_counter() - started)
    return Row(what, median(spent) * 1000 / n, median(clock) * 1000 / n, round(median(sizes)))


def _cpu() -> float:
    """Of this process and of the engine."""
    family = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def table(rows: Sequence[Row]) -> Table:
    made = Table(title=f"1,000 mails: less than {WANTED_SECONDS:g} s of a core is wanted")
    for column in ("mail", "CPU", "clock", "mails/s of a core", "HTML"):
        made.add_column(column, justify="left" if column == "mail" else "right")
    for row in rows:
        cells = (f"{row.seconds:.3f} s", f"{row.clock:.3f} s", f"{1000 / row.seconds:,.0f}", f"{row.size:,}")
        made.add_row(row.what, *cells)
    return made


def _kit() -> Kit:
    layout = Frame("html", (_SEEDS / "layouts" / "standard.html").read_text())
    footer = (_SEEDS / "partials" / "footer.html").read_text()
    return Kit({"standard": layout}, "standard", {"footer": footer}, _BRAND)


def _seed(name: str) -> tuple[Draft, dict[str, Any]]:
    folder = _SEEDS / name
    about = yaml.safe_load((folder / "template.yaml").read_text())
    parts = yaml.safe_load((folder / "en.yaml").read_text())["email"]
    draft = Draft("email", "en", {**parts, "html": (folder / "en.html").read_text()})
    return draft, {**about["sample_data"], "links": {}}


def _uncompiled(draft: Draft, kit: Kit) -> dict[str, str]:
    """Put together only, with the style sheet still in it."""
    made = assemble(draft, kit)
    assert made.layout is not None
    assert made.content is not None
    html = made.layout.source.replace("{{ content }}", made.content.source)
    brand = f"{{% set brand = {orjson.dumps(_BRAND).decode()} %}}"
    return {**made.sources, "html": brand + made.preamble + html}


if __name__ == "__main__":
    options = parse(sys.argv[1:])
    assert isinstance(options, RenderingOptions)
    sys.exit(main(options))
