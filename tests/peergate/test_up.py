"""`peergate up` as a program of its own: what Envoy decided is recorded as peergate would, and so is the shadow."""

import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
SHADOW = """\
  - {id: archive, deny: billing, to: {paths: [/v1/archive]}, mode: shadow}
  - {id: soon, allow: billing, to: {paths: [/v2]}, mode: shadow}
  - {id: later, deny: billing, to: {paths: [/v1/later]}, mode: shadow, when: {after: 2020-01-01T00:00:00Z}}
"""


@dataclass
class Up:
    """A running `peergate up`, and a caller."""

    folder: Path
    process: UpProcess
    port: int
    context: ssl.SSLContext

    def get(self, target: str) -> Answer:
        request = request_bytes("GET", target.encode(), [("Host", b"h.example"), ("Connection", b"close")])
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


@contextmanager
def running(policy: str, *flags: str, following: str = "") -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="up-") as name, EchoUpstream() as upstream:
        folder = Path(name)
        for part, text in (("policy", policy), ("next", following)):
            (folder / part).mkdir()
            (folder / part / "policy.yaml").write_text(text)
        (folder / "run").mkdir()
        authority = Authority.root("mesh")
        server = authority.issue(dns=["h.example"], server=True, client=False)
        leaf = authority.issue(uri=[BILLING])
        files = {"s.pem": server.pem, "s.key": server.key_pem, "c.pem": leaf.chain_pem, "c.key": leaf.key_pem}
        for file, content in {"ca.pem": authority.pem, "partner.pem": Authority.root("partner").pem, **files}.items():
            (folder / file).write_bytes(content)
        port = free_port()
        arguments = [
            *("--listen", f"127.0.0.1:{port}", "--cert", str(folder / "s.pem"), "--key", str(folder / "s.key")),
            *("--upstream", f"http://127.0.0.1:{upstream.port}", *flags),
        ]
        if following:
            arguments += ["--shadow-policy", str(folder / "next")]
        with UpProcess.serve(folder / "policy", folder / "run", *arguments) as process:
            context = client_context(folder / "ca.pem", Credentials(folder / "c.pem", folder / "c.key"))
            yield Up(folder, process, port, context)


@pytest.fixture(scope="module")
def shadowed() -> Iterator[Up]:
    with running(POLICY + SHADOW) as up:
        yield up


def test_what_envoy_decided_is_recorded_with_what_shadow_rules_would_decide(shadowed: Up) -> None:
    assert shadowed.get("/v1/archive").status == 200
    record = shadowed.record("/v1/archive")
    assert (record["enforcement"], record["effect"], record["rules"]) == ("native", "allow", ["reads"])
    assert record["shadow"] == {"effect": "deny", "reason": "denied_by_rule", "rules": ["archive"]}


def test_a_request_that_envoy_denies_has_its_shadow_too(shadowed: Up) -> None:
    assert shadowed.get("/v2").status == 403
    record = shadowed.record("/v2")
    assert (record["enforcement"], record["reason"]) == ("native", "no_matching_rule")
    assert record["shadow"] == {"effect": "allow", "reason": "allowed_by_rule", "rules": ["soon"]}


def test_a_shadow_that_changes_nothing_is_null(shadowed: Up) -> None:
    assert shadowed.get("/v1/a").status == 200
    record = shadowed.record("/v1/a")
    assert (record["enforcement"], record["shadow"], record["problems"]) == ("native", None, [])


def test_shadow_rules_that_envoy_cannot_say_are_told_as_not_evaluated(shadowed: Up) -> None:
    assert shadowed.get("/v1/later").status == 200
    record = shadowed.record("/v1/later")
    assert (record["enforcement"], record["effect"], record["shadow"]) == ("native", "allow", None)
    assert record["problems"] == ["shadow rules were not evaluated inside Envoy"]


def test_what_is_asked_has_the_shadow_of_peergate(shadowed: Up) -> None:
    assert shadowed.get("/told").status == 200
    assert shadowed.record("/told")["enforcement"] == "extauth"


def test_what_shadow_rules_would_change_is_counted(shadowed: Up) -> None:
    before = shadowed.metrics("peergate_native_shadow_rules_total")
    for target in ("/v1/archive", "/v1/b", "/v1/later"):
        shadowed.get(target)
    wanted = {result: before[f'{{result="{result}"}}'] + 1 for result in ("differs", "same", "not_evaluated")}
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        counted = shadowed.metrics("peergate_native_shadow_rules_total")
        if counted == {f'{{result="{result}"}}': number for result, number in wanted.items()}:
            return
        time.sleep(0.05)
    raise AssertionError(counted)


def test_the_record_of_what_envoy_decided_names_the_one_of_several_trust_entries_that_vouches() -> None:
    several = POLICY.replace("trust: {mesh", "trust: {another: {anchors: [../partner.pem]}, mesh")
    with running(several) as up:
        assert up.get("/v1/a").status == 200
        record = up.record("/v1/a")
        assert (record["enforcement"], record["effect"], record["identity.trust"]) == ("native", "allow", ["mesh"])
