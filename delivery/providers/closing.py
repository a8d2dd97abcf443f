"""What providers keep beyond a chunk, and how it is let go when a process or a thread of theirs ends."""

from __future__ import annotations

from collections.abc import Callable

_at_end: list[Callable[[], None]] = []
_at_thread_end: list[Callable[[], None]] = []


def at_end(close: Callable[[], None]) -> None:
    """Have `close` called when the process goes away. It may be called more than once."""
    _at_end.append(close)


def close_all() -> None:
    for close in _at_end:
        close()


def at_thread_end(close: Callable[[], None]) -> None:
    """Have `close` called in each thread of a provider's own when that thread ends."""
    _at_thread_end.append(close)


def thread_ends() -> None:
    """What a provider calls last in a thread of its own that reported anything."""
    for close in _at_thread_end:
        close()
