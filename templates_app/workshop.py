"""Where templates are rendered: a child process that runs `engine.py`, and what to do when one kills it."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_PROGRAM = Path(__file__).with_name("engine.py")
_ENVIRONMENT = ("PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")  # no secret goes with it
_IMPORTS_FROM = os.pathsep.join(filter(None, [str(_PROGRAM.parent.parent), os.environ.get("PYTHONPATH")]))
_KEPT = 512  # compiled contents a child keeps, the latest used
_BATCH = 200  # renders an exchange: bounds what their answers hold in memory
_STRIKES = 2  # a content that killed the child so often is not tried again in the same call
_JSON = orjson.OPT_NON_STR_KEYS


class Words(NamedTuple):
    """What a message says. Empty where the channel has no such part."""

    subject: str = ""
    title: str = ""
    body: str = ""
    html: str = ""
    overrides: str = ""


class RenderError(Exception):
    """Why there are no words.

    `code`: template_missing_content, missing_variable, template_too_expensive or template_error.
    `part` and `line` say where in the content, if that is known.
    """

    def __init__(self, code: str, message: str, part: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.part, self.line = code, message, part, line


@dataclass(frozen=True, slots=True)
class Job:
    """`key` names the sources: whoever gives a key gives the same sources with it, always.

    `locale` (BCP 47) and `timezone` (IANA) are those that dates, money and plurals are written in.
    """

    key: str
    sources: Mapping[str, str]
    data: Mapping[str, Any]
    locale: str = "en"
    timezone: str = "UTC"


class ChildDiedError(Exception):
    """The engine ended before it answered: what it was given is too much for it."""


class Workshop:
    """One child, made when it is first needed and whenever the last has died. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._loaded: OrderedDict[str, None] = OrderedDict()

    def render(self, jobs: Sequence[Job]) -> list[Words | RenderError]:
        """One answer a job, in order. One that is too much costs its neighbours time, not their answers."""
        answers: list[Words | RenderError] = []
        for start in range(0, len(jobs), _BATCH):
            answers += self._render_batch(jobs[start : start + _BATCH])
        return answers

    def variables(self, sources: Mapping[str, str]) -> list[str]:
        """The names that sources take from the data. Raises RenderError when one of them does not compile."""
        answer = self._ask("inspect", sources)
        if isinstance(answer, dict):
            raise RenderError(**answer)
        return list(answer)

    def compile(self, content: Mapping[str, str], layout: Mapping[str, str] | None) -> dict[str, str]:
        """The sources `{"html", "text"}` of a mail: see `markup.compiling`. Raises RenderError."""
        answer: dict[str, Any] = self._ask("compile", content, layout)
        if "code" in answer:
            raise RenderError(**answer)
        return answer

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
        self.forget()

    def forget(self) -> None:
        """After a fork: the child belongs to the other process."""
        self._lock = threading.Lock()
        self._child = None
        self._loaded.clear()

    def _ask(self, *command: Any) -> Any:
        """Tried a second time by a fresh child: the first may have had little memory left from others."""
        for _ in range(_STRIKES):
            with contextlib.suppress(ChildDiedError):
                (answer,) = self._exchange([orjson.dumps(command)])
                return answer
        raise _too_much()

    def _render_batch(self, jobs: Sequence[Job]) -> list[Words | RenderError]:
        try:
            return self._render_together(jobs)
        except ChildDiedError:
            return list(self._render_apart(jobs))

    def _render_apart(self, jobs: Sequence[Job]) -> Iterable[Words | RenderError]:
        deaths: Counter[str] = Counter()
        for job in jobs:
            if deaths[job.key] >= _STRIKES:
                yield _too_much()
                continue
            try:
                yield from self._render_together([job])
            except ChildDiedError:
                deaths[job.key] += 1
                yield _too_much()

    def _render_together(self, jobs: Sequence[Job]) -> list[Words | RenderError]:
        lines, refused = [], {}
        for index, job in enumerate(jobs):
            try:
                command = ("render", job.key, job.data, job.locale, job.timezone)
                lines.append(orjson.dumps(command, option=_JSON))
            except orjson.JSONEncodeError as error:
                refused[index] = RenderError("template_error", f"The data are not JSON: {error}.")
        answers = iter(self._exchange(lines, {job.key: job.sources for job in jobs}))
        return [refused.get(index) or _result(next(answers)) for index in range(len(jobs))]

    def _exchange(
        self, lines: list[bytes], contents: Mapping[str, Mapping[str, str]] | None = None
    ) -> list[Any]:
        with self._lock:
            child = self._running()
            loads = self._loads(contents or {})
            try:
                return _converse(child, [*loads, *lines, b"", b""], len(lines))
            except (BrokenPipeError, orjson.JSONDecodeError):
                self._bury(child)
                raise ChildDiedError from None
            except BaseException:  # interrupted halfway: the next exchange would read this one's answers
                self._bury(child)
                raise

    def _loads(self, contents: Mapping[str, Mapping[str, str]]) -> list[bytes]:
        """What to tell the child first, so that it knows these contents and not too many others."""
        loads = [orjson.dumps(["load", key, contents[key]]) for key in contents if key not in self._loaded]
        for key in contents:
            self._loaded[key] = None
            self._loaded.move_to_end(key)
        while len(self._loaded) > max(_KEPT, len(contents)):
            key, _ = self._loaded.popitem(last=False)
            loads.append(orjson.dumps(["drop", key]))
        return loads

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,  # its end, when we end, is the child's end
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours to handle: the chunk in hand is still rendered
                env={
                    "PYTHONPATH": _IMPORTS_FROM,
                    **{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                },
            )
        return self._child

    def _bury(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        with contextlib.suppress(BrokenPipeError):
            child.communicate()
        self._child = None
        self._loaded.clear()


def _converse(child: subprocess.Popen[bytes], lines: list[bytes], answers: int) -> list[Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"\n".join(lines))
    child.stdin.flush()
    return [orjson.loads(child.stdout.readline()) for _ in range(answers)]


def _result(answer: Any) -> Words | RenderError:
    return Words(*answer) if isinstance(answer, list) else RenderError(**answer)


def _too_much() -> RenderError:
    return RenderError("template_too_expensive", "It takes more memory or time than a message may.")


workshop = Workshop()
atexit.register(workshop.close)
os.register_at_fork(after_in_child=workshop.forget)
