"""Law 10: every decision leaves one line, or its loss is counted and said."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from runtime.decision_log import DecisionLog, Entry, decision_log_from_text
from runtime.errors import ConfigurationError
from runtime.log_sink import FileSink
from runtime.metrics import LossCause, Metrics
from tests.runtime.said import messages
from tests.runtime.world import BILLING, eventually, policy_set, request


@pytest.fixture
def policy(tmp_path: Path) -> PolicySet:
    return policy_set(tmp_path / "policy")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def entry(policy: PolicySet, decision_id: str = "00") -> Entry:
    asked = request(BILLING, "/v1/invoices")
    decision = evaluate(policy, asked)
    return Entry(decision, asked, decision_id, Enforcement.EXTAUTH, asked.time, 0.00001, policy, None)


def written(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("peergate_decision_log_written_total") or 0.0


def lost(metrics: Metrics, cause: LossCause) -> float:
    return metrics.registry.get_sample_value("peergate_decision_log_lost_total", {"cause": cause.value}) or 0.0


def records_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


class StuckSink:
    """A sink that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.go = Event()
        self.busy = Event()
        self.lines: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> int:
        self.busy.set()
        self.go.wait(10)
        self.lines.extend(lines)
        return len(lines)

    def reopen(self) -> None:
        return

    def close(self) -> None:
        return


@pytest.fixture
def stuck() -> Iterator[StuckSink]:
    sink = StuckSink()
    yield sink
    sink.go.set()


def test_every_decision_is_one_line_of_json_with_its_labels(
    tmp_path: Path, policy: PolicySet, metrics: Metrics
) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    for number in range(1000):
        log.append(entry(policy, f"{number:032x}"))
    log.close()
    records = records_of(tmp_path / "log")
    assert [record["decision_id"] for record in records] == [f"{number:032x}" for number in range(1000)]
    assert records[0]["labels"] == {"ticket": "SEC-1"}
    assert written(metrics) == 1000


def test_a_decision_is_on_disk_soon_without_being_flushed(tmp_path: Path, policy: PolicySet, metrics: Metrics) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    log.append(entry(policy))
    eventually(lambda: written(metrics) == 1, 2)
    log.append(entry(policy))
    eventually(lambda: written(metrics) == 2, 2)
    log.close()


def test_decisions_of_many_threads_are_all_written(tmp_path: Path, policy: PolicySet, metrics: Metrics) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    with ThreadPoolExecutor(4) as threads:
        for _ in threads.map(lambda number: log.append(entry(policy, str(number))), range(2000)):
            pass
    log.close()
    assert {record["decision_id"] for record in records_of(tmp_path / "log")} == {str(n) for n in range(2000)}


def test_a_full_queue_loses_records_counts_them_and_never_waits(
    policy: PolicySet, metrics: Metrics, stuck: StuckSink, caplog: pytest.LogCaptureFixture
) -> None:
    log = DecisionLog(stuck, metrics, queue_limit=10)
    log.append(entry(policy))
    assert stuck.busy.wait(5)
    began = monotonic()
    for _ in range(110):
        log.append(entry(policy))
    assert monotonic() - began < 1
    assert lost(metrics, LossCause.QUEUE_FULL) == 100
    assert log.queued == 10
    assert messages(caplog) == ["decision records lost"], "said once, not a hundred times"
    stuck.go.set()
    log.close()
    assert len(stuck.lines) == 11


def test_a_full_disk_loses_records_counts_them_and_recovers(
    tmp_path: Path, policy: PolicySet, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "log"
    place.symlink_to("/dev/full")
    log = DecisionLog(FileSink(str(place)), metrics)
    log.append(entry(policy))
    eventually(lambda: lost(metrics, LossCause.SINK_FAILED) == 1)
    assert "No space left" in caplog.records[0].__dict__["facts"]["error"]
    place.unlink()
    log.append(entry(policy, "saved"))
    log.close()
    assert [record["decision_id"] for record in records_of(place)] == ["saved"]


def test_a_broken_pipe_loses_records_and_counts_them(tmp_path: Path, policy: PolicySet, metrics: Metrics) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    log = DecisionLog(FileSink(str(tmp_path / "fifo")), metrics)
    os.close(reader)
    log.append(entry(policy))
    eventually(lambda: lost(metrics, LossCause.SINK_FAILED) == 1)
    log.close()


def test_a_record_that_cannot_be_made_is_counted_and_hides_no_other(
    tmp_path: Path, policy: PolicySet, metrics: Metrics
) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    log.append(entry(policy)._replace(time=float("nan")))
    log.append(entry(policy))
    log.close()
    assert (lost(metrics, LossCause.UNWRITABLE), written(metrics)) == (1, 1)


def test_a_reopened_log_goes_on_in_the_new_file(tmp_path: Path, policy: PolicySet, metrics: Metrics) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    log.append(entry(policy, "old"))
    eventually(lambda: written(metrics) == 1)
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.reopen()
    log.append(entry(policy, "new"))
    log.close()
    assert [record["decision_id"] for record in records_of(tmp_path / "log")] == ["new"]
    assert [record["decision_id"] for record in records_of(tmp_path / "log.1")] == ["old"]


def test_closing_waits_no_longer_than_it_is_told_and_counts_the_rest(
    policy: PolicySet, metrics: Metrics, stuck: StuckSink
) -> None:
    log = DecisionLog(stuck, metrics)
    log.append(entry(policy))
    assert stuck.busy.wait(5)
    for _ in range(7):
        log.append(entry(policy))
    began = monotonic()
    log.close(0.1)
    assert monotonic() - began < 2
    assert lost(metrics, LossCause.CLOSED) == 8, "seven that waited, and the one that the sink never took"


def test_law_10_every_record_is_written_or_counted_as_lost_when_the_sink_is_stuck_for_good(
    policy: PolicySet, metrics: Metrics, stuck: StuckSink
) -> None:
    log = DecisionLog(stuck, metrics, queue_limit=50)
    for _ in range(30):
        log.append(entry(policy))
    assert stuck.busy.wait(5)
    for _ in range(100):
        log.append(entry(policy))
    log.close(0.1)
    assert written(metrics) + sum(lost(metrics, cause) for cause in LossCause) == 130


def test_what_closing_counted_as_lost_is_not_counted_again_when_the_sink_takes_it_late(
    policy: PolicySet, metrics: Metrics, stuck: StuckSink
) -> None:
    log = DecisionLog(stuck, metrics)
    log.append(entry(policy))
    assert stuck.busy.wait(5)
    log.close(0.1)
    stuck.go.set()
    eventually(lambda: not log._thread.is_alive())
    assert (written(metrics), lost(metrics, LossCause.CLOSED)) == (0, 1)


def test_the_queue_is_bounded_in_bytes_too(policy: PolicySet, metrics: Metrics, stuck: StuckSink) -> None:
    log = DecisionLog(stuck, metrics, byte_limit=1_000_000)
    log.append(entry(policy))
    assert stuck.busy.wait(5)
    asked = request(BILLING, "/" + "a" * 50_000)
    for _ in range(100):
        log.append(Entry(evaluate(policy, asked), asked, "00", Enforcement.EXTAUTH, asked.time, 0.00001, policy, None))
    assert 10 < log.queued < 20
    assert lost(metrics, LossCause.QUEUE_FULL) == 100 - log.queued
    stuck.go.set()
    eventually(lambda: log.queued == 0)
    for _ in range(10):
        log.append(entry(policy))
    log.close()
    assert lost(metrics, LossCause.QUEUE_FULL) + len(stuck.lines) == 111, "what was written makes room"


def test_a_decision_after_the_end_is_counted_as_lost(tmp_path: Path, policy: PolicySet, metrics: Metrics) -> None:
    log = DecisionLog(FileSink(str(tmp_path / "log")), metrics)
    log.close()
    log.append(entry(policy))
    assert lost(metrics, LossCause.CLOSED) == 1


def test_off_is_no_log(metrics: Metrics) -> None:
    assert decision_log_from_text("off", metrics) is None


@pytest.mark.parametrize("text", ["", "a\0b", "/missing/folder/log", "/"])
def test_a_log_that_cannot_be_opened_is_a_configuration_error(metrics: Metrics, text: str) -> None:
    with pytest.raises(ConfigurationError):
        decision_log_from_text(text, metrics)


def test_a_dash_is_standard_output(policy: PolicySet, metrics: Metrics, capfd: pytest.CaptureFixture[str]) -> None:
    log = decision_log_from_text("-", metrics)
    assert log is not None
    log.append(entry(policy, "out"))
    log.close()
    assert json.loads(capfd.readouterr().out)["decision_id"] == "out"
