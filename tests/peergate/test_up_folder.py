"""What a killed `up` leaves behind, the key of its listener among it, is removed by the next one, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from peergate.up.folder import YOUNG_SECONDS, RunFolder


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def abandoned(
    parent: Path, name: str = "peergate-up-abc", *, mode: int = 0o700, age: float = YOUNG_SECONDS + 1
) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o700)
    (folder / "server.json").write_text("a key")
    folder.chmod(mode)
    os.utime(folder, (time.time() - age, time.time() - age))
    return folder


def test_nobody_else_may_read_it_and_it_is_removed_once(parent: Path) -> None:
    made = RunFolder()
    assert made.path.stat().st_mode & 0o777 == 0o700
    made.remove()
    made.remove()
    assert list(parent.iterdir()) == []


def test_what_was_abandoned_is_removed(parent: Path) -> None:
    left = abandoned(parent)
    made = RunFolder()
    assert not left.exists()
    assert made.path.exists()
    made.remove()


def test_the_folder_of_one_that_runs_stays_however_old(parent: Path) -> None:
    first = RunFolder()
    os.utime(first.path, (0, 0))
    second = RunFolder()
    assert first.path.exists()
    first.remove()
    second.remove()


@pytest.mark.parametrize(
    ("name", "mode", "age"),
    [("peergate-up-new", 0o700, 1.0), ("peergate-up-open", 0o755, 999.0), ("peergate-demo-x", 0o700, 999.0)],
)
def test_a_folder_that_may_be_somebodys_or_is_none_of_ours_stays(
    name: str, mode: int, age: float, parent: Path
) -> None:
    left = abandoned(parent, name, mode=mode, age=age)
    RunFolder().remove()
    assert (left / "server.json").exists()


def test_a_link_with_its_name_leads_nowhere(parent: Path) -> None:
    target = abandoned(parent, "target")
    (parent / "peergate-up-link").symlink_to(target)
    RunFolder().remove()
    assert (target / "server.json").exists()


def test_a_file_with_its_name_is_no_trouble(parent: Path) -> None:
    (parent / "peergate-up-file").write_text("")
    RunFolder().remove()
    assert (parent / "peergate-up-file").exists()
