"""What was told to end does end."""

import subprocess
import sys
from time import monotonic

from runtime.ending import hard_end_after


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
