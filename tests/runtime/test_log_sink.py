"""Where records go: whole lines, in files that rotate, on disks that fill up, in pipes that break."""

import fcntl
import os
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from runtime.log_sink import FileSink, StandardOutput


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "decisions.log"
    file.write_text("before\n")
    sink = FileSink(str(file))
    assert sink.write([b"one\n", b"two\n"]) == 2
    sink.close()
    assert lines_of(file) == ["before", "one", "two"]


def test_a_new_file_is_not_open_to_everybody(tmp_path: Path) -> None:
    FileSink(str(tmp_path / "decisions.log")).close()
    assert (tmp_path / "decisions.log").stat().st_mode & 0o007 == 0


def test_a_renamed_file_is_opened_anew_without_being_told(tmp_path: Path) -> None:
    file = tmp_path / "decisions.log"
    sink = FileSink(str(file))
    sink.write([b"one\n"])
    file.rename(tmp_path / "decisions.log.1")
    sink.write([b"two\n"])
    sink.close()
    assert lines_of(tmp_path / "decisions.log.1") == ["one"]
    assert lines_of(file) == ["two"]


def test_a_removed_file_is_created_anew(tmp_path: Path) -> None:
    file = tmp_path / "decisions.log"
    sink = FileSink(str(file))
    file.unlink()
    sink.write([b"two\n"])
    sink.close()
    assert lines_of(file) == ["two"]


def test_a_file_that_was_cut_is_appended_to_from_its_new_end(tmp_path: Path) -> None:
    """Logrotate's copytruncate."""
    file = tmp_path / "decisions.log"
    sink = FileSink(str(file))
    sink.write([b"one\n"])
    os.truncate(file, 0)
    sink.write([b"two\n"])
    sink.close()
    assert file.read_bytes() == b"two\n"


def test_a_folder_that_is_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "logs/decisions.log"
    file.parent.mkdir()
    sink = FileSink(str(file))
    file.unlink()
    file.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        sink.write([b"one\n"])
    file.parent.mkdir()
    assert sink.write([b"two\n"]) == 1
    sink.close()
    assert lines_of(file) == ["two"]


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    sink = FileSink("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        sink.write([b"one\n"])
    sink.close()


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file size limit behaves like a disk with 10 bytes left: the kernel writes what fits, then refuses."""
    room = [10]
    write = os.write

    def write_with_room(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write_with_room)
    file = tmp_path / "decisions.log"
    sink = FileSink(str(file))
    assert sink.write([b'{"a":1}\n', b'{"b":2}\n']) == 1
    room[0] = 100
    assert sink.write([b'{"c":3}\n']) == 1
    sink.close()
    assert lines_of(file) == ['{"a":1}', '{"', '{"c":3}']


def test_a_fifo_without_reader_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        FileSink(str(tmp_path / "fifo"))


def test_a_reader_that_went_away_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    sink = FileSink(str(tmp_path / "fifo"))
    assert sink.write([b"one\n"]) == 1
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        sink.write([b"two\n"])
    sink.close()


def test_a_slow_reader_of_a_non_blocking_pipe_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    monkeypatch.setattr("runtime.log_sink._STDOUT", write)
    line = b"x" * 99_999 + b"\n"
    received: list[bytes] = []

    def drain() -> None:
        sleep(0.1)
        while part := os.read(read, 65536):
            received.append(part)

    reader = Thread(target=drain)
    reader.start()
    assert StandardOutput().write([line, line]) == 2
    os.close(write)
    reader.join()
    os.close(read)
    assert b"".join(received) == line + line


def test_processes_that_share_a_pipe_write_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock"
    read, write = os.pipe()
    monkeypatch.setattr("runtime.log_sink._STDOUT", write)
    sink = StandardOutput(str(lock))
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = Thread(target=sink.write, args=([b"line\n"],))
        writer.start()
        writer.join(0.1)
        assert writer.is_alive(), "it waits for the other process"
    writer.join(5)
    assert os.read(read, 100) == b"line\n"
    sink.close()
    os.close(read)
    os.close(write)
