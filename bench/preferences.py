"""`python -m bench preferences`: what it costs to decide whether and when people are told, by four channels.

The people differ: switches by channel, category and template, quiet hours in zones all over the world, some
asleep and some suppressed; the category has sending hours. Each round asks at another moment, so that nothing
kept from the last one helps. "Decided" is CPU of the rules alone; "read" is CPU of this process for fetching
all that they need and making people of it, PostgreSQL's own not counted.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any
from zoneinfo import available_timezones

import django

django.setup(set_prefix=False)  # first: what follows reads settings

import orjson  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bench.options import PreferenceOptions, parse  # noqa: E402
from preferences.categories import categories  # noqa: E402
from preferences.directory import Key, resolve  # noqa: E402
from preferences.models import Category, Device, Preference, Recipient  # noqa: E402
from preferences.policies import policy_of  # noqa: E402
from preferences.rules import (  # noqa: E402
    CategoryRule,
    Circumstances,
    Decision,
    Person,
    Policy,
    decide,
    jitter,
)
from preferences.suppressions import suppress  # noqa: E402
from tenants.context import tenant_scope  # noqa: E402
from tenants.ids import new_id  # noqa: E402
from tenants.models import Tenant  # noqa: E402

CHANNELS = ("in_app", "email", "sms", "push")
ROUNDS = 9
DECIDED_MS, QUERIES = 50.0, 4
"""What Carillon promises itself for 1,000 people, and however many there are."""

_WORKDAYS = {"start": "08:00", "end": "21:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]}


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of CPU, medians; `became` counts the decisions by what they say."""

    people: int
    decided_ms: float
    read_ms: float
    queries: int
    became: dict[str, int]

    @property
    def kept(self) -> bool:
        return self.decided_ms <= DECIDED_MS * self.people / 1000 and self.queries <= QUERIES


def main(options: PreferenceOptions) -> int:
    call_command("migrate", verbosity=0)
    measured = measure(*populate(options.n))
    if options.json:
        document = {name: getattr(measured, name) for name in Measured.__slots__} | {"kept": measured.kept}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(table(measured))
    return 0 if measured.kept else 1


def populate(n: int) -> tuple[Tenant, list[Key]]:
    """A tenant with so many people, of whom each says something else."""
    tenant = Tenant.objects.create(slug=f"bench-{new_id()}"[:63], name="Bench", holidays=["12-25"])
    Category.objects.create(
        tenant=tenant, code="news", name="News", sending_hours=_WORKDAYS, skips_holidays=True
    )
    zones = sorted(available_timezones())
    people = [_recipient(tenant, number, zones[number * 7 % len(zones)]) for number in range(n)]
    with tenant_scope(tenant.pk):
        Recipient.objects.bulk_create(people)
        Device.objects.bulk_create(
            Device(tenant=tenant, recipient=who, token=f"token-{who.external_id}") for who in people
        )
        Preference.objects.bulk_create(
            Preference(tenant=tenant, recipient=who, level=level, key=key, channel=channel, enabled=enabled)
            for number, who in enumerate(people)
            for level, key, channel, enabled in _SWITCHES[number % len(_SWITCHES)]
        )
    suppress(tenant.pk, [("email", who.email, "bounced") for who in people[::20]])
    return tenant, [(who.type, who.external_id) for who in people]


_SWITCHES: list[list[tuple[str, str, str, bool]]] = [
    [],
    [("channel", "", "sms", False)],
    [("category", "news", "email", False), ("template", "weekly", "email", True)],
    [],
    [("template", "weekly", "push", False), ("channel", "", "push", True)],
]


def _recipient(tenant: Tenant, number: int, zone: str) -> Recipient:
    start, end = 20 + number % 4, 5 + number % 5
    quiet = {"enabled": True, "start": f"{start}:{number % 4 * 15:02}", "end": f"{end:02}:00"}
    return Recipient(
        tenant=tenant,
        external_id=f"person-{number}",
        email=f"person-{number}@example.com",
        phone=f"+1202555{number % 10_000:04}",
        timezone=zone,
        quiet_hours=quiet if number % 2 else None,
        do_not_disturb_until=timezone.now() + dt.timedelta(days=1) if number % 50 == 0 else None,
    )


def measure(tenant: Tenant, keys: list[Key]) -> Measured:
    decided, read, queries = [], [], 0
    became: dict[str, int] = {}
    for number in range(ROUNDS):
        used, (people, rule, policy), queries = _read(tenant, keys)
        read.append(used)
        now = timezone.now() + dt.timedelta(hours=number * 7)
        used, decisions = _timed(lambda: _decided(people, rule, policy, now))  # noqa: B023 - called at once
        decided.append(used)
        for made in decisions:
            word = (
                ("hold" if made.allowed else "expire") if made.hold else "deliver" if made.allowed else "skip"
            )
            became[word] = became.get(word, 0) + 1
    return Measured(len(keys), median(decided), median(read), queries, became)


def _decided(people: list[Person], rule: CategoryRule, policy: Policy, now: dt.datetime) -> list[Decision]:
    deadline = now + dt.timedelta(days=2)
    found = []
    for person in people:
        assert person.id is not None
        asked = Circumstances(now, deadline=deadline, jitter=jitter(person.id))
        for channel in CHANNELS:
            found += decide(person, channel, rule, template="weekly", policy=policy, asked=asked)
    return found


def _read(tenant: Tenant, keys: list[Key]) -> tuple[float, tuple[list[Person], CategoryRule, Policy], int]:
    statements: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with tenant_scope(tenant.pk), connection.execute_wrapper(count):
        used, found = _timed(
            lambda: (
                list(resolve(tenant, keys).values()),
                categories(tenant.pk)["news"],
                policy_of(tenant),
            )
        )
    return used, found, len(statements)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    found = work()
    return (time.process_time() - began) * 1000, found


def table(measured: Measured) -> Table:
    table = Table(
        title=f"{measured.people:,} people by {len(CHANNELS)} channels: whether and when", min_width=72
    )
    for name in ("", "measured", "wanted"):
        table.add_column(name, justify="left" if not name else "right")
    wanted = DECIDED_MS * measured.people / 1000
    table.add_row("decided, CPU", f"{measured.decided_ms:.1f} ms", f"≤ {wanted:.0f} ms")
    table.add_row("read, CPU", f"{measured.read_ms:.1f} ms", "")
    table.add_row("queries", str(measured.queries), f"≤ {QUERIES}")
    told = ", ".join(f"{number / ROUNDS:,.0f} {word}" for word, number in sorted(measured.became.items()))
    table.add_row("decisions a round", told, "")
    table.add_row("kept", "[green]yes[/]" if measured.kept else "[red]no[/]", "")
    return table


if __name__ == "__main__":
    asked_for = parse(sys.argv[1:])
    assert isinstance(asked_for, PreferenceOptions)
    sys.exit(main(asked_for))
