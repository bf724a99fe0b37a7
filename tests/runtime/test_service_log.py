"""The service log: one line for each event, whatever is in it."""

import io
import json
import logging
import pickle
from collections.abc import Iterator
from logging.handlers import QueueHandler
from queue import SimpleQueue

import pytest

from runtime.service_log import LogFormat, LogLevel, service_logger, start_service_log

HOSTILE = 'a\nlevel=error "b" \u2028 \x1b[31m \udc80 é'


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Other tests keep pytest's own handlers."""
    root, ours = logging.getLogger(), logging.getLogger("peergate")
    before = root.handlers[:], root.level, ours.level, logging.raiseExceptions
    yield
    root.handlers[:], level, our_level, logging.raiseExceptions = before
    root.setLevel(level)
    ours.setLevel(our_level)


def logged(log_format: LogFormat, level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    start_service_log(log_format, level, stream)
    return stream


def test_logfmt_quotes_what_is_not_plain() -> None:
    stream = logged(LogFormat.LOGFMT)
    service_logger("policy").info("policy in force", extra={"facts": {"generation": "ab12", "rules": 3, "ok": True}})
    line = stream.getvalue()
    assert "level=info" in line
    assert 'part=policy message="policy in force" generation=ab12 rules=3 ok=true\n' in line


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_hostile_text_and_tracebacks_stay_one_ascii_line(log_format: LogFormat) -> None:
    stream = logged(log_format)
    error = ValueError(HOSTILE)
    service_logger("judge").error(HOSTILE, exc_info=error, extra={"facts": {"peer": HOSTILE}})
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.isascii()
    assert line[:-1].isprintable()


def test_a_handler_that_knows_nothing_of_facts_shows_them_after_the_message() -> None:
    stream = io.StringIO()
    logging.getLogger().handlers[:] = [logging.StreamHandler(stream)]
    facts = {"problem": "policy.yaml:3:5: no such key", "times": 2}
    service_logger("policy").error("policy problem", extra={"facts": facts})
    service_logger("policy").error("it has none", extra={"facts": {}})
    service_logger("policy").error("nor has %s", "this")
    assert stream.getvalue().splitlines() == [
        'policy problem: problem="policy.yaml:3:5: no such key" times=2',
        "it has none",
        "nor has this",
    ]


def test_hostile_facts_stay_one_ascii_line_under_any_handler() -> None:
    stream = io.StringIO()
    logging.getLogger().handlers[:] = [logging.StreamHandler(stream)]
    service_logger("tls").error("a handshake failed", extra={"facts": {"sni": HOSTILE}})
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().isascii()
    assert stream.getvalue()[:-1].isprintable()


def test_an_event_survives_the_queue_of_another_process() -> None:
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logging.getLogger().handlers[:] = [QueueHandler(records)]
    service_logger("policy").error("policy problem", extra={"facts": {"times": 2}})
    sent = pickle.loads(pickle.dumps(records.get()))
    assert sent.getMessage() == "policy problem: times=2"


def test_json_lines_are_json() -> None:
    stream = logged(LogFormat.JSON)
    service_logger("judge").error(HOSTILE, extra={"facts": {"peer": HOSTILE, "times": 2}})
    record = json.loads(stream.getvalue())
    assert record["message"] == HOSTILE
    assert (record["level"], record["part"], record["peer"], record["times"]) == ("error", "judge", HOSTILE, 2)
    assert record["time"].endswith("Z")


def test_the_level_holds_for_peergate_and_libraries_are_heard_from_warning() -> None:
    stream = logged(LogFormat.LOGFMT, LogLevel.ERROR)
    service_logger("policy").warning("not heard")
    logging.getLogger("library").info("not heard")
    logging.getLogger("library").warning("heard")
    service_logger("policy").error("heard")
    assert stream.getvalue().count("message=heard") == 2
    assert "not heard" not in stream.getvalue()


def test_starting_again_replaces_the_stream() -> None:
    first, second = logged(LogFormat.LOGFMT), logged(LogFormat.LOGFMT)
    service_logger("policy").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_stream_that_fails_does_not_reach_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    stream = logged(LogFormat.LOGFMT)
    stream.close()
    service_logger("policy").info("lost")
    assert capsys.readouterr().err == ""
