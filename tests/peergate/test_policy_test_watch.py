"""`policy test --watch` runs the tests again when a file that they depend on changes, until Ctrl-C."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

import pytest

from tests.peergate.commands import LIBRARY, ROOT, Peergate

SECONDS = 30


class Watching:
    """The command at work, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, text: str) -> None:
        """Read on until a line holds `text`."""
        deadline = monotonic() + SECONDS
        seen: list[str] = []
        while monotonic() < deadline:
            try:
                seen.append(self._lines.get(timeout=0.1))
            except Empty:
                continue
            if text in seen[-1]:
                return
        raise AssertionError(f"{text!r} never came; what came is {''.join(seen)}")


@contextmanager
def watching(policy: Path, *options: str) -> Iterator[Watching]:
    process = subprocess.Popen(
        [sys.executable, "-m", "peergate", "policy", "test", str(policy), "--watch", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    try:
        yield Watching(process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LIBRARY / "starter", tmp_path / "starter"))


def test_every_change_of_policy_tests_and_trust_runs_them_again(policy: Path) -> None:
    rules, tests, anchor = policy / "policy.yaml", policy / "policy.test.yaml", policy / "pki/mesh-root.pem"
    good = rules.read_text()
    with watching(policy, "--fail-under", "100") as running:
        running.wait_for("17 of 17 requests decided as expected.")
        rules.write_text(good.replace("allow: [web, admin]", "allow: admin"))
        running.wait_for("3 of 17 requests decided otherwise than expected.")
        rules.write_text(good.replace("allow: admin", "allow: admn"))
        running.wait_for("the policy has problems, so it was not tested")
        rules.write_text(good)
        running.wait_for("17 of 17 requests decided as expected.")
        tests.write_text("version: 1\ntests: [{as: unauthenticated, request: GET https://a/, expect: deny}]\n")
        running.wait_for("--fail-under asks for 100 %")
        (policy / "more.test.yaml").write_text("version: 1\ntests: nothing\n")
        running.wait_for("the tests have problems, so none was run")
        (policy / "more.test.yaml").unlink()
        running.wait_for("1 of 1 requests decided as expected.")
        anchor.write_text("nothing")
        running.wait_for("certificate_invalid")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(SECONDS) == 130


def test_a_policy_that_vanishes_is_waited_for(policy: Path) -> None:
    with watching(policy) as running:
        running.wait_for("17 of 17 requests decided as expected.")
        policy.rename(policy.with_name("away"))
        running.wait_for("is not there")
        policy.with_name("away").rename(policy)
        running.wait_for("17 of 17 requests decided as expected.")


def test_what_is_not_there_to_begin_with_is_a_wrong_command_line(peergate: Peergate, tmp_path: Path) -> None:
    assert peergate("policy", "test", str(tmp_path / "none"), "--watch").code == 2


def test_it_writes_for_people_only(peergate: Peergate, policy: Path) -> None:
    ended = peergate("policy", "test", str(policy), "--watch", "--format", "json")
    assert (ended.code, ended.out) == (2, "")
    assert "--watch is for people" in ended.err
