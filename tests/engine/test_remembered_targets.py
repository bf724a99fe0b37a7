"""A decision that is remembered by its target is the decision that would be made, whatever else a request is."""

import pytest

from policies.engine.limits import MAX_REMEMBERED_PATH_CHARS, MAX_TARGETS_OF_CALLER
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.peer.presented import NO_CERTIFICATE
from policies.reason import Reason
from tests.engine.callers import MESH, NOW, decided, policy, request, service

TRUST = f"trust: {{mesh: {{anchors: [root.pem], spiffe_trust_domain: {MESH}}}}}\n"
NAMES = f"""
identities:
  billing: {{uri: "spiffe://{MESH}/ns/prod/sa/billing"}}
routes:
  invoices: {{hosts: [h.example], methods: [GET, HEAD], paths: [/v1/invoices, "/v1/files/**"]}}
  ledger: {{hosts: [h.example], grpc: [acme.Ledger/Post]}}
rules:
  - {{id: a, allow: billing, to: invoices}}
"""
TARGET = "/v1/invoices"


def remembered(text: str, mesh: dict[str, bytes], **facts: object) -> tuple[PolicySet, Request]:
    """A policy that was asked so often that it remembers, and what it was asked."""
    subject, asked = policy(TRUST + NAMES + text, mesh), request(service("billing"), TARGET, **facts)  # type: ignore[arg-type]  # facts of a request
    for _ in range(3):
        assert decided(subject, asked).allowed
    return subject, asked


def test_the_same_target_is_looked_up_once(mesh: dict[str, bytes]) -> None:
    subject, asked = remembered("", mesh)
    assert subject.caller(asked.peer, NOW).targets.keys() == {("GET", TARGET, "h.example")}
    assert decided(subject, asked._replace(target=f"{TARGET}?page=2")).allowed


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"method": "DELETE"}, Reason.NO_MATCHING_RULE),
        ({"method": "get"}, Reason.REQUEST_MALFORMED),
        ({"method": "CONNECT"}, Reason.REQUEST_MALFORMED),
        ({"host": "other.example"}, Reason.NO_MATCHING_RULE),
        ({"host": "h.example,h.example"}, Reason.HOST_INVALID),
        ({"target": "/v1/invoices/"}, Reason.NO_MATCHING_RULE),
        ({"target": "/v1//invoices"}, Reason.PATH_AMBIGUOUS),
        ({"target": f"{TARGET}#"}, Reason.PATH_AMBIGUOUS),
        ({"target": f"{TARGET}%3f"}, Reason.PATH_AMBIGUOUS),
        ({"target": f"http://other.example{TARGET}"}, Reason.HOST_INVALID),
        ({"peer": service("other")}, Reason.NO_MATCHING_RULE),
        ({"peer": NO_CERTIFICATE}, Reason.NO_CERTIFICATE),
    ],
)
def test_another_request_is_decided_for_itself(
    mesh: dict[str, bytes], changed: dict[str, object], reason: Reason
) -> None:
    subject, asked = remembered("", mesh)
    assert decided(subject, asked._replace(**changed)).reason is reason  # type: ignore[arg-type]  # of any field


def test_a_condition_on_the_request_is_never_remembered(mesh: dict[str, bytes]) -> None:
    text = """\
  - {id: d, deny: billing, to: invoices, from: 10.9.0.0/16}
  - {id: e, deny: billing, to: invoices, when: {sni: x.example}}
"""
    subject, asked = remembered(text, mesh)
    assert not subject.caller(asked.peer, NOW).targets
    assert decided(subject, asked._replace(source_ip=request(source="10.9.1.1").source_ip)).rules == ("d",)
    assert decided(subject, asked._replace(sni="x.example")).rules == ("e",)


def test_a_strict_server_name_is_looked_at_every_time(mesh: dict[str, bytes]) -> None:
    subject, asked = remembered("strict_sni: true\n", mesh, sni="h.example")
    assert decided(subject, asked._replace(sni="other.example")).reason is Reason.SNI_MISMATCH


def test_a_call_of_grpc_is_told_from_another_post_every_time(mesh: dict[str, bytes]) -> None:
    subject, _ = remembered("  - {id: g, allow: billing, to: ledger}\n", mesh)
    call = request(
        service("billing"), "/acme.Ledger/Post", method="POST", headers={"content-type": ["application/grpc"]}
    )
    for _ in range(3):
        assert decided(subject, call).rules == ("g",)
        assert not decided(subject, call._replace(headers={"content-type": ("text/plain",)})).allowed


def test_what_is_remembered_is_bounded(mesh: dict[str, bytes]) -> None:
    subject, asked = remembered("", mesh)
    for number in range(10 * MAX_TARGETS_OF_CALLER):
        assert decided(subject, asked._replace(target=f"/v1/files/{number}")).allowed
    assert decided(subject, asked._replace(target=f"/v1/files/{'x' * MAX_REMEMBERED_PATH_CHARS}")).allowed
    kept = subject.caller(asked.peer, NOW).targets
    assert len(kept) <= MAX_TARGETS_OF_CALLER
    assert max(len(path) for _, path, _ in kept) <= MAX_REMEMBERED_PATH_CHARS
