"""A mesh whose callers a real `openssl ocsp` responder knows, behind a socket that can be made to misbehave."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from peergate.demo.client import Credentials
from pki.authority import Authority, Issued
from tests.envoy.revocation_world import replace_file, written
from tests.support.ocsp import delegate

POLICY = """\
version: 1
trust:
  mesh:
    anchors: [mesh.pem]
    spiffe_trust_domain: acme.internal
    ocsp: {url: "http://127.0.0.1:PORT/", allow_private: true}
    revocation: REVOCATION
rules:
  - {id: open, allow: authenticated, to: {paths: ["/v1/**"]}}
"""
#: Seconds that a responder which is delayed takes.
DELAY_SECONDS = 30.0


class Relay:
    """The socket that the policy names. `mode`: forward to the responder, delay, or answer something malformed."""

    def __init__(self, responder: Callable[[], int]) -> None:
        self.mode = "forward"
        self.asked = 0
        self._responder = responder
        self._released = Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """Forward from now on, what was held up too."""
        self.mode = "forward"
        self._released.set()
        self._released = Event()

    def close(self) -> None:
        self._released.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self.asked += 1
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            asked = connection.recv(65_536)
            while b"\r\n\r\n" not in asked or len(asked.partition(b"\r\n\r\n")[2]) < 20:
                asked += connection.recv(65_536)
            if self.mode == "delay":
                self._released.wait(DELAY_SECONDS)
            if self.mode == "malformed":
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
                return
            with socket.create_connection(("127.0.0.1", self._responder()), 5) as responder:
                responder.sendall(asked)
                while part := responder.recv(65_536):
                    connection.sendall(part)


@dataclass
class OcspWorld:
    """`statuses`: `V` or `R` of each certificate that the responder knows, by serial number."""

    folder: Path
    authority: Authority = field(default_factory=lambda: Authority.root("mesh"))
    statuses: dict[int, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.policy.mkdir()
        (self.policy / "mesh.pem").write_bytes(self.authority.pem)
        responder = delegate(self.authority)
        for name, content in {"issuer": self.authority.pem, "r": responder.pem, "rkey": responder.key_pem}.items():
            (self.folder / f"{name}.pem").write_bytes(content)
        self.relay = Relay(lambda: self.port)
        self.write_policy("require")

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    def write_policy(self, revocation: str) -> None:
        text = POLICY.replace("PORT", str(self.relay.port)).replace("REVOCATION", revocation)
        replace_file(self.policy / "policy.yaml", text.encode())

    def client(self, name: str, status: str | None = "V") -> tuple[Issued, Credentials]:
        """A new certificate, its files, and what the responder says of it once it is started anew; None = unknown."""
        issued = self.authority.issue(uri=[f"spiffe://acme.internal/{name}"])
        if status is not None:
            self.statuses[issued.certificate.serial_number] = status
        return issued, written(self.folder, name, issued)

    def start_responder(self) -> None:
        """Have `openssl ocsp` know the `statuses`; one that runs is ended first."""
        self.kill_responder()
        lines = []
        for serial, status in self.statuses.items():
            digits = f"{serial:X}"
            revoked = "260101000000Z,keyCompromise" if status == "R" else ""
            name = f"{'0' * (len(digits) % 2)}{digits}\tunknown\t/CN=x"
            lines.append(f"{status}\t301231235959Z\t{revoked}\t{name}\n")
        (self.folder / "index.txt").write_text("".join(lines))
        (self.folder / "index.txt.attr").write_text("unique_subject = no\n")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        files = ("-index", "index.txt", "-CA", "issuer.pem", "-rsigner", "r.pem", "-rkey", "rkey.pem")
        command = ("openssl", "ocsp", *files, "-port", str(self.port), "-nmin", "60", "-ignore_err")
        told = self.folder / "responder.log"
        with told.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while b"ACCEPT" not in told.read_bytes():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill_responder(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def close(self) -> None:
        self.kill_responder()
        self.relay.close()


def hurry(pid: int) -> None:
    """SIGHUP: all is asked again."""
    os.kill(pid, signal.SIGHUP)
