"""`peergate gateway serve` as a program, before an upstream in this process that records what it was sent."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.extauth.service_process import eventually, free_port
from tests.gateway.gateway import Files, files_in
from tests.gateway.server.world import Client, everything

_ROOT = Path(__file__).parents[2]


class Upstream:
    """Answers every request with 200 and `served`, and remembers the heads."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # A shutdown wakes the thread that accepts; closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while more := connection.recv(65536):
                data += more
                while (end := self._request_end(data)) is not None:
                    self.heads.append(data.partition(b"\r\n\r\n")[0])
                    data = data[end:]
                    if not self.heads[-1].startswith(b"GET /stall "):
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nserved")

    def _request_end(self, data: bytes) -> int | None:
        head, found, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length else 0
        return len(head) + 4 + size if found and len(body) >= size else None


@dataclass(frozen=True)
class Running:
    """A started gateway."""

    process: "subprocess.Popen[bytes]"
    files: Files
    upstream: Upstream
    port: int
    ops: str
    stderr: Path

    def connected(self, client: Client) -> Any:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        try:
            return client.context().wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def answer(self, client: Client, target: bytes = b"/v1/a", headers: bytes = b"") -> bytes:
        with self.connected(client) as connection:
            connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + headers + b"Connection: close\r\n\r\n")
            return everything(connection)

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

    def ended(self) -> int:
        """Send SIGTERM and wait for the end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def running(folder: Path, *flags: str, policy: str | None = None, ready: bool = True) -> Iterator[Running]:
    """Run the gateway until the block ends; `ready`: wait until it says so."""
    (folder / "files").mkdir()
    files = files_in(folder / "files")
    if policy is not None:
        files.policy(policy)
    upstream, port, ops, stderr = Upstream(), free_port(), f"127.0.0.1:{free_port()}", folder / "stderr"
    arguments = ["--policy", str(files.folder / "policy.yaml"), "--listen", f"127.0.0.1:{port}", "--ops", ops]
    arguments += ["--cert", str(files.folder / "served.pem"), "--key", str(files.folder / "served.key")]
    arguments += ["--upstream", upstream.url, "--decision-log", str(folder / "decisions"), *flags]
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "peergate", "gateway", "serve", *arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    started = Running(process, files, upstream, port, ops, stderr)
    try:
        eventually(lambda: "message=listening" in stderr.read_text() or process.poll() is not None)
        eventually(lambda: not ready or started.readiness()[0] == 200 or process.poll() is not None)
        yield started
    finally:
        process.terminate()
        process.wait(20)
        upstream.close()
