"""How the tour reads in a terminal, and in a file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from config.seeding import ADMIN, Step
from config.tour.chapters import Chapter
from config.tour.clients import API
from config.tour.evidence import Attempt, Found
from config.tour.vendors import Word
from config.tour.wishes import Heard

WIDEST = 100
"""Columns: longer lines are hard to read, however wide the terminal is."""
_COLOURS = {
    "sent": "green",
    "delivered": "green",
    "transient": "yellow",
    "address": "yellow",
    "failed": "red",
}


class Teller:
    def __init__(self, console: Console) -> None:
        self._console = console

    @classmethod
    def for_terminal(cls) -> Teller:
        console = Console(highlight=False)
        console.width = min(console.width, WIDEST)
        return cls(console)

    def seeded(self, steps: Sequence[Step]) -> None:
        counts = {step.what: step.name for step in steps}
        accounts = sum(step.what == "account" for step in steps)
        have = f"{counts['templates']} templates, {counts['recipients']} recipients"
        self._say(
            f"[green]✓[/] The demo tenant is there: {have}, {accounts} provider accounts. "
            "Every account leads to the sandbox, so nothing leaves this machine."
        )

    def begin(self, number: int, chapter: Chapter) -> None:
        self._console.print(Rule(f"[bold]{number}  {chapter.title}[/]", align="left", style="blue"))
        self._say(chapter.before)
        door = (f"POST {API}/notifications/send\n", "bold cyan")
        self._indent(Text.assemble(door, (_shown(chapter.request), "cyan")))

    def accepted(self, answer: Mapping[str, Any]) -> None:
        when = f" for {_clock(answer['send_at'])}" if answer["send_at"] else ""
        self._indent(Text(f"→ 202 {answer['status']}{when}", style="green"))

    def waiting(self, what: str) -> AbstractContextManager[object]:
        return self._console.status(f"[dim]{what}[/]")

    def show(self, chapter: Chapter, found: Found, *, is_complete: bool) -> None:
        self._indent(_arrivals(found) if found.arrivals else Text("Nothing arrived.", style="red"))
        self._indent(_attempts(found.attempts))
        if is_complete:
            self._say(f"[dim]{chapter.after}[/]")
        else:
            self._say("[red]Something is missing here: see the end.[/]")

    def begin_wishes(self, number: int) -> None:
        self._console.print(Rule(f"[bold]{number}  What Kim wants[/]", align="left", style="blue"))
        self._say(
            "People say when they may be rung, and for what. Kim has quiet hours, hears of many small things "
            "together, and then has enough of newsletters: RFC 8058 gives mail programs the button for it."
        )

    def show_wishes(self, heard: Sequence[Heard]) -> None:
        table = _table("What was heard", "what happens", "and what becomes of it")
        for each in heard:
            table.add_row(Text(each.did), Text(each.became, style="green" if each.is_right else "red"))
        self._indent(table)
        if all(each.is_right for each in heard):
            self._say(
                "[dim]What is held waits in PostgreSQL and is decided again before it leaves. "
                "`POST …/explain` tells beforehand which wish would win.[/]"
            )

    def begin_round(self, number: int) -> None:
        title = "Every vendor's word for it"
        self._console.print(Rule(f"[bold]{number}  {title}[/]", align="left", style="blue"))
        self._say(
            "One message by each vendor that says afterwards what became of it. For that an operator pins "
            "its account: it is used first. Receipts come in its own words, and are verified its own way."
        )

    def show_round(self, words: Sequence[Word]) -> None:
        table = _table("What the vendors said", "channel", "account", "sent after", "known after", "status")
        for word in words:
            table.add_row(
                word.vendor.channel,
                word.vendor.account,
                _after(word.sent_after),
                _after(word.heard_after),
                _coloured(word.status),
            )
        self._indent(table)

    def conclude(self, lines: Sequence[str]) -> None:
        """What was missing, if anything was."""
        if not lines:
            self._say("[green]✓[/] Everything arrived, nothing twice, and the books balance.")
        for line in lines:
            self._console.print(Text(f"✗ missing: {line}", style="red"))

    def directions(self, url: str, inbox_url: str, key: str) -> None:
        """Where everything is, and a request to try."""
        places = Table.grid(padding=(0, 2))
        for name, address, note in _places(url, inbox_url):
            places.add_row(Text(name, style="bold"), Text(address, style="cyan"), Text(note, style="dim"))
        self._console.print(Panel(places, title="Look around", title_align="left", border_style="blue"))
        self._console.print()
        self._say("Send one yourself; the API key is good for a day:")
        self._console.print(Text(_curl(url, key), style="cyan"), soft_wrap=True)
        self._console.print()

    def _say(self, words: str) -> None:
        self._console.print(words)
        self._console.print()

    def _indent(self, what: Any) -> None:
        self._console.print(Padding(what, (0, 0, 0, 2), expand=False))
        self._console.print()


def _arrivals(found: Found) -> Table:
    since = found.send_at or found.accepted_at
    table = _table(
        "What arrived", "channel", "to", "late" if found.send_at else "after", "status", "what it says"
    )
    for arrival in sorted(found.arrivals, key=lambda each: each.at):
        table.add_row(
            arrival.channel,
            Text(arrival.to),
            _ms(arrival.at - since),
            _coloured(found.status_on(arrival.channel)),
            Text(arrival.words),
        )
    return table


def _attempts(attempts: Sequence[Attempt]) -> Table:
    table = _table("What was tried", "channel", "account", "took", "outcome", "code", "and then")
    for each in attempts:
        outcome = _coloured(each.outcome)
        table.add_row(each.channel, each.account, f"{each.ms} ms", outcome, Text(each.code), Text(each.then))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name.endswith("after") or name in {"late", "took"} else "left",
            header_style="dim",
            no_wrap=name != columns[-1],  # where space is short, only the last one gives way
        )
    return table


def _coloured(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _ms(length: dt.timedelta) -> str:
    return f"{length / dt.timedelta(milliseconds=1):,.0f} ms"


def _after(length: dt.timedelta | None) -> str:
    return "" if length is None else _ms(length)


def _clock(moment: str) -> str:
    return f"{dt.datetime.fromisoformat(moment):%H:%M:%S.%f}"[:-3] + " UTC"


def _shown(request: Mapping[str, Any]) -> str:
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in request.items()]
    return "{" + ",\n ".join(members) + "}"


def _places(url: str, inbox_url: str) -> Iterator[tuple[str, str, str]]:
    yield "Bell", f"{url}/", "a shop's page, with Ann's bell, feed and preferences"
    yield "Centre", f"{url}/notifications/", "all of them on a page of its own"
    yield "Inbox", f"{inbox_url}/", "all that was sent; a newsletter's footer opens the preference page"
    yield "Admin", f"{url}/admin/", f"user {ADMIN}, password {ADMIN}"
    yield "API docs", f"{url}/api/docs", ""


def _curl(url: str, key: str) -> str:
    return (
        f"curl {url}{API}/notifications/send \\\n"
        f'  -H "Authorization: Bearer {key}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        '  -d \'{"recipient": "ann", "template": "order-shipped",\n'
        '       "data": {"name": "Ann", "order": "A-107"}}\''
    )
