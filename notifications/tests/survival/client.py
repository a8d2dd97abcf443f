"""A service that sends while everything breaks: it keeps asking, with the same key, until it is answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from config.tests.processes import wait_until
from notifications.tests.calls import NOTIFICATIONS

GIVES_UP = 90.0  # seconds
_PAUSE = 0.1
_TURN = 20


@dataclass
class Client:
    """Sends notifications whose words and reference are their own name.

    `answers` counts the statuses of all answers, `broken` the connections that ended without one.
    """

    url: str
    key: str
    channels: Sequence[str]
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    slowest: float = 0.0
    given_up: bool = False

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # this machine is not behind the proxy the environment names
        self._session.headers["Authorization"] = f"Bearer {self.key}"

    @property
    def calls(self) -> int:
        return sum(self.answers.values()) + self.broken

    def wait_for(self, status: int) -> None:
        """Until it has been answered so."""
        wait_until(lambda: self.answers[status] > 0, GIVES_UP)

    def send(self, names: Sequence[str]) -> None:
        """By both doors: of each twenty the first alone, at once, and the others as a batch."""
        with self._session:
            for start in range(0, len(names), _TURN):
                first, *others = (self._notification(name) for name in names[start : start + _TURN])
                self._insist("send", {**first, "priority": "high"}, names[start])
                if others:
                    answer = self._insist("send-batch", {"notifications": others}, f"{names[start]}-others")
                    assert answer["accepted"] == len(others), answer

    def _notification(self, name: str) -> dict[str, Any]:
        words = {"subject": name, "body": name}
        return {"recipient": "ann", "content": words, "reference": name, "channels": list(self.channels)}

    def _insist(self, door: str, body: dict[str, Any], key: str) -> Any:
        deadline = time.monotonic() + GIVES_UP
        while not self.given_up:
            assert time.monotonic() < deadline, f"{key} was not accepted in time: {self.answers}"
            answer = self._try(door, body, key)
            if answer is not None and answer.status_code == 202:
                return answer.json()
            time.sleep(_PAUSE)
        raise InterruptedError("the test has failed meanwhile")

    def _try(self, door: str, body: dict[str, Any], key: str) -> requests.Response | None:
        began = time.monotonic()
        try:
            url = f"{self.url}{NOTIFICATIONS}/{door}"
            answer = self._session.post(url, json=body, headers={"Idempotency-Key": key}, timeout=10)
        except requests.RequestException:
            self.broken += 1
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[answer.status_code] += 1
        assert answer.status_code in {202, 409, 503}, answer.text
        if answer.status_code != 202:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["Retry-After"]
        return answer


@contextmanager
def sending(client: Client, names: Sequence[str]) -> Iterator[None]:
    """`client` sends from a thread of its own meanwhile; at the end of the block all has been accepted."""
    failures: list[BaseException] = []
    thread = threading.Thread(target=_keep, args=(failures, client, names), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        client.given_up = True  # the next test has the installation to itself
        raise
    finally:
        thread.join(GIVES_UP)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def _keep(failures: list[BaseException], client: Client, names: Sequence[str]) -> None:
    try:
        client.send(names)
    except BaseException as error:
        failures.append(error)
