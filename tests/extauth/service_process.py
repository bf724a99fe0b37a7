"""`peergate extauth serve` as a program of its own, with a policy folder that the test changes."""

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from extauth.wire.messages import CheckRequest, CheckResponse
from tests.extauth.world import POLICY, mesh

_ROOT = Path(__file__).parents[2]
CHECK = "/envoy.service.auth.v3.Authorization/Check"


@dataclass(frozen=True)
class Running:
    """A started service. `channel` may reconnect to other workers."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    listen: str
    ops: str
    stderr: Path

    def answer(self, question: CheckRequest) -> CheckResponse:
        """Ask on a connection of its own."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self.listen, options=options) as channel:
            asked = channel.unary_unary(CHECK, bytes, bytes)
            return CheckResponse.FromString(asked(question.SerializeToString(), timeout=10, wait_for_ready=True))

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Status and body of `/readyz`; (0, {}) while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.ops}/readyz", timeout=5) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def write(self, policy: str) -> None:
        """Replace the policy, as an editor would."""
        new = self.folder / ".new"
        new.write_text(policy)
        new.replace(self.folder / "policy.yaml")

    def ended(self) -> int:
        """Send SIGTERM and wait for the end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def free_port() -> int:
    """A port that nobody has, below those that the system gives to connections: none of them takes it meanwhile."""
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@contextmanager
def running(
    folder: Path, *flags: str, policy: str = POLICY, listen: str | None = None, ready: bool = True
) -> Iterator[Running]:
    """Run the service until the block ends; `ready`: wait until it says so."""
    policies = folder / "policy"
    policies.mkdir()
    (policies / "root.pem").write_bytes(mesh().pem)
    (policies / "policy.yaml").write_text(policy)
    listen, ops, stderr = listen or f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", folder / "stderr"
    arguments = ["--policy", str(policies), "--listen", listen, "--ops", ops, "--decision-log", "off", *flags]
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "peergate", "extauth", "serve", *arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    started = Running(process, policies, listen, ops, stderr)
    try:
        eventually(lambda: started.readiness()[0] in ((200,) if ready else (200, 503)) or process.poll() is not None)
        yield started
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)
