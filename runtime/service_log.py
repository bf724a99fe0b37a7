"""The process's own log: one line for each event, to standard error, as logfmt or JSON.

Whatever text an event carries (a hostile header, a traceback) it stays one line: values are quoted as JSON strings.
Decisions are not events; they go to the decision log.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

#: Everything of peergate logs below this name; libraries are heard from WARNING on.
LOGGER_NAME = "peergate"

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+-]+")


class LogFormat(StrEnum):
    """How a line of the service log is written."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def service_logger(part: str) -> logging.Logger:
    """The logger of one part of peergate. Facts go into `extra={"facts": {name: value}}`, not into the message."""
    return logging.getLogger(f"{LOGGER_NAME}.{part}")


def start_service_log(
    log_format: LogFormat = LogFormat.LOGFMT, level: LogLevel = LogLevel.INFO, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (default: standard error). Calling it again replaces the last."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLine() if log_format is LogFormat.JSON else _LogfmtLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER_NAME).setLevel(level.upper())
    # A log that cannot be written must not print tracebacks to the same place, over and over.
    logging.raiseExceptions = False


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(dict(_facts(record)), default=str, separators=(",", ":"))


class _LogfmtLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_logfmt_value(value)}" for name, value in _facts(record))


def _facts(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    yield "time", moment.replace("+00:00", "Z")
    yield "level", record.levelname.lower()
    yield "pid", record.process
    yield "part", record.name.removeprefix(f"{LOGGER_NAME}.")
    yield "message", record.getMessage()
    yield from getattr(record, "facts", {}).items()
    if record.exc_info:
        yield "traceback", logging.Formatter().formatException(record.exc_info)


def _logfmt_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
