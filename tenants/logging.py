"""One line a record: time, level, logger, message, request id, and the structured ids given as `extra`.

Messages are constants; what varies is an id. Never a body, an address or a key.
"""

import logging
import re
import time
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import date
from types import TracebackType
from uuid import UUID

request_id: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Libraries log whole requests, tasks and arguments as `extra`: whatever could hold a body is left out.
_IDS = (str, int, float, UUID, date)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        tail = "".join(f" {key}={_one_line(value)}" for key, value in _ids(record).items())
        message = _one_line(record.getMessage())
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {message}{tail}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802
        """The frames; of each error its type and first line: others, say PostgreSQL's DETAIL, quote data."""
        parts = [
            "".join(traceback.format_tb(error.__traceback__))
            + f"{type(error).__qualname__}: {_first_line(error)}"
            for error in _chain(ei[1])
        ]
        return "\ncaused:\n".join(reversed(parts))


def without_tokens(record: logging.LogRecord) -> bool:
    """A filter for the loggers of uvicorn and Django, which write addresses: a query may hold a token.

    So does the address of a hosted page.
    """
    if isinstance(record.args, tuple):
        record.args = tuple(_without_token(arg) for arg in record.args)
    return True


_SEALED = re.compile(r"^/(unsubscribe|preferences)/.+")


def _without_token(arg: object) -> object:
    if not (isinstance(arg, str) and arg.startswith("/")):
        return arg
    return _SEALED.sub(r"/\1/…", arg.partition("?")[0])


def _ids(record: logging.LogRecord) -> dict[str, object]:
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    ids: dict[str, object] = {key: value for key, value in extra.items() if isinstance(value, _IDS)}
    if current := request_id.get():
        ids["request_id"] = current
    return ids


def _one_line(value: object) -> str:
    """What came from outside must not be able to begin a line that we seem to have written."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
