"""Warnings of what ends: each said once, in time, and not again by anybody."""

import logging
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from runtime import expiry_log
from runtime.expiry import DAY_SECONDS, Expiring, ExpiryKind
from runtime.expiry_log import ExpiryLog, ExpiryWatch
from runtime.limits import MAX_REMEMBERED_EXPIRIES
from runtime.process_status import ServiceStatus
from tests.runtime.expiring import ending, process, served, service
from tests.runtime.said import messages
from tests.runtime.world import NOW, eventually

DAY = DAY_SECONDS
EXPIRES, EXPIRED = "an anchor expires soon", "an anchor has expired"


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="peergate"):
        yield


def said_on(days: list[float], *items: Expiring, caplog: pytest.LogCaptureFixture) -> list[list[str]]:
    """What is said at each of these times, in days after NOW."""
    log, said = ExpiryLog(), []
    for day in days:
        caplog.clear()
        log.look(items, 0, NOW + day * DAY)
        said.append(messages(caplog))
    return said


def facts(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = record.__dict__["facts"]
    return found


def test_each_threshold_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    days = [0, 44, 45, 46, 69.9, 70.1, 71, 86.1, 90, 93.1, 99.01, 99.5, 99.9]
    said = said_on(days, ending(100, life=165 * DAY), caplog=caplog)
    assert [day for day, messages in zip(days, said, strict=True) if messages] == [46, 70.1, 86.1, 93.1, 99.01]
    assert {message for messages in said for message in messages} == {EXPIRES}


def test_after_its_end_it_is_said_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    days = [0.5, 1, 1.01, 1.5, 2, 2.02, 2.5, 3.03]
    said = said_on(days, ending(1, life=2 * DAY), caplog=caplog)
    assert said == [[EXPIRES], [], [EXPIRED], [], [], [EXPIRED], [], [EXPIRED]]


def test_thresholds_that_were_passed_unseen_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert said_on([0, 0.1], ending(0.5), caplog=caplog) == [[EXPIRES], []]


def test_what_has_ended_before_the_start_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    assert said_on([0], ending(-300), caplog=caplog) == [[EXPIRED]]


def test_a_renewed_object_is_warned_of_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log = ExpiryLog()
    for digest in (b"1", b"2", b"1", b"2"):
        log.look([ending(6, digest=digest)], 0, NOW)
    assert messages(caplog) == [EXPIRES, EXPIRES]


def test_an_object_that_comes_back_is_not_said_again(caplog: pytest.LogCaptureFixture) -> None:
    log, item = ExpiryLog(), ending(6)
    for items in ([item], [], [item]):
        log.look(items, 0, NOW)
    assert messages(caplog) == [EXPIRES]


def test_a_clock_that_is_set_back_repeats_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert said_on([0, 2, 0, -2, 2], ending(1), caplog=caplog) == [[EXPIRES], [EXPIRED], [], [], []]


def test_a_clock_that_was_years_ahead_does_not_silence_the_daily_word(caplog: pytest.LogCaptureFixture) -> None:
    assert said_on([3000, 2, 2.5, 3.1], ending(1), caplog=caplog) == [[EXPIRED], [EXPIRED], [], [EXPIRED]]


def test_far_from_the_end_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert said_on([0, 1], ending(300), caplog=caplog) == [[], []]


def test_a_warning_names_the_object_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    ExpiryLog().look([ending(6.5), ending(-1, kind=ExpiryKind.CRL), served(0.25)], 0, NOW)
    assert messages(caplog) == [EXPIRES, "a CRL has expired", "the listener's certificate expires soon"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    anchor, crl, listener = map(facts, caplog.records)
    assert anchor == {
        "kind": "anchor",
        "entry": "mesh",
        "name": "CN=mesh root",
        "expires": "2030-03-24T05:46:40Z",
        "sha256": "01" * 32,
        "days_left": 6.5,
    }
    assert crl == {"kind": "crl", "entry": "mesh", "name": "CN=mesh root", "expires": "2030-03-16T17:46:40Z"}
    assert (listener["kind"], "entry" in listener, listener["days_left"]) == ("served", False, 0.25)


def test_what_is_not_listed_is_said_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    log = ExpiryLog()
    for hours in (0, 1, 23, 25):
        log.look([], 12, NOW + hours * 3600)
    assert messages(caplog) == ["more is near its end than is listed"] * 2
    assert facts(caplog.records[0]) == {"unlisted": 12}


def test_what_is_remembered_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log, kept = ExpiryLog(), ending(6, name="CN=kept")
    for n in range(0, MAX_REMEMBERED_EXPIRIES + 256, 256):
        log.look([kept, *(ending(5, digest=bytes([n // 256, m])) for m in range(256))], 0, NOW)
        assert len(log._said) <= MAX_REMEMBERED_EXPIRIES + 257
    about_kept = [record for record in caplog.records if facts(record)["name"] == "CN=kept"]
    assert len(about_kept) == 1, "what is still there is not forgotten"


def test_the_watch_says_for_all_workers_together_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_log, "EXPIRY_LOOK_SECONDS", 0.01)
    looks = Event()
    statuses = [service(None), service(process(ending(6)), None), service(process(ending(6)), process(ending(6)))]

    def status() -> ServiceStatus:
        if len(statuses) == 1:
            looks.set()
        return statuses.pop(0) if len(statuses) > 1 else statuses[0]

    with ExpiryWatch(status, lambda: NOW):
        assert looks.wait(5)
    assert messages(caplog) == [EXPIRES]


def test_a_watch_that_fails_goes_on(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry_log, "EXPIRY_LOOK_SECONDS", 0.01)
    failures = [RuntimeError("once")]

    def status() -> ServiceStatus:
        if failures:
            raise failures.pop()
        return service(process(ending(6)))

    with ExpiryWatch(status, lambda: NOW):
        eventually(lambda: EXPIRES in messages(caplog), 5)
    assert messages(caplog)[0] == "watching what ends failed, going on"
