"""An examination says what the policy says, check by check: held against `TrustStore.standing` on all that is odd."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.authoring.examination import Examination, Verdict, examination_from_presented
from policies.authoring.examination_check import Outcome
from policies.peer.certificate import certificate_from_der
from policies.peer.errors import CertificateError
from policies.peer.presented import MalformedCertificate, PresentedCertificate, presented_from_der
from policies.peer.revocation import Revocation
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason
from tests.authoring.examined import all_checks, outcomes, verdict_by_checks, verdict_of_product
from tests.peer.forge import DAY, NOW, Forged, alternative_names, authority, certificate, key_usage
from tests.peer.hostile import ANCHOR, hostile
from tests.peer.pkits import CASES, Case, anchor, certificate_der, files
from tests.peer.pkits import TIME as PKITS_TIME
from tests.peer.test_standing import entries, instants, presentations

TIME = NOW.timestamp()
ROOT = authority("Root", usage=key_usage("key_cert_sign", "crl_sign"))
LEAF = certificate("leaf", issuer=ROOT)
ENTRY = TrustEntry("mesh", (ROOT.parsed,))


def read(leaf: bytes, intermediates: Sequence[bytes] = ()) -> PresentedCertificate | MalformedCertificate:
    """As every enforcement point reads what a peer presents."""
    try:
        return presented_from_der(leaf, intermediates)
    except CertificateError as error:
        return MalformedCertificate(str(error))


def examined(leaf: Forged, *trusted: TrustEntry, time: float = TIME) -> Examination:
    return examination_from_presented(leaf.presented, time, TrustStore(trusted))


# Held against the policy.


@given(st.lists(entries, max_size=3), presentations, instants)
def test_law_the_checks_come_to_the_verdict_of_the_policy(
    trusted: list[TrustEntry], presented: PresentedCertificate, time: float
) -> None:
    store = TrustStore(trusted)
    examination = examination_from_presented(presented, time, store)
    assert verdict_by_checks(examination) == verdict_of_product(examination)
    assert examination.standing == store.standing(presented, time)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_law_the_checks_come_to_the_verdict_of_the_policy_on_pkits(case: Case) -> None:
    found, leaf = files(case), read(certificate_der(case.leaf))
    for revocation in Revocation:
        entry = TrustEntry("pkits", (anchor(),), found.cas, crls=found.crls, revocation=revocation)
        examination = examination_from_presented(leaf, PKITS_TIME, TrustStore([entry]))
        assert verdict_by_checks(examination) == verdict_of_product(examination), revocation


def test_law_the_checks_come_to_the_verdict_of_the_policy_on_hostile_certificates() -> None:
    store = TrustStore([TrustEntry("careless", (certificate_from_der(ANCHOR),)), TrustEntry("other", (ROOT.parsed,))])
    for number in range(600):
        family, item = hostile(number)
        examination = examination_from_presented(read(item.leaf, item.intermediates), TIME, store)
        assert verdict_by_checks(examination) == verdict_of_product(examination), (number, family)


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_no_time_ends_an_examination(time: float) -> None:
    examination = examined(LEAF, ENTRY, time=time)
    assert verdict_by_checks(examination) == verdict_of_product(examination)
    assert examination.verdict is Verdict.REFUSED


def test_a_policy_without_trust_entries_refuses_and_says_what_to_add() -> None:
    examination = examined(LEAF)
    assert verdict_by_checks(examination) == verdict_of_product(examination)
    assert (examination.reason, examination.problem) == (
        Reason.CERTIFICATE_UNTRUSTED,
        "the policy has no trust entry",
    )
    assert examination.fix.startswith("add an entry under `trust`")


# What is shown.


def test_an_accepted_certificate_passes_every_check() -> None:
    examination = examined(LEAF, ENTRY)
    assert examination.verdict is Verdict.ACCEPTED
    assert (examination.reason, examination.problem, examination.fix) == (None, "", "")
    assert {check.outcome for check in all_checks(examination)} == {Outcome.PASSED}


def test_checks_after_the_first_failure_are_still_made() -> None:
    old = certificate("*.x", issuer=ROOT, not_after=NOW - DAY / 2, extensions=[alternative_names(dns=["*.x"])])
    examination = examined(old, ENTRY)
    assert examination.reason is Reason.CERTIFICATE_EXPIRED
    found = outcomes(examination)
    assert (found["dates"], found["no wildcard"], found["chain"]) == ("fail", "fail", "pass")


def test_the_fix_is_that_of_the_first_check_that_failed() -> None:
    assert examined(LEAF, ENTRY, time=(NOW + 2 * DAY).timestamp()).fix == "renew it; it was issued for 2 d"


def test_the_fix_is_that_of_an_entry_with_the_reason_of_the_verdict() -> None:
    unknown = TrustEntry("unknown", (ROOT.parsed,), revocation=Revocation.REQUIRE)
    examination = examined(LEAF, TrustEntry("other", (authority("Other").parsed,)), unknown)
    assert examination.reason is Reason.REVOCATION_UNKNOWN
    assert examination.fix == "add the CRL of `CN=Root` to `crls` of unknown"


def test_what_came_along_and_cannot_be_read_is_counted() -> None:
    examination = examination_from_presented(
        presented_from_der(LEAF.der, [ROOT.der, b"junk"]), TIME, TrustStore([ENTRY])
    )
    assert (examination.presented, examination.unreadable) == ((ROOT.parsed,), 1)


def test_an_entry_is_said_to_accept_when_the_policy_says_so() -> None:
    examination = examined(LEAF, ENTRY, TrustEntry("other", (authority("Other").parsed,)))
    assert [examination.accepted_by(entry) for entry in examination.entries] == [True, False]


def test_an_unreadable_certificate_reaches_no_check_but_the_first() -> None:
    examination = examination_from_presented(MalformedCertificate("why"), TIME, TrustStore([ENTRY]))
    assert (examination.reason, examination.problem, examination.leaf) == (Reason.CERTIFICATE_MALFORMED, "why", None)
    first, *others = examination.checks
    assert (first.name, first.outcome, first.finding) == ("readable", Outcome.FAILED, "why")
    assert {check.outcome for check in others} == {Outcome.NOT_REACHED}


# Without a policy.


def test_without_a_policy_a_good_certificate_is_neither_accepted_nor_refused() -> None:
    examination = examination_from_presented(LEAF.presented, TIME, None)
    assert (examination.verdict, examination.reason, examination.entries) == (Verdict.UNDECIDED, None, ())


def test_without_a_policy_a_certificate_is_refused_for_what_it_fails_at_by_itself() -> None:
    examination = examination_from_presented(LEAF.presented, TIME + 9 * 86_400, None)
    assert (examination.verdict, examination.reason) == (Verdict.REFUSED, Reason.CERTIFICATE_EXPIRED)
    assert examination.problem.endswith("ended 8 d ago")


def test_without_a_policy_an_unreadable_certificate_is_malformed() -> None:
    examination = examination_from_presented(MalformedCertificate("why"), TIME, None)
    assert (examination.reason, examination.problem) == (Reason.CERTIFICATE_MALFORMED, "why")


@given(st.lists(entries, max_size=3), presentations, instants)
def test_law_what_is_refused_without_a_policy_is_refused_under_every_policy(
    trusted: list[TrustEntry], presented: PresentedCertificate, time: float
) -> None:
    if examination_from_presented(presented, time, None).verdict is Verdict.REFUSED:
        assert TrustStore(trusted).standing(presented, time).reason is not None
