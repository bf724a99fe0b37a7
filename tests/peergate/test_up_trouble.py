"""`peergate up` in trouble: one clear message, nothing cut short that need not be, and nothing left behind."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peergate.demo.client import call, request_bytes
from peergate.demo.upstream import EchoUpstream
from peergate.exit_code import ExitCode
from pki.authority import Authority
from tests.extauth.service_process import free_port
from tests.peergate.up_world import POLICY, caller, flags, written

BROKEN = "version: 1\nrules: [{id: oops, alow: billing, to: any}]\n"


class SlowUpstream:
    """Answers every request when `answer` is set."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked, self.answer = threading.Semaphore(0), threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                self.asked.release()
                self.answer.wait(20)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def close(self) -> None:
        self.answer.set()
        self._listener.close()


@dataclass
class Alone:
    """A `peergate up` in a process group of its own, as a shell starts it."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"
    statuses: list[int] = field(default_factory=list)

    def status(self, target: str = "/v1/a") -> int:
        """What a call is answered; 0 if there is no answer."""
        request = request_bytes("GET", target.encode(), [("Host", b"h.example"), ("Connection", b"close")])
        try:
            return call(("127.0.0.1", self.port), caller(self.folder), request, sni="h.example").status
        except OSError:
            return 0

    def until(self, wanted: Callable[[], bool], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def envoy(self) -> int:
        """The process id of its Envoy."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        (pid,) = {int(pid) for path in children for pid in path.read_text().split()}
        return pid

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def calls(self, number: int, slow: SlowUpstream) -> list[threading.Thread]:
        """Calls that have reached the upstream, and wait for its answer."""
        threads = [threading.Thread(target=lambda: self.statuses.append(self.status())) for _ in range(number)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert slow.asked.acquire(timeout=10)
        return threads

    def left_behind(self) -> list[str]:
        return [path.name for path in (self.folder / "tmp").iterdir()]


def started(folder: Path, port: int, upstream_port: int, *more: str, **variables: str) -> Alone:
    (folder / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "peergate", "up", str(folder / "policy"), *flags(folder, port, upstream_port)]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, "--decision-log", "off", *more],
            stdout=said,
            stderr=said,
            process_group=0,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "COLUMNS": "200", **variables},
        )
    return Alone(folder, port, process)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for the paths of sockets."""
    with tempfile.TemporaryDirectory(prefix="up-") as name:
        written(Path(name), POLICY)
        yield Path(name)


@contextmanager
def alone(folder: Path, upstream_port: int, *more: str, **variables: str) -> Iterator[Alone]:
    up = started(folder, free_port(), upstream_port, *more, **variables)
    try:
        yield up
    finally:
        up.process.kill()
        up.process.wait()


@pytest.fixture
def slow() -> Iterator[SlowUpstream]:
    upstream = SlowUpstream()
    yield upstream
    upstream.close()


def ctrl_c(up: Alone) -> None:
    os.killpg(up.process.pid, signal.SIGINT)


def sigterm(up: Alone) -> None:
    up.process.terminate()


@pytest.mark.parametrize("end", [ctrl_c, sigterm])
@pytest.mark.parametrize("envoy_was_killed", [False, True])
def test_what_is_under_way_when_it_is_told_to_end_is_finished(
    end: Callable[[Alone], None], envoy_was_killed: bool, folder: Path, slow: SlowUpstream
) -> None:
    with alone(folder, slow.port) as up:
        up.until(lambda: "state=serving" in up.said())
        if envoy_was_killed:
            os.kill(up.envoy(), signal.SIGKILL)
            up.until(lambda: "Envoy serves again" in up.said(), seconds=2)
        calls = up.calls(3, slow)
        end(up)
        up.until(lambda: "draining" in up.said())
        time.sleep(0.5)
        assert up.process.poll() is None
        slow.answer.set()
        for thread in calls:
            thread.join()
        assert up.statuses == [200, 200, 200]
        assert up.process.wait(10) == ExitCode.FINE
        assert up.left_behind() == []
        assert up.status() == 0


def keep_calling(up: Alone, answers: list[object]) -> None:
    """Request after request on open connections, until nobody listens any more."""
    while True:
        connection = http.client.HTTPSConnection("127.0.0.1", up.port, context=caller(up.folder), timeout=10)
        try:
            connection.connect()
        except ConnectionError:
            # Refused, or reset: the kernel took it for a listener that was closed before it was accepted.
            return
        try:
            closes = False
            while not closes:
                connection.request("GET", "/v1/a", headers={"Host": "h.example"})
                answer = connection.getresponse()
                answer.read()
                answers.append(answer.status)
                closes = answer.will_close
        except (OSError, http.client.HTTPException) as error:
            answers.append(error)
        finally:
            connection.close()


@pytest.mark.parametrize("end", [ctrl_c, sigterm])
def test_under_load_no_answer_is_cut_short_when_it_is_told_to_end(end: Callable[[Alone], None], folder: Path) -> None:
    answers: list[object] = []
    with EchoUpstream() as upstream, alone(folder, upstream.port) as up:
        up.until(lambda: up.status() == 200)
        clients = [threading.Thread(target=keep_calling, args=(up, answers)) for _ in range(4)]
        for client in clients:
            client.start()
        up.until(lambda: len(answers) > 20)
        end(up)
        assert up.process.wait(10) == ExitCode.FINE
        for client in clients:
            client.join()
    assert set(answers) == {200}


def test_nothing_runs_on_when_it_is_killed(folder: Path) -> None:
    with EchoUpstream() as upstream, alone(folder, upstream.port) as up:
        up.until(lambda: up.status() == 200)
        envoy = up.envoy()
        up.process.kill()
        up.process.wait()
        up.until(lambda: not Path(f"/proc/{envoy}").exists() or "Z" in Path(f"/proc/{envoy}/stat").read_text().split())
        assert up.status() == 0


def refused(up: Alone) -> str:
    """The last line of a start that is refused; nothing is left behind."""
    assert up.process.wait(20) == ExitCode.CONFIGURATION
    assert up.left_behind() == []
    lines = up.said().splitlines()
    assert sum(line.startswith("peergate: ") for line in lines) == 1
    return lines[-1]


def test_a_second_one_on_its_port_is_refused_in_one_line_and_the_first_goes_on(folder: Path) -> None:
    with EchoUpstream() as upstream, alone(folder, upstream.port) as first:
        first.until(lambda: first.status() == 200)
        with tempfile.TemporaryDirectory(prefix="up-") as other:
            written(Path(other), POLICY)
            second = started(Path(other), first.port, upstream.port)
            assert refused(second) == f"peergate: cannot listen on 127.0.0.1:{first.port}: Address already in use"
        assert first.status() == 200


@pytest.mark.parametrize("flag", ["--listen", "--ops"])
def test_a_port_that_somebody_else_has_is_refused_in_one_line(flag: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with alone(folder, 1, flag, address) as up:
            assert refused(up) == f"peergate: cannot listen on {address}: Address already in use"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("#!/bin/sh\necho cannot load libfoo.so >&2\nexit 3\n", "Envoy ended at once (exit 3): cannot load libfoo.so"),
        ("#!/bin/sh\nexit 1\n", "Envoy ended at once (exit 1): it said nothing"),
    ],
)
def test_an_envoy_that_does_not_start_has_its_last_words_in_one_line(program: str, words: str, folder: Path) -> None:
    binary = folder / "envoy"
    binary.write_text(program)
    binary.chmod(0o755)
    with alone(folder, 1, PEERGATE_ENVOY=str(binary)) as up:
        assert refused(up) == f"peergate: Envoy does not start: {words}"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--cert", "/nowhere.pem"), "--cert /nowhere.pem: No such file or directory"),
        (("--key", "{folder}/c.key"), "the key does not belong to the certificate"),
        (("--decision-log", "/nowhere/log"), "the decision log /nowhere/log cannot be opened"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(more: tuple[str, str], words: str, folder: Path) -> None:
    with alone(folder, 1, *(word.format(folder=folder) for word in more)) as up:
        assert words in refused(up)


def test_a_policy_with_problems_at_the_start_lets_nobody_in_and_says_where_and_is_in_force_once_mended(
    folder: Path,
) -> None:
    (folder / "policy" / "policy.yaml").write_text(BROKEN)
    with EchoUpstream() as upstream, alone(folder, upstream.port) as up:
        up.until(lambda: "state=unavailable" in up.said())
        assert "which has problems: everybody is refused until they are mended" in up.said()
        assert "policy.yaml:2:20: key_unknown: `alow` is not a key of a rule" in up.said()
        assert up.status() == 0
        (folder / "policy" / "policy.yaml").write_text(POLICY)
        up.until(lambda: up.status() == 200)
        (folder / "policy" / "policy.yaml").write_text(BROKEN)
        up.until(lambda: "policy refused, last good kept" in up.said())
        assert up.status() == 200


def test_a_listener_certificate_that_has_expired_is_served_and_warned_about(folder: Path) -> None:
    day = timedelta(days=1)
    old = Authority.root("mesh").issue(
        dns=["h.example"], server=True, not_before=datetime.now(UTC) - 2 * day, not_after=datetime.now(UTC) - day
    )
    (folder / "s.pem").write_bytes(old.pem)
    (folder / "s.key").write_bytes(old.key_pem)
    with alone(folder, 1) as up:
        up.until(lambda: "the listener's certificate has expired" in up.said())
