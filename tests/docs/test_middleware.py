"""The example of `docs/middleware.md`, run as it stands: our server, real TLS, real certificates."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from pki.authority import Authority

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "middleware.md").read_text()
FILES = dict(re.findall(r"^```\w+ (\S+)$\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
SA = "spiffe://acme.internal/ns/prod/sa/"


@contextmanager
def example(folder: Path) -> Iterator[int]:
    """The example in `folder`, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    root = Authority.root("root")
    served = root.issue(dns=["localhost"], ip=["127.0.0.1"], server=True)
    (folder / "root.pem").write_bytes(root.pem)
    (folder / "server.pem").write_bytes(served.chain_pem)
    (folder / "server.key").write_bytes(served.key_pem)
    for name in ("billing", "reports", "stranger"):
        issued = root.issue(uri=[SA + name])
        (folder / f"{name}.pem").write_bytes(issued.chain_pem)
        (folder / f"{name}.key").write_bytes(issued.key_pem)
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("127.0.0.1:8443", f"127.0.0.1:{port}"))
    with subprocess.Popen([sys.executable, "app.py"], cwd=folder, env={"PYTHONPATH": str(ROOT)}) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the example does not listen")


def get(folder: Path, port: int, caller: str, target: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Answer:
    context = client_context(folder / "root.pem", Credentials(folder / f"{caller}.pem", folder / f"{caller}.key"))
    sent = request_bytes("GET", target, [("Host", b"localhost"), *headers, ("Connection", b"close")])
    return call(("127.0.0.1", port), context, sent, sni="localhost")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("example")
    with example(folder) as port:
        yield folder, port


def test_the_application_knows_who_calls(running: tuple[Path, int]) -> None:
    answer = get(*running, "reports", b"/v1/invoices", (("X-Peergate-Identity", b"admin"),))
    assert answer.status == 200
    assert SA.encode() + b"reports" in answer.body
    assert b'["reports"]' in answer.body


def test_who_is_not_allowed_is_denied(running: tuple[Path, int]) -> None:
    answer = get(*running, "stranger", b"/v1/invoices")
    assert (answer.status, answer.reason) == (403, "no_matching_rule")


def test_a_route_can_be_for_some_only(running: tuple[Path, int]) -> None:
    assert get(*running, "billing", b"/v1/ledger").status == 200
    assert get(*running, "reports", b"/v1/ledger").status == 403


def test_a_path_that_has_two_readings_is_denied(running: tuple[Path, int]) -> None:
    assert get(*running, "billing", b"/v1/x/%2e%2e/invoices").reason == "path_ambiguous"


def test_every_decision_is_recorded(running: tuple[Path, int]) -> None:
    folder, port = running
    get(folder, port, "billing", b"/v1/invoices")
    records = folder / "decisions.jsonl"
    for _ in range(100):
        if records.exists() and b'"gateway"' in records.read_bytes():
            return
        time.sleep(0.05)
    raise AssertionError(records)
