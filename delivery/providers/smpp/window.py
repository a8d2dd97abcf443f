"""How many requests may wait for their answers at once, less of them after an SMSC said it was too many."""

from __future__ import annotations

import asyncio
from collections import deque

PAUSE = 1.0
"""Seconds without a new request after 'too fast'. The specification names none; a second is what limits are
counted by."""


class Window:
    """As TCP does it: half as wide after each complaint, wider by one for each window of answers."""

    def __init__(self, width: int) -> None:
        self._widest, self._width = width, float(width)
        self._taken, self._paused = 0, False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def width(self) -> int:
        return int(self._width)

    async def enter(self) -> None:
        """Wait for a place. It has to be left again."""
        if not self._waiting and self._is_open():
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._taken -= 1
        self._let_in()

    def answered(self) -> None:
        self._width = min(self._widest, self._width + 1 / self._width)

    def too_fast(self) -> None:
        """Once for each pause: what was under way when the SMSC complained says nothing new."""
        if self._paused:
            return
        self._width, self._paused = max(1.0, self._width / 2), True
        asyncio.get_running_loop().call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._paused = False
        self._let_in()

    def _is_open(self) -> bool:
        return not self._paused and self._taken < int(self._width)

    def _let_in(self) -> None:
        while self._waiting and self._is_open():
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
