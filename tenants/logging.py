"""One line a record: time, level, logger, message, request id, and the structured ids given as `extra`.

Messages are constants; what varies is an id. Never a body, an address or a key.
"""

import logging
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}


class LineFormatter(logging.Formatter):
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        ids = {
            key: value for key, value in vars(record).items() if key not in _STANDARD
        }
        if current := request_id.get():
            ids["request_id"] = current
        tail = "".join(f" {key}={value}" for key, value in ids.items())
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {record.getMessage()}{tail}"
        return (
            f"{line}\n{self.formatException(record.exc_info)}"
            if record.exc_info
            else line
        )
