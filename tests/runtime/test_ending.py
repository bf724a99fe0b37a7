"""What was told to end does end."""

import signal
import subprocess
import sys
from time import monotonic

from runtime.ending import end_child, hard_end_after


def test_a_block_that_ends_in_time_is_left_alone() -> None:
    with hard_end_after(60):
        pass


def test_a_block_that_hangs_ends_the_process_with_1() -> None:
    program = "import time, runtime.ending as e\nwith e.hard_end_after(0.2):\n    time.sleep(60)"
    began = monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "not ended in time, ending hard" in done.stderr
    assert monotonic() - began < 20


def test_a_child_that_does_not_listen_is_ended_by_force() -> None:
    deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        end_child(child, 0.05)
        assert child.returncode == -signal.SIGKILL


def test_a_child_that_has_ended_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        end_child(child, 0)
        assert child.returncode == 0
