"""`peergate policy export envoy`: what it prints is what an Envoy takes."""

import json
from pathlib import Path

import pytest

from pki.authority import Authority
from tests.peergate.commands import Peergate
from tests.support.envoy_validation import complaints_of_envoy

POLICY = """\
version: 1
trust: {mesh: {anchors: [ca.pem], spiffe_trust_domain: acme.internal}}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules:
  - {id: reads, allow: billing, to: {paths: ["/v1/**"]}}
  - {id: later, allow: billing, to: any, when: {after: 2030-01-01T00:00:00Z}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    authority = Authority.root("mesh")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"ca.pem": authority.pem, "s.pem": server.pem, "s.key": server.key_pem}.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_the_bootstrap_is_one_that_envoy_takes(policy: Path, tmp_path: Path, peergate: Peergate) -> None:
    files = ["--cert", str(tmp_path / "s.pem"), "--key", str(tmp_path / "s.key")]
    where = ["--listen", "127.0.0.1:8443", "--upstream", "http://127.0.0.1:8080", "--ask", "unix:/run/peergate.sock"]
    printed = peergate("policy", "export", "envoy", str(policy), "--bootstrap", *where, *files)
    assert complaints_of_envoy(json.loads(printed.out), tmp_path) == ""
    assert "allow:reads@" in printed.out


def test_the_filters_are_printed_with_what_must_stand_around_them(policy: Path, peergate: Peergate) -> None:
    exported = json.loads(peergate("policy", "export", "envoy", str(policy)).out)
    assert list(exported) == ["network_filters", "http_filters", "http_connection_manager", "route_config"]


def test_the_report_says_which_rules_envoy_decides(policy: Path, peergate: Peergate) -> None:
    printed = peergate("policy", "export", "envoy", str(policy), "--report").out
    assert "Envoy decides 1 of 2 rules by itself (50%)" in printed
    assert "ask: when" in printed


def test_half_of_what_a_bootstrap_needs_is_a_mistake(policy: Path, peergate: Peergate) -> None:
    finished = peergate("policy", "export", "envoy", str(policy), "--bootstrap", "--listen", "127.0.0.1:8443")
    assert finished.code == 2
    assert "--bootstrap needs" in finished.err


def test_a_policy_with_problems_exports_nothing(policy: Path, peergate: Peergate) -> None:
    policy.write_text("version: 1\nrules: [{id: a}]\n")
    finished = peergate("policy", "export", "envoy", str(policy))
    assert (finished.code, finished.out) == (1, "")
