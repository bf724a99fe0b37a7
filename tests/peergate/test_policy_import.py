"""`peergate policy import istio`: what it prints where, and how it ends."""

from pathlib import Path

import pytest

from pki.authority import Authority
from tests.peergate.commands import Peergate

POLICY = """\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: prod}
spec:
  rules:
    - from: [{source: {principals: ["cluster.local/ns/prod/sa/web"]}}]
      to: [{operation: {methods: [GET], paths: ["/v1/*"]}}]
"""
HOST = ("--host", "orders.prod.svc=prod,app=orders")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mesh.yaml"
    path.write_text(POLICY)
    return path


def test_the_policy_is_printed_and_works_as_it_is(file: Path, tmp_path: Path, peergate: Peergate) -> None:
    ended = peergate("policy", "import", "istio", str(file), *HOST, "--anchors", "ca.pem")
    assert (ended.code, ended.err) == (0, "")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/policy.yaml").write_text(ended.out)
    (tmp_path / "policy/ca.pem").write_bytes(Authority.root("mesh").pem)
    policy = str(tmp_path / "policy")
    assert peergate("policy", "check", policy).code == 0
    assert peergate("policy", "fmt", "--check", policy).code == 0
    caller = ("--uri", "spiffe://cluster.local/ns/prod/sa/web")
    assert peergate("policy", "explain", policy, *caller, "GET", "https://orders.prod.svc/v1/a").code == 0
    assert peergate("policy", "explain", policy, *caller, "GET", "https://other.prod.svc/v1/a").code == 1
    assert peergate("policy", "explain", policy, *caller, "POST", "https://orders.prod.svc/v1/a").code == 1


def test_a_rule_that_is_left_out_is_told_and_ends_with_1(file: Path, peergate: Peergate) -> None:
    file.write_text(POLICY.replace("/v1/*", "/v1*"))
    ended = peergate("policy", "import", "istio", str(file), *HOST)
    assert ended.code == 1
    assert "LEFT OUT" in ended.out
    assert "1 of the rules that allow are left out" in ended.err
    assert f"{file}:7:" in ended.err


def test_a_deny_that_cannot_be_said_prints_nothing(file: Path, peergate: Peergate) -> None:
    file.write_text(POLICY.replace("/v1/*", "/v1*").replace("spec:", "spec:\n  action: DENY"))
    ended = peergate("policy", "import", "istio", str(file), *HOST)
    assert (ended.code, ended.out) == (1, "")
    assert "the policy would allow more than Istio does" in ended.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nowhere.yaml",), "cannot be read"),
        (("--host", "a b=prod"), "--host"),
        (("--host", "a.svc"), "HOST=NAMESPACE"),
        (("--host", "*.svc=prod"), "single hosts"),
        ((*HOST, *HOST), "named twice"),
        ((*HOST, "--trust-domain", "Not A Domain"), "--trust-domain"),
    ],
)
def test_arguments_that_say_nothing_are_mistakes_in_one_line(
    file: Path, peergate: Peergate, arguments: tuple[str, ...], word: str
) -> None:
    ended = peergate("policy", "import", "istio", str(file), *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err
    assert ended.err.count("\n") == 1
