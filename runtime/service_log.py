"""The process's own log: one line for each event, to standard error, as logfmt or JSON.

An application that logs in its own way (the middleware) reads the facts of an event after its message.
Whatever text an event carries (a hostile header, a traceback) it stays one line: values are quoted as JSON strings.
Decisions are not events; they go to the decision log.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
    logger = logging.getLogger(f"{LOGGER_NAME}.{part}")
    logger.addFilter(_tell_facts)
    return logger


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


@dataclass(frozen=True, slots=True)
class _Event:
    """A message with its facts: one text for formatters that know nothing of facts, two things for those below."""

    message: str
    facts: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.message}: {_logfmt(self.facts.items())}"


def _tell_facts(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass."""
    facts = getattr(record, "facts", None)
    if facts:
        record.msg, record.args = _Event(record.getMessage(), facts), None
    return True


def message_of(record: logging.LogRecord) -> str:
    """The message of an event, without its facts."""
    return record.msg.message if isinstance(record.msg, _Event) else record.getMessage()


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(dict(_facts(record)), default=str, separators=(",", ":"))


class _LogfmtLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _logfmt(_facts(record))


def _facts(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    yield "time", moment.replace("+00:00", "Z")
    yield "level", record.levelname.lower()
    yield "pid", record.process
    yield "part", record.name.removeprefix(f"{LOGGER_NAME}.")
    yield "message", message_of(record)
    yield from getattr(record, "facts", {}).items()
    if record.exc_info:
        yield "traceback", logging.Formatter().formatException(record.exc_info)


def _logfmt(facts: Iterable[tuple[str, object]]) -> str:
    return " ".join(f"{name}={_logfmt_value(value)}" for name, value in facts)


def _logfmt_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
