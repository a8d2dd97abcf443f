import asyncio
import json
import time
from functools import partial
from typing import Any

import pytest
import requests

from sandbox.store import Content, Filters, Message, Store
from sandbox.testing import RunningSandbox

SMS = "/2010-04-01/Accounts/{account}/Messages.json"


def send(sandbox: RunningSandbox, to: str = "+15551234567", body: str = "hi", account: str = "AC1") -> None:
    answer = requests.post(
        sandbox.http_url + SMS.format(account=account),
        data={"To": to, "From": "+15005550006", "Body": body},
        auth=(account, "token"),
        timeout=5,
    )
    assert answer.status_code == 201


def message(to: str = "ann", size: int = 1, key: str | None = None) -> Message:
    parse = partial(Content, raw=to)
    return Message(
        channel="sms", provider="p", account="a", to=to, sender="s", size=size, parse=parse, key=key
    )


def test_it_works(sandbox: RunningSandbox) -> None:
    send(sandbox, body="first")
    send(sandbox, body="second")
    answer = requests.get(f"{sandbox.http_url}/api/messages", timeout=5)
    results = answer.json()["results"]
    assert [each["text"] for each in results] == ["second", "first"]
    assert set(results[0]) == {
        "id", "channel", "provider", "account", "to", "from", "subject", "text", "html", "title", "data",
        "headers", "received_at", "raw",
    }  # fmt: skip
    one = requests.get(f"{sandbox.http_url}/api/messages/{results[1]['id']}", timeout=5).json()
    assert one["text"] == "first"


def test_it_filters(sandbox: RunningSandbox) -> None:
    send(sandbox, "+15551230001", "Your code is 482")
    send(sandbox, "+15551230002", account="AC2")
    send(sandbox, "+15551230003")
    third, second, first = sandbox.messages()

    def found(**filters: Any) -> list[str]:
        """By id: their statuses go on meanwhile."""
        return [message["id"] for message in sandbox.messages(**filters)]

    assert found(to="+15551230002") == [second["id"]]
    assert found(account="AC2") == [second["id"]]
    assert found(since=first["id"]) == [third["id"], second["id"]]
    assert second["id"] in found(since=second["received_at"])
    assert found(since="2999-01-01T00:00:00+01:00") == []
    assert found(limit=1) == [third["id"]]
    assert found(q="CODE IS") == [first["id"]]
    assert found(channel="email") == found(provider="smtp") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "since=yesterday", "colour=red"])
def test_it_refuses_filters_it_does_not_know(sandbox: RunningSandbox, query: str) -> None:
    answer = requests.get(f"{sandbox.http_url}/api/messages?{query}", timeout=5)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == "/" + query.split("=", maxsplit=1)[0]


def test_it_forgets_when_told(sandbox: RunningSandbox) -> None:
    send(sandbox)
    [gone] = sandbox.messages()
    assert requests.delete(f"{sandbox.http_url}/api/messages", timeout=5).status_code == 204
    assert sandbox.messages() == []
    for path in (gone["id"], f"{gone['id']}/html", "nonsense"):
        assert requests.get(f"{sandbox.http_url}/api/messages/{path}", timeout=5).status_code == 404


def test_it_tells_of_changes_as_they_come(sandbox: RunningSandbox) -> None:
    with requests.get(f"{sandbox.http_url}/api/stream", stream=True, timeout=5) as stream:
        hints = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith(b"data: "))
        assert next(hints) == {"total": 0, "latest": None}
        send(sandbox)
        assert next(hints) == {"total": 1, "latest": sandbox.messages()[0]["id"]}


def test_it_shows_bytes_that_are_no_text(sandbox: RunningSandbox) -> None:
    """One strange message must not hide the others."""
    answer = requests.post(
        sandbox.http_url + SMS.format(account="AC1"),
        data=b"To=%2B15551234567&From=x&Body=hi",
        headers={"X-Strange": b"\xff", "Content-Type": "application/x-www-form-urlencoded"},
        auth=("AC1", "token"),
        timeout=5,
    )
    assert answer.status_code == 201
    assert len(sandbox.messages()) == 1


def test_it_keeps_the_newest_by_number_and_by_size() -> None:
    few, small = Store(capacity=2), Store(max_bytes=10)
    for store in (few, small):
        for to in ("first", "second", "third"):
            store.add(message(to, size=5, key=to))
        assert [each.to for each in store.find(Filters())] == ["third", "second"]
        assert store.by_key("first") is None
        assert store.by_key("third") is not None
    small.add(message("huge", size=11))
    assert [each.to for each in small.find(Filters())] == ["huge"]


def test_it_wakes_every_watcher() -> None:
    async def scenario() -> None:
        store = Store()
        with store.watch() as one, store.watch() as other:
            store.add(message())
            await asyncio.wait_for(asyncio.gather(one.wait(), other.wait()), 30)

    asyncio.run(scenario())


def test_it_finds_fast_among_many() -> None:
    store = Store()
    for number in range(10_000):
        store.add(message(str(number)))
    started = time.perf_counter()
    assert [each.to for each in store.find(Filters(to="0"))] == ["0"]
    assert time.perf_counter() - started < 3
