"""Two web processes and no sticky sessions: one is killed, and its clients go on at the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException

from notifications.tests.event_source import open_stream
from notifications.tests.feeds import new_item, tell
from notifications.tests.web import open_tab, wait_until, web_server
from preferences.models import Recipient
from preferences.tests.factories import create_recipient
from tenants.authentication import mint_recipient_token
from tenants.tests.factories import create_tenant

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

PEOPLE, ROUNDS, KILLED_AFTER = 12, 60, 20
LOST = (OSError, WebSocketException, HTTPException, EOFError)


@dataclass
class Follower:
    """A client as `docs/live-feed.md` has it: goes on elsewhere when it is cut off, until it has all."""

    token: str
    addresses: list[str]
    follow: Callable[[Follower, str], None]
    seqs: list[int] = field(default_factory=list)
    times_in: int = 0

    @property
    def last(self) -> int:
        return self.seqs[-1] if self.seqs else 0

    def until(self, total: int) -> list[int]:
        place = 0
        while self.last < total:
            with suppress(*LOST):
                self.follow(self, self.addresses[place % len(self.addresses)])
            place += 1
        return self.seqs


def by_socket(follower: Follower, address: str) -> None:
    """Passes over what it has, and asks when a number is missing."""
    with open_tab(address, follower.token) as tab:
        tab.say("resume", {"after": follower.last})
        while follower.last < ROUNDS:
            frame = tab.next()
            if frame["type"] == "notifications:catch-up-complete":
                follower.times_in += 1
            seq = frame.get("seq", 0)
            if seq == follower.last + 1:
                follower.seqs.append(seq)
            elif seq > follower.last:
                tab.say("resume", {"after": follower.last})


def by_stream(follower: Follower, address: str) -> None:
    """Takes what comes: a stream promises order, once."""
    with open_stream(address, follower.token, str(follower.last)) as stream:
        stream.hear("connected")
        follower.times_in += 1
        while follower.last < ROUNDS:
            event = stream.next()
            if event.type == "notification:new":
                follower.seqs.append(event.data["seq"])


def clients_of(people: Sequence[Recipient], addresses: list[str]) -> Iterator[Follower]:
    """A socket and a stream for each, at the one process first for every other person."""
    for number, person in enumerate(people):
        token, _ = mint_recipient_token(person.tenant, person.external_id, person.type)
        for follow in (by_socket, by_stream):
            yield Follower(token, addresses if number % 2 else addresses[::-1], follow)


def test_nothing_is_lost_or_doubled_or_turned_round(tmp_path: Path) -> None:
    tenant = create_tenant()
    people = [create_recipient(tenant) for _ in range(PEOPLE)]
    with ExitStack() as stack:
        one, two = (stack.enter_context(web_server(tmp_path / name)) for name in ("one", "two"))
        followers = list(clients_of(people, [one.address, two.address]))
        pool = stack.enter_context(ThreadPoolExecutor(len(followers)))
        results = [pool.submit(follower.until, ROUNDS) for follower in followers]
        wait_until(lambda: all(follower.times_in for follower in followers), "all are connected")
        for number in range(ROUNDS):
            tell(people[0], *(new_item(person) for person in people))
            if number == KILLED_AFTER:
                two.process.kill()
        seen = [result.result(120) for result in results]
    assert seen == [list(range(1, ROUNDS + 1))] * (2 * PEOPLE)
    assert sum(follower.times_in > 1 for follower in followers) >= PEOPLE
