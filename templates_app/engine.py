"""The template engine, a program of its own: `python -P engine.py`, spoken to by `templates_app.workshop`.

Templates are written by tenants, so rendering one must not be able to harm the worker that sends for all of
them. MiniJinja bounds the instructions (`fuel`), the recursion and `range`, but not memory: `{{ "a" * n }}`,
`x ~ x` in a loop, `|format("%999999999d")` take whatever there is; when an allocation fails Rust aborts the
process, and a long chain of operators overflows the stack of the compiler. None of that is an exception that
could be caught. Therefore it happens here, in a child with a ceiling on its memory and a limit on the CPU
time of each step; when a template is too much the child dies alone, at once, and is replaced. A child also
holds no secret and no connection, and its data are copies: Python's own methods on dicts and lists, which the
binding leaves callable, find nothing here that they could change.

Commands are JSON arrays, one a line, answered in order once an empty line has come:

    ["load", key, {part: source}]           keep these parts under `key`             no answer
    ["drop", key]                           forget them                              no answer
    ["render", key, data, locale, zone]     the parts with the data in them          words | error
    ["inspect", {part: source}]             the names that the sources need          [name, …] | error
    ["compile", content, layout | null]     a mail's sources: `markup.compiling`     {html, text} | error

Words are `[subject, title, body, html, overrides]`; an error is `{"code", "message", "part", "line"}`. A part
`text` is the body of a mail that was made from its HTML.
"""

import re
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import orjson
from minijinja import Environment, TemplateError

from templates_app.filters import Voice
from templates_app.markup.errors import MarkupError
from templates_app.markup.tidying import tidy
from templates_app.values import FilterError

Result = TypeVar("Result")

PARTS = ("subject", "title", "body", "html", "overrides")
_BODY = PARTS.index("body")
FUEL = 100_000  # instructions a part: some 10,000 turns of a loop, 5 ms
CPU_SECONDS = 0.5  # a step; CPU time, so that a busy machine condemns nobody
COMPILE_SECONDS = 2.0  # once a version, with what it loads for it
MEMORY_BYTES = 128 << 20  # address space; an idle child has 20 MB of it, one that compiled 50
WORDS_BYTES = 256 << 10  # what a message may weigh; mail programs cut off at 100 KB

_ESCAPES: dict[str, bool | str] = {"html": True, "overrides": "json"}
_NOT_DATA = {"self", "super", "caller", "loop"}
_ENDLESS = ("too many elements", "recursion limit exceeded")
_UNESCAPING = re.compile(r"\{%[-+]?\s*autoescape\b")
_PATH = re.compile(r"[^\W\d][\w.]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# Python's method where a key is missing, as in `{{ order.items }}`: to the author it is an absent value.
_METHOD = " object at 0x"


class StepError(Exception):
    def __init__(self, code: str, message: str, part: str | None = None, line: int | None = None) -> None:
        self.answer = {"code": code, "message": message, "part": part, "line": line}


class Content:
    """The compiled parts of one content. Each has its own environment: `{% include %}` finds no other's."""

    def __init__(self, sources: dict[str, str], voice: Voice) -> None:
        self.sources = sources
        if _UNESCAPING.search(sources.get("html", "")):
            raise StepError(
                "template_error", "What is HTML in the data is written by |sanitize, not unescaped.", "html"
            )
        self.environment = Environment(
            fuel=FUEL,
            undefined_behavior="strict",
            auto_escape_callback=lambda name: _ESCAPES.get(name, False),
            pycompat=False,
            debug=False,
            filters=voice.filters(),
        )
        self.environment.remove_global("debug")
        for part, source in sources.items():
            self._try(part, partial(self.environment.add_template, part, source))

    def render(self, data: dict[str, Any]) -> bytes:
        words = [self._render_part(part, data) if part in self.sources else "" for part in PARTS]
        if "text" in self.sources:
            words[_BODY] = tidy(self._render_part("text", data))
        answer = orjson.dumps(words)
        if b"\\u00" in answer:  # perhaps made by an escape in the source, such as "\0"
            answer = orjson.dumps([_CONTROL.sub("", text) for text in words])
        if len(answer) > WORDS_BYTES:
            raise _too_long()
        return answer

    def variables(self) -> set[str]:
        found: set[str] = set()
        for part, source in self.sources.items():
            found |= self._try(part, partial(self.environment.undeclared_variables_in_str, source))
        return found - self.environment.globals.keys() - _NOT_DATA

    def _render_part(self, part: str, data: dict[str, Any]) -> str:
        text = self._try(part, lambda: self.environment.render_template(part, **data))
        if len(text) > WORDS_BYTES:
            raise _too_long(part)
        if _METHOD in text:
            raise StepError("missing_variable", "A value that the template prints is not in the data.", part)
        if part == "overrides":
            return _object(text)
        # A line break would end a mail header.
        return text if part in ("body", "html", "text") else " ".join(text.split())

    def _try(self, part: str, step: Callable[[], Result]) -> Result:
        try:
            return step()
        except TemplateError as error:
            raise _failure(error, part, self.sources[part]) from None
        except FilterError as error:
            raise StepError(error.code, error.message, part) from None


def _failure(error: TemplateError, part: str, source: str) -> StepError:
    detail = error.detail or ""
    if error.kind == "UndefinedError":
        return StepError(
            "missing_variable", f"{_expression(error, source)} is not in the data.", part, error.line
        )
    if error.kind == "OutOfFuel" or any(sign in detail for sign in _ENDLESS):
        return StepError(
            "template_too_expensive", "It does not end within the allowed work.", part, error.line
        )
    message = error.message.split(" (in ")[0]
    return StepError("template_error", f"{message[:1].upper()}{message[1:]}.", part, error.line)


def _expression(error: TemplateError, source: str) -> str:
    """What the template asked for, e.g. `order.id`; the engine points at a piece of it, in bytes."""
    at = len(source.encode()[: (error.range or (0, 0))[0]].decode(errors="ignore"))
    return next(
        (found[0] for found in _PATH.finditer(source) if found.start() <= at < found.end()), "A value"
    )


def _object(text: str) -> str:
    """A JSON object, or nothing: the data may have left it empty."""
    try:
        is_object = not text.strip() or isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError as error:
        raise StepError("template_error", f"It makes no JSON: {error}.", "overrides") from None
    if not is_object:
        raise StepError("template_error", "It makes JSON, but no object.", "overrides")
    return text.strip()


def _too_long(part: str | None = None) -> StepError:
    return StepError("template_too_expensive", f"It makes more than {WORDS_BYTES >> 10} KB.", part)


class Engine:
    def __init__(self) -> None:
        self.sources: dict[str, dict[str, str]] = {}
        self.compiled: dict[str, Content] = {}
        self.voice = Voice()

    def obey(self, command: list[Any]) -> bytes | None:
        match command:
            case ["load", key, sources]:
                self.sources[key] = sources
            case ["drop", key]:
                self.sources.pop(key)
                self.compiled.pop(key, None)
            case ["render", key, data, locale, timezone]:
                self.voice.locale, self.voice.timezone = locale, timezone
                return self._answer(lambda: self._content(key).render(data))
            case ["inspect", sources]:
                return self._answer(lambda: orjson.dumps(sorted(Content(sources, self.voice).variables())))
            case ["compile", content, layout]:
                return self._answer(lambda: _compiled(content, layout))
        return None

    def _content(self, key: str) -> Content:
        if key not in self.compiled:
            self.compiled[key] = Content(self.sources[key], self.voice)
        return self.compiled[key]

    def _answer(self, step: Callable[[], bytes]) -> bytes:
        try:
            return step()
        except StepError as error:
            return orjson.dumps(error.answer)


def _compiled(content: Any, layout: Any) -> bytes:
    from templates_app.markup.compiling import compiled  # noqa: PLC0415 - only where templates are published

    signal.setitimer(signal.ITIMER_PROF, COMPILE_SECONDS)
    try:
        return orjson.dumps(compiled(content, layout))
    except MarkupError as error:
        raise StepError("template_error", str(error), "html") from None


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    engine, answers = Engine(), list[bytes]()
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # unhandled, SIGPROF ends the process
        if line != b"\n":
            answer = engine.obey(orjson.loads(line))
            answers += [] if answer is None else [answer]
            continue
        sys.stdout.buffer.write(b"".join(answer + b"\n" for answer in answers))
        sys.stdout.buffer.flush()
        answers.clear()


if __name__ == "__main__":
    main()
