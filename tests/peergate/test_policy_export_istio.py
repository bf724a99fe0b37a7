"""`peergate policy export istio`: what it prints where, and how it ends."""

from pathlib import Path

import pytest
import yaml

from pki.authority import Authority
from tests.peergate.commands import Peergate

POLICY = """\
version: 1
trust: {mesh: {anchors: [ca.pem], spiffe_trust_domain: acme.internal}}
identities: {web: {uri: "spiffe://acme.internal/ns/prod/sa/web"}}
rules:
  - {id: reads, allow: web, to: {hosts: [orders.prod.svc], methods: [GET], paths: ["/v1/**"]}}
  - {id: others, allow: web, to: {hosts: [other.prod.svc]}}
"""
HOST = ("--host", "orders.prod.svc=prod,app=orders")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(Authority.root("mesh").pem)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_the_resources_are_printed_and_what_is_left_out_is_noted(policy: Path, peergate: Peergate) -> None:
    ended = peergate("policy", "export", "istio", str(policy), *HOST)
    assert ended.code == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(ended.out) if document]
    assert kinds == ["EnvoyFilter", "PeerAuthentication", "AuthorizationPolicy"]
    assert ended.err == f"note: {policy}:6: rule `others` is about none of the hosts that are named, and is left out\n"


def test_what_is_exported_can_be_imported(policy: Path, tmp_path: Path, peergate: Peergate) -> None:
    exported = tmp_path / "istio.yaml"
    exported.write_text(peergate("policy", "export", "istio", str(policy), *HOST).out)
    imported = peergate("policy", "import", "istio", str(exported), *HOST, "--trust-domain", "acme.internal")
    assert imported.code == 0
    assert "paths: [/v1, /v1/, " in imported.out


def test_a_policy_that_istio_cannot_say_prints_nothing_and_every_reason(policy: Path, peergate: Peergate) -> None:
    policy.write_text(POLICY + "  - {id: pinned, deny: {serial: a1}, to: any}\n  - {id: p, allow: {dns: a}, to: any}\n")
    ended = peergate("policy", "export", "istio", str(policy), *HOST)
    assert (ended.code, ended.out) == (1, "")
    assert f"{policy}:7:10: istio_caller: rule `pinned`" in ended.err
    assert f"{policy}:8:10: istio_caller: rule `p`" in ended.err
    assert "--form ext-authz lets it ask peergate" in ended.err


def test_with_ext_authz_every_policy_is_exported(policy: Path, peergate: Peergate) -> None:
    policy.write_text(POLICY + "  - {id: pinned, deny: {serial: a1}, to: any}\n")
    ended = peergate("policy", "export", "istio", str(policy), *HOST, "--form", "ext-authz")
    assert (ended.code, ended.err) == (0, "")
    documents = [document for document in yaml.safe_load_all(ended.out) if document]
    assert [document["kind"] for document in documents] == ["PeerAuthentication", "EnvoyFilter", "AuthorizationPolicy"]
    assert documents[0]["spec"]["mtls"] == {"mode": "STRICT"}
    assert documents[2]["spec"]["action"] == "CUSTOM"


def test_callers_without_a_certificate_get_in_only_where_a_rule_allows_some(policy: Path, peergate: Peergate) -> None:
    policy.write_text(POLICY + "  - {id: probes, allow: unauthenticated, to: {paths: [/healthz]}}\n")
    for form in ("authorization", "ext-authz"):
        printed = peergate("policy", "export", "istio", str(policy), *HOST, "--form", form).out
        (peers,) = (each for each in yaml.safe_load_all(printed) if each and each["kind"] == "PeerAuthentication")
        assert peers["spec"]["mtls"] == {"mode": "PERMISSIVE"}


def test_the_mesh_is_told_of_peergate_by_helm_values(policy: Path, peergate: Peergate) -> None:
    printed = peergate("policy", "export", "istio", str(policy), "--form", "mesh-config").out
    (provider,) = yaml.safe_load(printed)["meshConfig"]["extensionProviders"]
    assert provider["envoyExtAuthzGrpc"]["failOpen"] is False


def test_a_policy_with_problems_exports_nothing(policy: Path, peergate: Peergate) -> None:
    policy.write_text("version: 1\nrules: [{id: a}]\n")
    ended = peergate("policy", "export", "istio", str(policy), *HOST)
    assert (ended.code, ended.out) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name each host"),
        (("--host", "a.svc"), "HOST=NAMESPACE"),
        (("--host", "*.svc=prod"), "single hosts"),
        ((*HOST, *HOST), "named twice"),
        (("--host", "[::1]=prod"), "use a name"),
        (("--host", "a.svc=istio-system"), "every workload of the mesh"),
        ((*HOST, "--host", "web.svc=prod"), "may be the same pods"),
        ((*HOST, "--host", "web.svc=prod,tier=web"), "may be the same pods"),
        (("--host", "a.svc=peergate", "--form", "ext-authz"), "whether peergate may be asked"),
        ((*HOST, "--form", "mesh-config"), "the whole mesh"),
        ((*HOST, "--form", "else"), "--form"),
    ],
)
def test_arguments_that_say_nothing_are_mistakes_in_one_line(
    policy: Path, peergate: Peergate, arguments: tuple[str, ...], said: str
) -> None:
    ended = peergate("policy", "export", "istio", str(policy), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


@pytest.mark.parametrize("more", ["web.svc=prod,app=web", "web.svc=test,app=orders", "o.svc=prod,app=orders"])
def test_pods_that_differ_or_are_the_same_stand_beside_each_other(policy: Path, peergate: Peergate, more: str) -> None:
    assert peergate("policy", "export", "istio", str(policy), *HOST, "--host", more).code == 0
