"""What every serve command can be told, and the readers of its values. How values are found: `runtime.settings`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeVar

from policies.language.names import NAME_PATTERN
from runtime.address import Address, address_from_text
from runtime.errors import ConfigurationError
from runtime.limits import MAX_DRAIN_SECONDS, MAX_WORKERS
from runtime.service_log import LogFormat, LogLevel
from runtime.settings import Setting

Word = TypeVar("Word", bound=StrEnum)

#: RFC 9110 §5.6.2 token.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")


def text_from_text(text: str) -> str:
    """Any text but an empty one, such as a path."""
    if not text or "\0" in text:
        raise ConfigurationError("it is empty, or holds a NUL")
    return text


def header_names_from_text(text: str) -> str:
    """A comma list of header names, lower-cased."""
    for name in text.split(","):
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} is no header name; write names with commas between, without blanks")
    return text.lower()


def flag_from_text(text: str) -> bool:
    """`true` or `false`, and no other word: a mistyped one must not switch a safeguard off."""
    if text not in {"true", "false"}:
        raise ConfigurationError(f"{text!r} is neither true nor false")
    return text == "true"


def seconds_from_text(text: str) -> float:
    """Seconds, from 0 to an hour."""
    if not _SECONDS.fullmatch(text) or float(text) > MAX_DRAIN_SECONDS:
        raise ConfigurationError(f"{text!r} is no number of seconds from 0 to {MAX_DRAIN_SECONDS}")
    return float(text)


def workers_from_text(text: str) -> int:
    """A number of processes."""
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_WORKERS))
    if not digits or not 1 <= int(text) <= MAX_WORKERS:
        raise ConfigurationError(f"{text!r} is no number from 1 to {MAX_WORKERS}")
    return int(text)


def entry_name_from_text(text: str) -> str:
    """The name of a trust entry, if it can be one."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise ConfigurationError(f"{text!r} is no name of a trust entry")
    return text


def word_reader(kind: type[Word]) -> Callable[[str], Word]:
    """A reader for one word of a closed list."""

    def word_from_text(text: str) -> Word:
        try:
            return kind(text)
        except ValueError:
            raise ConfigurationError(f"{text!r} is none of {', '.join(kind)}") from None

    return word_from_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfiguration:
    """What every serve command takes; an adapter's configuration is a subclass.

    `shadow_policy`: the next policy, asked beside `policy` and never enforced.

    `drain_seconds`: how long requests in flight may take after SIGTERM. A process that is told to end is gone 8 s later
    at the latest: give a pod `terminationGracePeriodSeconds` of 30 for the default.
    """

    policy: Annotated[str, Setting(text_from_text)]
    shadow_policy: Annotated[str | None, Setting(text_from_text)] = None
    ops: Annotated[Address | None, Setting(address_from_text)] = None
    workers: Annotated[int, Setting(workers_from_text)] = 1
    decision_log: Annotated[str, Setting(text_from_text)] = "-"
    observe: Annotated[bool, Setting(flag_from_text)] = False
    drain_seconds: Annotated[float, Setting(seconds_from_text)] = 20.0
    log_format: Annotated[LogFormat, Setting(word_reader(LogFormat))] = LogFormat.LOGFMT
    log_level: Annotated[LogLevel, Setting(word_reader(LogLevel))] = LogLevel.INFO
