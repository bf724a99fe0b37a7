"""`peergate up --shadow-policy`: the next policy is asked about what Envoy decided, as far as that can be known."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pki.authority import Authority
from tests.peergate.up_world import BILLING, POLICY, Up, running

NEXT = (
    POLICY
    + """\
  - {id: archive, deny: billing, to: {paths: [/v1/archive]}}
  - {id: staged, deny: billing, to: {paths: [/v1/staged], headers: {x-stage: [new]}}}
  - {id: acme, deny: {subject: {O: Acme}}, to: {paths: [/v1/acme]}}
  - {id: also, allow: billing, to: {paths: [/v1/also]}}
  - {id: dated, deny: billing, to: {paths: [/v1/dated]}, when: {after: 2020-01-01T00:00:00Z}}
  - {id: of-sni, deny: billing, to: {paths: [/v1/sni]}, when: {sni: [h.example]}}
"""
)
ARCHIVED = {"effect": "deny", "reason": "denied_by_rule", "rules": ["archive"]}


def decisions(up: Up, result: str) -> float:
    """How many native decisions came to `result`."""
    labels = f'{{enforcement="native",result="{result}"}}'
    return up.metrics("peergate_shadow_policy_decisions_total").get(labels, 0.0)


def compared(up: Up, target: str, *headers: tuple[str, bytes]) -> Any:
    """`next` of a native decision to `target`, which allows; from when on the next policy is asked."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert up.get(target, *headers).status == 200
        time.sleep(0.5)
        record = up.record(target)
        assert (record["enforcement"], record["effect"], record["rules"]) == ("native", "allow", ["reads"])
        if "next" in record:
            return record["next"] and {name: record["next"][name] for name in ("effect", "reason", "rules")}
    raise AssertionError(f"nothing was compared: {record}")


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with running(POLICY, following=NEXT) as started:
        yield started


def test_what_the_next_policy_would_change_of_a_native_decision_is_recorded_and_counted(up: Up) -> None:
    assert compared(up, "/v1/archive") == ARCHIVED
    before = decisions(up, "differs")
    up.get("/v1/archive")
    up.until(lambda: decisions(up, "differs") == before + 1)
    labels = (
        '{effect="allow",enforcement="native",next_effect="deny",next_reason="denied_by_rule",reason="allowed_by_rule"}'
    )
    assert up.metrics("peergate_shadow_policy_differences_total")[labels] >= 2


def test_what_it_would_decide_alike_is_null_and_counted_as_the_same(up: Up) -> None:
    assert compared(up, "/v1/a") is None
    before = decisions(up, "same")
    up.get("/v1/a")
    up.until(lambda: decisions(up, "same") == before + 1)


def test_another_rule_for_the_same_verdict_is_told(up: Up) -> None:
    assert compared(up, "/v1/also") == {"effect": "allow", "reason": "allowed_by_rule", "rules": ["also", "reads"]}


def test_it_is_shown_the_headers_that_its_rules_name(up: Up) -> None:
    staged = {"effect": "deny", "reason": "denied_by_rule", "rules": ["staged"]}
    assert compared(up, "/v1/staged", ("x-stage", b"new")) == staged
    assert up.record("/v1/staged")["request.headers"] == {"x-stage": ["new"]}
    assert compared(up, "/v1/staged", ("x-stage", b"old")) is None
    assert compared(up, "/v1/staged") is None
    # Who may be denied by a header that says two things is denied.
    assert compared(up, "/v1/staged", ("x-stage", b"old"), ("x-stage", b"old")) == staged


def test_a_header_that_is_not_told_as_it_was_sent_is_not_evaluated_and_counted_so(up: Up) -> None:
    compared(up, "/v1/a")
    before = decisions(up, "not_evaluated")
    assert up.get("/v1/odd", ("x-stage", b"\xff")).status == 200
    record = up.record("/v1/odd")
    assert "next" not in record
    assert record["problems"] == [
        "the next policy was not evaluated: Envoy does not tell the header x-stage as it was sent"
    ]
    assert (record["rules"], decisions(up, "not_evaluated")) == (["reads"], before + 1)


def test_it_is_shown_the_whole_certificate_the_time_and_the_server_name(up: Up) -> None:
    for target, rule in (("/v1/acme", "acme"), ("/v1/dated", "dated"), ("/v1/sni", "of-sni")):
        assert compared(up, target) == {"effect": "deny", "reason": "denied_by_rule", "rules": [rule]}


def test_what_envoy_asks_is_compared_by_extauth(up: Up) -> None:
    compared(up, "/v1/a")
    assert up.get("/told").status == 200
    record = up.record("/told")
    assert (record["enforcement"], record["next"]) == ("extauth", None)


def change(up: Up, text: str) -> None:
    """Another next policy; waits until it was read."""
    before = state(up)
    (up.folder / "next" / ".new").write_text(text)
    (up.folder / "next" / ".new").rename(up.folder / "next" / "policy.yaml")
    up.until(lambda: state(up) != before)


def state(up: Up) -> list[str]:
    return [notice for notice in up.process.status()["notices"] if notice.startswith("--shadow-policy")]


def test_a_broken_next_policy_disturbs_nobody_and_a_mended_one_is_compared_again() -> None:
    with running(POLICY, following=NEXT) as up:
        assert compared(up, "/v1/archive") == ARCHIVED
        change(up, "version: 1\nrules: [{id: oops, alow: billing, to: nowhere}]\n")
        assert "it has problems" in state(up)[0]
        ready, status = up.process.ready()
        assert (ready, status["problems"]) == (True, [])
        assert compared(up, "/v1/archive") == ARCHIVED
        # Other headers: Envoy is told to tell them.
        change(up, NEXT.replace("archive", "attic").replace("x-stage", "x-ring"))
        attic = {"effect": "deny", "reason": "denied_by_rule", "rules": ["attic"]}
        assert compared(up, "/v1/attic", ("x-ring", b"new")) == attic


def test_a_next_policy_that_was_never_good_is_not_asked() -> None:
    with running(POLICY, following="rules: nothing\n") as up:
        assert up.get("/v1/a").status == 200
        assert "next" not in up.record("/v1/a")
        assert decisions(up, "same") == decisions(up, "not_evaluated") == 0


def test_a_header_whose_name_no_access_log_can_have_leaves_native_decisions_out() -> None:
    with running(POLICY, following=NEXT.replace("x-stage", "x'stage")) as up:
        up.until(lambda: "is compared with" in "".join(state(up)))
        assert up.get("/v1/a").status == 200
        record = up.record("/v1/a")
        assert record["problems"] == ["the next policy was not evaluated: Envoy does not tell the header x'stage"]
        assert decisions(up, "not_evaluated") == 1
        assert up.get("/told").status == 200
        assert up.record("/told")["next"] is None


def test_a_next_policy_without_the_ca_of_the_caller_would_refuse_its_certificate() -> None:
    other = NEXT.replace("../ca.pem", "other.pem")
    with running(POLICY, following=other) as up:
        (up.folder / "next" / "other.pem").write_bytes(Authority.root("other").pem)
        up.until(lambda: "is compared with" in "".join(state(up)))
        refused = {"effect": "deny", "reason": "certificate_untrusted", "rules": []}
        assert compared(up, "/v1/a") == refused


def test_an_envoy_that_asks_about_everything_has_the_next_policy_compared_by_extauth() -> None:
    with running(POLICY, "--no-native", following=NEXT) as up:
        up.until(lambda: "is compared with" in "".join(state(up)))
        assert up.get("/v1/archive").status == 200
        record = up.record("/v1/archive")
        assert (record["enforcement"], record["next"]["rules"]) == ("extauth", ["archive"])
        assert record["identity.uri"] == [BILLING]
