"""A tied program ends with the process that started it, however that one ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runtime.envoy import tether

_PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", {tether!r}, str({pid}), "/bin/sleep", "30"])
print(child.pid, flush=True)
child.wait()
"""


def _parent(claimed_pid: str = "os.getpid()") -> tuple[subprocess.Popen[str], int]:
    code = _PARENT.format(tether=tether.__file__, pid=claimed_pid)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def _ended_within(pid: int, seconds: float) -> bool:
    """Whether `pid` is gone or a zombie (nobody may be left to wait for it)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def _runs(pid: int, program: str) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/comm").read_text().strip() == program:
            return True
        time.sleep(0.02)
    return False


def test_the_program_takes_the_place_of_the_tether() -> None:
    parent, child = _parent()
    try:
        assert _runs(child, "sleep")
    finally:
        parent.kill()
        parent.communicate()
    assert _ended_within(child, 5)


def test_the_program_ends_when_its_parent_is_killed() -> None:
    parent, child = _parent()
    assert _runs(child, "sleep")
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    assert _ended_within(child, 5)


def test_nothing_is_started_for_a_parent_that_has_already_ended() -> None:
    parent, child = _parent(claimed_pid="1")
    assert _ended_within(child, 5)
    parent.communicate(timeout=5)
