"""Law 9: dates are judged on every request, to the last representable fraction of a second, whatever is remembered."""

import math
import time
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import grpc
import pytest

from extauth.wire.messages import CheckRequest, CheckResponse
from pki.authority import Authority, Issued
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import presented_from_der
from policies.reason import Reason
from tests.extauth.service_process import CHECK
from tests.extauth.world import POLICY, mesh, policy_of, question
from tests.runtime.world import policy_set, write_policy
from tests.support.local_extauth import LocalExtauth

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
TODAY = datetime(2027, 3, 1, 12, tzinfo=UTC)
ROOT = Authority.root("mesh root", now=TODAY)
END = (TODAY + timedelta(days=2)).timestamp()
TRUST = """\
version: 1
trust: {mesh: {anchors: [pki/root.pem], intermediates: [pki/ca.pem], spiffe_trust_domain: acme.internal, TRUST}}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules: [{id: all, allow: billing, to: {paths: [/open]}}]
"""
#: Allowed up to END itself, refused from the next number that a clock could show.
AROUND = {
    END - 1: True,
    END - 0.5: True,
    END - 1e-6: True,
    math.nextafter(END, 0): True,
    END: True,
    math.nextafter(END, math.inf): False,
    END + 1e-6: False,
    END + 0.5: False,
    END + 1: False,
    END + 3600: False,
}


def policy_at(folder: Path, ca: Authority, *, crl: bytes | None = None) -> PolicySet:
    pki = write_policy(folder).parent / "pki"
    (pki / "root.pem").write_bytes(ROOT.pem)
    (pki / "ca.pem").write_bytes(ca.pem)
    revocation = ""
    if crl is not None:
        (pki / "ca.crl").write_bytes(crl)
        revocation = "crls: [pki/ca.crl], revocation: require"
    return policy_set(folder, TRUST.replace(", TRUST", f", {revocation}" if revocation else ""))


def reason_at(policy: PolicySet, issued: Issued, moment: float) -> Reason:
    peer = presented_from_der(issued.der)
    return evaluate(policy, Request(peer, "GET", "/open", "h.example", EMPTY_HEADERS, None, None, None, moment)).reason


def assert_ends_exactly(policy: PolicySet, issued: Issued, refusal: Reason) -> None:
    expected = {moment: Reason.ALLOWED_BY_RULE if allowed else refusal for moment, allowed in AROUND.items()}
    assert {moment: reason_at(policy, issued, moment) for moment in AROUND} == expected
    assert {moment: reason_at(policy, issued, moment) for moment in reversed(AROUND)} == expected


def test_a_leaf_is_allowed_up_to_its_not_after_and_no_fraction_longer(tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca")
    leaf = ca.issue(uri=[BILLING], not_after=TODAY + timedelta(days=2))
    assert_ends_exactly(policy_at(tmp_path, ca), leaf, Reason.CERTIFICATE_EXPIRED)


def test_a_ca_vouches_up_to_its_not_after_and_no_fraction_longer(tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca", days=2)
    leaf = ca.issue(uri=[BILLING], not_after=TODAY + timedelta(days=9))
    assert_ends_exactly(policy_at(tmp_path, ca), leaf, Reason.CERTIFICATE_UNTRUSTED)


def test_a_crl_proves_up_to_its_next_update_and_no_fraction_longer(tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca")
    leaf = ca.issue(uri=[BILLING], not_after=TODAY + timedelta(days=9))
    policy = policy_at(tmp_path, ca, crl=ca.crl(next_update=TODAY + timedelta(days=2)))
    assert_ends_exactly(policy, leaf, Reason.REVOCATION_UNKNOWN)


def test_a_leaf_is_refused_until_its_not_before_and_no_fraction_longer(tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca")
    leaf = ca.issue(uri=[BILLING], not_before=TODAY + timedelta(days=2), not_after=TODAY + timedelta(days=9))
    policy = policy_at(tmp_path, ca)
    before = [END - 0.5, END - 1e-6, math.nextafter(END, 0)]
    assert {reason_at(policy, leaf, moment) for moment in before} == {Reason.CERTIFICATE_NOT_YET_VALID}
    assert {reason_at(policy, leaf, moment) for moment in (END, END + 1e-6)} == {Reason.ALLOWED_BY_RULE}


@pytest.mark.parametrize("moments", tuple(permutations([END - 0.5, END, math.nextafter(END, math.inf)])))
def test_what_was_asked_before_never_changes_the_answer(moments: tuple[float, ...], tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca")
    leaf = ca.issue(uri=[BILLING], not_after=TODAY + timedelta(days=2))
    policy = policy_at(tmp_path, ca)
    for moment in moments:
        assert (reason_at(policy, leaf, moment) is Reason.ALLOWED_BY_RULE) == (moment <= END)


def test_a_time_that_is_no_number_is_after_every_end(tmp_path: Path) -> None:
    ca = ROOT.intermediate("ca")
    assert reason_at(policy_at(tmp_path, ca), ca.issue(uri=[BILLING]), math.nan) is not Reason.ALLOWED_BY_RULE


def test_a_certificate_of_three_seconds_is_refused_on_the_first_request_after_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[tuple[float, str, float]] = []
    with LocalExtauth(tmp_path) as extauth, grpc.insecure_channel(str(extauth.grpc)) as channel:
        extauth.current = policy_of(POLICY)
        ask = channel.unary_unary(CHECK, CheckRequest.SerializeToString, CheckResponse.FromString)
        end = int(time.time()) + 3
        asked = question(issued=mesh().issue(uri=[BILLING], not_after=datetime.fromtimestamp(end, UTC)))
        while not answers or answers[-1][0] < end + 0.3:
            began = time.time()
            answers.append((began, reason_of(ask(asked, timeout=5)), time.time()))
            time.sleep(0.002)
    before = {reason for _, reason, answered in answers if answered <= end}
    after = {reason for began, reason, _ in answers if began > end}
    assert before == {"allowed_by_rule"}
    assert after == {"certificate_expired"}
    first_refused = next(began for began, reason, _ in answers if reason != "allowed_by_rule")
    with capsys.disabled():
        print(
            f"\n  certificate of 3 s: {len(answers)} questions, refused {1000 * (first_refused - end):+.1f} ms after it"
        )


def reason_of(answer: CheckResponse) -> str:
    """The reason as Envoy gets it: dynamic metadata, permitted or not."""
    reason: str = answer.dynamic_metadata.fields["reason"].string_value
    assert (answer.status.code == 0) == (reason == "allowed_by_rule")
    return reason
