"""From a change of files until `peergate up` refuses, on open connections: `python -m bench.revocation_probe SIZE`.

SIZE: rules. One caller's certificate is put on the CRL, then another caller is denied by fingerprint, while a third,
who stays permitted, calls all the time. Answered as JSON: seconds until each is refused, and what the third was told.
"""

import json
import socket
import ssl
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, sleep

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
#: Seconds that the third caller goes on after the last refusal, for what is compiled later.
AFTER_SECONDS = 10.0


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


def measured(size: int, folder: Path) -> dict[str, object]:
    """The figures; `folder`: an empty one with a short path. Raises TimeoutError."""
    mesh = Mesh.new()
    revoked, denied, permitted = mesh.callers([0, 1, 2])
    server = mesh.root.issue(dns=[caller.host for caller in (revoked, denied, permitted)], server=True, client=False)
    policies = folder / "policy"
    policies.mkdir()
    (policies / "issuing.crl").write_bytes(mesh.issuing.crl([]))
    (policies / "root.crl").write_bytes(mesh.root.crl([]))
    (policies / "issuing.pem").write_bytes(mesh.issuing.pem)
    path = mesh.write(policies, size)
    anchors = f"anchors: [{ROOT_FILE}]"
    named = f"{anchors}, intermediates: [issuing.pem], crls: [root.crl, issuing.crl]"
    path.write_text(path.read_text(encoding="utf-8").replace(anchors, named), encoding="utf-8")
    for name, content in {ROOT_FILE: mesh.root.pem, "s.pem": server.pem, "s.key": server.key_pem}.items():
        (folder / name).write_bytes(content)
    with bound_from_address(TcpAddress("127.0.0.1", 0), share_port=False) as bound:
        port: int = bound.getsockname()[1]
    tls = ("--cert", str(folder / "s.pem"), "--key", str(folder / "s.key"))
    with (
        EchoUpstream() as upstream,
        UpProcess.serve(
            policies, folder, "--listen", f"127.0.0.1:{port}", *tls, "--upstream", f"http://127.0.0.1:{upstream.port}"
        ),
    ):
        steady = OpenConnection(permitted, folder, port)
        statuses: list[int] = []
        stop = Event()

        def call() -> None:
            while not stop.wait(PACE):
                statuses.append(steady.status())

        def revoke() -> None:
            (policies / "issuing.crl").write_bytes(mesh.issuing.crl([revoked.issued.certificate]))

        def deny() -> None:
            digest = denied.issued.certificate.fingerprint(SHA256()).hex()
            rule = f'  - {{id: emergency, deny: {{fingerprint: "sha256:{digest}"}}, to: any}}\n'
            path.write_text(path.read_text(encoding="utf-8") + rule, encoding="utf-8")

        first, second = (OpenConnection(caller, folder, port) for caller in (revoked, denied))
        before = (first.status(), second.status())
        thread = Thread(target=call)
        thread.start()
        try:
            by_crl = first.seconds_until_refused(revoke)
            sleep(AFTER_SECONDS)
            by_deny = second.seconds_until_refused(deny)
            sleep(AFTER_SECONDS)
        finally:
            stop.set()
            thread.join()
    told = {str(status): statuses.count(status) for status in sorted(set(statuses))}
    return {"before": before, "crl": round(by_crl, 2), "deny": round(by_deny, 2), "permitted": told}


if __name__ == "__main__":
    with TemporaryDirectory(prefix="revoke-") as folder:
        sys.stdout.write(json.dumps(measured(int(sys.argv[1]), Path(folder))) + "\n")
