"""A wait ends with an event, when it is told to, or with the clock."""

from pathlib import Path
from threading import Event, Timer
from time import monotonic

import pytest

from runtime.folder_watch import FolderWatch
from tests.runtime.said import messages


def seconds_waited(watch: FolderWatch, folder: Path, seconds: float) -> float:
    began = monotonic()
    watch.wait((str(folder),), seconds)
    return monotonic() - began


def test_a_wait_without_event_ends_by_the_clock(tmp_path: Path) -> None:
    assert 0.2 <= seconds_waited(FolderWatch(Event()), tmp_path, 0.2) < 2


def test_a_new_file_ends_the_wait(tmp_path: Path) -> None:
    watch = FolderWatch(Event())
    watch.wait((str(tmp_path),), 0.05)
    Timer(0.1, (tmp_path / "new").touch).start()
    assert seconds_waited(watch, tmp_path, 10) < 5


def test_a_file_renamed_over_another_ends_the_wait(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").touch()
    (tmp_path / ".new").touch()
    watch = FolderWatch(Event())
    watch.wait((str(tmp_path),), 0.05)
    Timer(0.1, (tmp_path / ".new").replace, [tmp_path / "policy.yaml"]).start()
    assert seconds_waited(watch, tmp_path, 10) < 5


def test_a_change_between_two_waits_is_not_lost(tmp_path: Path) -> None:
    watch = FolderWatch(Event())
    watch.wait((str(tmp_path),), 0.05)
    (tmp_path / "new").touch()
    assert seconds_waited(watch, tmp_path, 10) < 5


def test_waking_ends_the_wait(tmp_path: Path) -> None:
    wake = Event()
    Timer(0.1, wake.set).start()
    assert seconds_waited(FolderWatch(wake), tmp_path, 10) < 5


def test_a_missing_folder_is_waited_for_by_the_clock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = FolderWatch(Event())
    assert 0.1 <= seconds_waited(watch, tmp_path / "missing", 0.1) < 2
    assert 0.1 <= seconds_waited(watch, tmp_path / "missing", 0.1) < 2
    assert messages(caplog) == ["no events for policy folders, looking by the clock"]


def test_a_folder_that_appears_again_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    watch = FolderWatch(Event())
    watch.wait((str(folder),), 0.05)
    folder.mkdir()
    watch.wait((str(folder),), 0.05)
    Timer(0.1, (folder / "new").touch).start()
    assert seconds_waited(watch, folder, 10) < 5


def test_polling_sees_a_change_where_the_system_sends_no_events(tmp_path: Path) -> None:
    watch = FolderWatch(Event(), force_polling=True)
    watch.wait((str(tmp_path),), 0.05)
    Timer(0.1, (tmp_path / "new").touch).start()
    assert seconds_waited(watch, tmp_path, 10) < 5
