"""From a change of files until `peergate up` refuses, on open connections: `python -m bench.revocation_probe SIZE`.

SIZE: rules. One caller's certificate is put on the CRL, then another caller is denied by name, then a third by
fingerprint alone, both in a small file beside the large one. A fourth, who stays permitted, calls all the time.
Answered as JSON: seconds until each is refused, and what the fourth was told.
"""

import json
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, sleep
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256

from bench.scenario import LITERAL_PATH, ROOT_FILE, Caller, Mesh
from peergate.demo.client import Credentials, client_context
from peergate.demo.service import UpProcess
from peergate.demo.upstream import EchoUpstream
from runtime.address import TcpAddress
from runtime.listener import bound_from_address

#: Seconds between two requests of one caller, and until a refusal that has not come will not come.
PACE = 0.01
PATIENCE_SECONDS = 60.0
#: Seconds that the last caller goes on after each refusal, for what is compiled and taken later.
AFTER_SECONDS = 20.0


class OpenConnection:
    """One caller on one connection."""

    def __init__(self, caller: Caller, folder: Path, port: int) -> None:
        credentials = Credentials(folder / f"{caller.index}.pem", folder / f"{caller.index}.key")
        credentials.chain.write_bytes(caller.issued.chain_pem)
        credentials.key.write_bytes(caller.issued.key_pem)
        self._host = caller.host
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context: ssl.SSLContext = client_context(folder / ROOT_FILE, credentials)
        self._http = HTTPConnection(caller.host)
        self._http.sock = context.wrap_socket(raw, server_hostname=caller.host)
        self._http.auto_open = 0

    def status(self) -> int:
        """What a request is answered. Raises OSError or HTTPException if the connection is gone."""
        self._http.request("GET", LITERAL_PATH, headers={"Host": self._host})
        answer = self._http.getresponse()
        answer.read()
        return answer.status

    def seconds_until_refused(self, change: Callable[[], None]) -> float:
        """After `change`. Raises TimeoutError."""
        change()
        began = monotonic()
        while monotonic() - began < PATIENCE_SECONDS:
            if self.status() == 403:
                return monotonic() - began
            sleep(PACE)
        raise TimeoutError(f"still permitted after {PATIENCE_SECONDS:g} s")


class SteadyCaller:
    """Calls all the time on one connection, in a thread. `told`: the statuses of the answers, with how often."""

    def __init__(self, connection: OpenConnection) -> None:
        self.told: Counter[int] = Counter()
        self._connection = connection
        self._ending = Event()
        self._thread = Thread(target=self._call)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _call(self) -> None:
        while not self._ending.wait(PACE):
            self.told[self._connection.status()] += 1


def measured(size: int, folder: Path) -> dict[str, object]:
    """The figures; `folder`: an empty one with a short path. Raises TimeoutError."""
    mesh = Mesh.new()
    callers = mesh.callers([0, 1, 2, 3])
    policies = folder / "policy"
    policies.mkdir()
    mesh.write_revocable(policies, size)
    with EchoUpstream() as upstream, _up(mesh, callers, folder, upstream.port) as port:
        revoked, named, pinned, permitted = (OpenConnection(caller, folder, port) for caller in callers)
        before = [caller.status() for caller in (revoked, named, pinned)]
        with SteadyCaller(permitted) as steady:
            seconds = {}
            for what, caller, change in (
                ("crl", revoked, lambda: mesh.revoke(policies, callers[0].issued.certificate)),
                ("deny_name", named, lambda: _deny(policies, f'uri: "{callers[1].uri}"')),
                ("deny_fingerprint", pinned, lambda: _deny(policies, f'fingerprint: "{_fingerprint(callers[2])}"')),
            ):
                seconds[what] = round(caller.seconds_until_refused(change), 2)
                sleep(AFTER_SECONDS)
    return {"before": before, **seconds, "permitted": dict(steady.told)}


@contextmanager
def _up(mesh: Mesh, callers: Sequence[Caller], folder: Path, upstream: int) -> Iterator[int]:
    """`peergate up` for the policy in `folder`; the port where it listens."""
    server = mesh.root.issue(dns=[caller.host for caller in callers], server=True, client=False)
    for name, content in {ROOT_FILE: mesh.root.pem, "s.pem": server.pem, "s.key": server.key_pem}.items():
        (folder / name).write_bytes(content)
    with bound_from_address(TcpAddress("127.0.0.1", 0), share_port=False) as bound:
        port: int = bound.getsockname()[1]
    tls = ("--cert", str(folder / "s.pem"), "--key", str(folder / "s.key"))
    places = ("--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{upstream}")
    with UpProcess.serve(folder / "policy", folder, *places, *tls):
        yield port


def _fingerprint(caller: Caller) -> str:
    return "sha256:" + caller.issued.certificate.fingerprint(SHA256()).hex()


def _deny(policies: Path, selector: str) -> None:
    rule = f"version: 1\nrules: [{{id: emergency, deny: {{{selector}}}, to: any}}]\n"
    (policies / "blocked.yaml").write_text(rule, encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory(prefix="revoke-") as folder:
        sys.stdout.write(json.dumps(measured(int(sys.argv[1]), Path(folder))) + "\n")
