"""`peergate policy test --watch`: the tests again whenever a file that they depend on changes, on one screen."""

from posixpath import abspath, dirname
from signal import SIGINT, signal
from threading import Event
from time import strftime
from typing import NoReturn

from peergate.commands.test import TestRun, print_refusal, print_shortfall, run_tests
from peergate.console import stdout, styled
from peergate.errors import ArgumentError
from peergate.reports.tests import print_report
from runtime.folder_watch import FolderWatch
from runtime.limits import SWEEP_SECONDS

#: Lines of one failure, and of what stands around the failures.
_FAILURE_LINES = 12
_OTHER_LINES = 10


def watch(path: str, fail_under: int) -> NoReturn:
    """Test the policy at `path`, and again after every change, until Ctrl-C (KeyboardInterrupt).

    Raises ArgumentError if there is nothing at `path` to begin with.
    """
    run: TestRun | None = run_tests(path)
    interrupted = Event()
    folders = FolderWatch(interrupted)
    # watchfiles takes Ctrl-C for the end of the events and nothing more.
    signal(SIGINT, lambda *_: interrupted.set())
    while True:
        _show(path, run, fail_under)
        while not _is_changed(path, run):
            folders.wait(_folders(path, run), SWEEP_SECONDS)
            if interrupted.is_set():
                raise KeyboardInterrupt
        try:
            run = run_tests(path)
        except ArgumentError:
            run = None


def _show(path: str, run: TestRun | None, fail_under: int) -> None:
    console = stdout()
    console.clear()
    console.print(styled((f"{path} at {strftime('%H:%M:%S')}; Ctrl-C ends", "dim")), soft_wrap=True)
    console.print()
    room = max(console.height - _OTHER_LINES, 1)
    if run is None:
        console.print(styled((f"{path} is not there", "bold red")), soft_wrap=True)
    elif run.report is None or run.policy is None:
        print_refusal(run, room)
    else:
        print_report(run.policy, run.suites, run.report, max(room // _FAILURE_LINES, 1))
        print_shortfall(path, run.report, fail_under)


def _folders(path: str, run: TestRun | None) -> tuple[str, ...]:
    """The folders of everything that was read."""
    if run is None:
        return (dirname(abspath(path)),)
    return tuple(
        dict.fromkeys((*run.loaded.reading.watched_folders(), *(dirname(abspath(file)) for file in run.files)))
    )


def _is_changed(path: str, run: TestRun | None) -> bool:
    """Whether something that was read says something else now, or a test has come or gone."""
    if run is None:
        try:
            run_tests(path)
        except ArgumentError:
            return False
        return True
    try:
        return not run.loaded.reading.is_current() or run.loaded.source.test_files() != run.files
    except OSError:
        return True
