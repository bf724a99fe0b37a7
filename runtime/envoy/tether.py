"""Runs a program that ends when the process that started it ends, however that one ends: `tether.py PARENT PROGRAM …`.

The kernel keeps the promise (prctl(2), PR_SET_PDEATHSIG), so it holds for SIGKILL too. It is tied to the *thread* that
started this program: start it from one that lives as long as the process. Run as a file, with `-I -S`, so that nothing
of the environment is imported before the program replaces this one.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tied(*command: str) -> list[str]:
    """The arguments that run `command`, whose first word is a path, tied to this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the program. Raises OSError if either is impossible."""
    parent, program = int(arguments[0]), arguments[1]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended between the start of this process and the call above: then no signal comes any more.
    if os.getppid() == parent:
        os.execv(program, arguments[1:])  # noqa: S606 - to become the program, without a shell, is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
