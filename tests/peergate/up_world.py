"""A running `peergate up` as a program of its own, with a caller, an upstream, and what it says of itself."""

import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from peergate.demo.service import UpProcess
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import UnixAddress
from runtime.envoy.admin import UnixConnection
from tests.extauth.service_process import free_port

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
POLICY = f"""\
version: 1
trust: {{mesh: {{anchors: [../ca.pem], spiffe_trust_domain: acme.internal}}}}
identities: {{billing: {{uri: "{BILLING}"}}}}
rules:
  - {{id: reads, allow: billing, to: {{paths: ["/v1/**"]}}}}
  - {{id: tells, allow: billing, to: {{paths: [/told]}}, set_headers: {{x-told: "yes"}}}}
"""


@dataclass
class Up:
    """A running `peergate up`, and a caller."""

    folder: Path
    process: UpProcess
    port: int
    context: ssl.SSLContext

    def get(self, target: str, *headers: tuple[str, bytes]) -> Answer:
        sent = [("Host", b"h.example"), *headers, ("Connection", b"close")]
        request = request_bytes("GET", target.encode(), sent)
        return call(("127.0.0.1", self.port), self.context, request, sni="h.example")

    def record(self, target: str) -> dict[str, Any]:
        """The last record of a request to `target`."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lines = self.process.records.read_text().splitlines() if self.process.records.exists() else []
            found = [record for record in map(json.loads, lines) if record["url.path"] == target]
            if found:
                record: dict[str, Any] = found[-1]
                return record
            time.sleep(0.05)
        raise AssertionError(f"no record of {target}")

    def metrics(self, name: str) -> dict[str, float]:
        """The series of a metric, without its name."""
        connection: http.client.HTTPConnection = UnixConnection(UnixAddress(str(self.folder / "run" / "ops.sock")))
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        series = (line.rpartition(" ") for line in lines if line.startswith(name + "{"))
        return {labels.removeprefix(name): float(value) for labels, _, value in series}

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until something comes about."""
        deadline = time.monotonic() + 10
        while not wanted():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def written(folder: Path, policy: str, following: str = "") -> None:
    """Every file that `up` is told of, and the certificate of a caller."""
    for part, text in (("policy", policy), ("next", following)):
        (folder / part).mkdir()
        (folder / part / "policy.yaml").write_text(text)
    (folder / "run").mkdir()
    authority = Authority.root("mesh")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    leaf = authority.issue(uri=[BILLING], subject="CN=billing,O=Acme")
    files = {"s.pem": server.pem, "s.key": server.key_pem, "c.pem": leaf.chain_pem, "c.key": leaf.key_pem}
    for file, content in {"ca.pem": authority.pem, "partner.pem": Authority.root("partner").pem, **files}.items():
        (folder / file).write_bytes(content)


def caller(folder: Path) -> ssl.SSLContext:
    """The caller whose certificate `written` made."""
    return client_context(folder / "ca.pem", Credentials(folder / "c.pem", folder / "c.key"))


def flags(folder: Path, port: int, upstream_port: int) -> list[str]:
    """What `up` is told beside the policy."""
    return [
        *("--listen", f"127.0.0.1:{port}", "--cert", str(folder / "s.pem"), "--key", str(folder / "s.key")),
        *("--upstream", f"http://127.0.0.1:{upstream_port}"),
    ]


@contextmanager
def running(policy: str, *more: str, following: str = "") -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="up-") as name, EchoUpstream() as upstream:
        folder = Path(name)
        written(folder, policy, following)
        port = free_port()
        arguments = [*flags(folder, port, upstream.port), *more]
        if following:
            arguments += ["--shadow-policy", str(folder / "next")]
        with UpProcess.serve(folder / "policy", folder / "run", *arguments) as process:
            yield Up(folder, process, port, caller(folder))
