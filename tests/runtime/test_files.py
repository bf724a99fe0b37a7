"""Files that others name are read whole, bounded, and without ever waiting."""

import errno
import os
from pathlib import Path

import pytest

from runtime.files import list_plain_files, read_regular_file


def test_a_regular_file_is_read_through_symbolic_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(str(tmp_path / "link"), 7) == b"content"


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_regular_file(str(tmp_path / "file"), 0) == b""


def test_a_file_over_the_limit_is_refused_and_not_cut(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345678")
    with pytest.raises(OSError, match="larger than 7 bytes") as caught:
        read_regular_file(str(tmp_path / "file"), 7)
    assert caught.value.errno == errno.EFBIG


def test_a_file_that_says_it_is_empty_is_still_bounded() -> None:
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_regular_file("/proc/self/status", 10)


@pytest.mark.timeout(10)
def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular_file(str(tmp_path / "fifo"), 10)


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_devices_and_folders_are_refused(path: str) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_regular_file(path, 10)


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "/missing", "x" * 5000])
def test_a_name_that_leads_nowhere_is_an_os_error(path: str) -> None:
    with pytest.raises(OSError, match=r"."):
        read_regular_file(path, 10)


def test_a_listing_is_sorted_and_leaves_out_dot_names_and_folders(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    assert list_plain_files(str(tmp_path), 10) == ("a", "b", "dangling")


def test_a_folder_with_too_many_files_is_refused(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(OSError, match="more than 2 files"):
        list_plain_files(str(tmp_path), 2)


def test_what_is_no_folder_has_no_listing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list_plain_files(str(tmp_path / "file"), 10) is None
    assert list_plain_files(str(tmp_path / "missing"), 10) is None
