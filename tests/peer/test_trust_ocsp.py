"""What OCSP answers do to a verdict: revoked wins, a current good one proves, and nothing else does."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pki.authority import Authority, Issued
from policies.peer.crl import crl_from_bytes
from policies.peer.crl_source import CrlUrls
from policies.peer.fetch_url import FetchUrl, UrlPrefix
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.peer.ocsp_answers import FirstAnswer
from policies.peer.ocsp_responders import OcspResponders
from policies.peer.presented import presented_from_der
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import Revocation, Standing, TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import NOW, authority, certificate, parsed, presented

TIME = NOW.timestamp()
MESH, PARTNER = Authority.root("mesh", now=NOW), Authority.root("partner", now=NOW)
LEAF = MESH.issue(dns=["a.example"])
RESPONDERS = OcspResponders(FetchUrl.parse("http://ocsp.example"))
OTHERS = OcspResponders(FetchUrl.parse("http://other.example"))
GOOD = OcspAnswer(OcspStatus.GOOD, TIME - 60, TIME - 60, TIME + 60)
REVOKED = replace(GOOD, status=OcspStatus.REVOKED, final=True)
UNKNOWN = replace(GOOD, status=OcspStatus.UNKNOWN)
STALE = replace(GOOD, valid_until=TIME - 1)


@dataclass
class Known:
    """Answers by the URL of the responder. `asked`: the questions that were looked up."""

    by_url: dict[str, OcspAnswer] = field(default_factory=dict)
    asked: list[OcspQuestion] = field(default_factory=list)

    def latest(self, question: OcspQuestion) -> OcspAnswer | None:
        self.asked.append(question)
        return self.by_url.get(question.source.url.text)

    def awaited(self, question: OcspQuestion) -> FirstAnswer | None:
        return None


def known(answer: OcspAnswer | None, **others: OcspAnswer) -> Known:
    found = {} if answer is None else {"http://ocsp.example": answer}
    return Known(found | {f"http://{name}.example": other for name, other in others.items()})


def entry(
    name: str = "mesh",
    of: Authority = MESH,
    revocation: Revocation = Revocation.REQUIRE,
    ocsp: OcspResponders | None = RESPONDERS,
    crl: bytes | None = None,
) -> TrustEntry:
    crls = () if crl is None else (crl_from_bytes(crl),)
    return TrustEntry(name, (parsed(of.issued),), crls=crls, revocation=revocation, ocsp=ocsp)


def standing(answers: Known, *entries: TrustEntry, time: float = TIME, leaf: Issued = LEAF) -> Standing:
    return TrustStore(entries or (entry(),), answers=answers).standing(presented(leaf), time)


@pytest.mark.parametrize(
    ("answer", "required", "available", "off"),
    [
        (GOOD, None, None, None),
        (REVOKED, Reason.CERTIFICATE_REVOKED, Reason.CERTIFICATE_REVOKED, None),
        (replace(REVOKED, valid_until=TIME - 1), Reason.CERTIFICATE_REVOKED, Reason.CERTIFICATE_REVOKED, None),
        (replace(REVOKED, valid_from=TIME + 9), Reason.CERTIFICATE_REVOKED, Reason.CERTIFICATE_REVOKED, None),
        (UNKNOWN, Reason.REVOCATION_UNKNOWN, None, None),
        (STALE, Reason.REVOCATION_UNKNOWN, None, None),
        (replace(GOOD, valid_from=TIME + 1), Reason.REVOCATION_UNKNOWN, None, None),
        (None, Reason.REVOCATION_UNKNOWN, None, None),
    ],
)
def test_the_status_of_the_leaf_by_mode(
    answer: OcspAnswer | None, required: Reason | None, available: Reason | None, off: Reason | None
) -> None:
    expected = {Revocation.REQUIRE: required, Revocation.IF_AVAILABLE: available, Revocation.OFF: off}
    assert {mode: standing(known(answer), entry(revocation=mode)).reason for mode in expected} == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "has not told of it"),
        (UNKNOWN, "does not know it"),
        (STALE, "answer is stale"),
        (REVOKED, "the OCSP responder http://ocsp.example says it is revoked"),
    ],
)
def test_the_problem_names_the_responder_and_what_it_said(answer: OcspAnswer | None, words: str) -> None:
    problem = standing(known(answer)).problem
    assert "http://ocsp.example" in problem
    assert words in problem


def test_who_is_off_asks_nobody() -> None:
    answers = known(GOOD)
    standing(answers, entry(revocation=Revocation.OFF))
    assert answers.asked == []


def test_nobody_is_asked_about_a_certificate_that_no_anchor_vouches_for() -> None:
    """So a stranger cannot have us connect anywhere."""
    answers = known(GOOD)
    assert standing(answers, leaf=PARTNER.issue(dns=["a.example"])).reason is Reason.CERTIFICATE_UNTRUSTED
    assert answers.asked == []


def test_a_good_answer_proves_until_its_end_and_not_a_moment_longer() -> None:
    store = TrustStore((entry(),), answers=known(GOOD))
    found = store.standing(presented(LEAF), TIME)
    assert (found.reason, found.valid_from, found.valid_until) == (None, TIME - 60, TIME + 60)
    assert store.standing(presented(LEAF), TIME + 60).reason is None
    assert store.standing(presented(LEAF), TIME + 60.001).reason is Reason.REVOCATION_UNKNOWN


def test_a_skew_widens_the_dates_of_answers_too() -> None:
    skewed = replace(entry(), clock_skew=5.0)
    assert standing(known(STALE), skewed, time=TIME + 3).reason is None


def test_what_changes_is_in_the_next_verdict() -> None:
    answers = known(None)
    store = TrustStore((entry(),), answers=answers)
    steps: Mapping[str, tuple[OcspAnswer, Reason | None]] = {
        "good": (GOOD, None),
        "revoked": (REVOKED, Reason.CERTIFICATE_REVOKED),
        "released": (GOOD, None),
        "unknown": (UNKNOWN, Reason.REVOCATION_UNKNOWN),
    }
    assert store.standing(presented(LEAF), TIME).reason is Reason.REVOCATION_UNKNOWN
    for name, (answer, reason) in steps.items():
        answers.by_url["http://ocsp.example"] = answer
        assert store.standing(presented(LEAF), TIME).reason is reason, name


def test_revoked_under_one_entry_is_refused_under_all() -> None:
    entries = (entry("a"), entry("b", revocation=Revocation.OFF, ocsp=None), entry("c", ocsp=OTHERS))
    found = standing(known(REVOKED, other=GOOD), *entries)
    assert (found.reason, found.trust) == (Reason.CERTIFICATE_REVOKED, frozenset())


@pytest.mark.parametrize(
    "rule", [{"max_lifetime": 1.0}, {"min_rsa_bits": 4096}, {"spiffe_trust_domain": TrustDomain.parse("acme.internal")}]
)
def test_revoked_under_an_entry_that_refuses_by_a_rule_of_its_own_is_refused_under_all(rule: dict[str, Any]) -> None:
    short = rsa.generate_private_key(65537, 2048)
    for root, key in (authority("ec"), short), (authority("rsa", key=short), None):
        peer = presented_from_der(certificate("x", issuer=root, key=key).der)
        lax = TrustEntry("lax", (root.parsed,), revocation=Revocation.IF_AVAILABLE)
        strict = replace(lax, name="strict", ocsp=RESPONDERS, **rule)
        for entries in (strict, lax), (lax, strict):
            assert "lax" in TrustStore(entries, answers=known(GOOD)).standing(peer, TIME).trust
            refused = TrustStore(entries, answers=known(REVOKED)).standing(peer, TIME)
            assert refused.reason is Reason.CERTIFICATE_REVOKED


def test_an_entry_that_refuses_by_a_rule_of_its_own_has_the_crls_fetched_that_the_leaf_names() -> None:
    noted: list[str] = []
    points = x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/m.crl")], None, None, None)]
    )
    leaf = MESH.issue(dns=["a.example"], extra=[(points, False)])
    urls = CrlUrls((UrlPrefix.parse("http://crl.example/"),))
    strict = replace(entry(ocsp=None), max_lifetime=1.0, crl_urls=(urls,))
    TrustStore([strict], note_crl=lambda url: noted.append(url.text)).standing(presented(leaf), TIME)
    assert noted == ["http://crl.example/m.crl"]


def test_an_answer_to_one_entry_proves_nothing_good_for_another() -> None:
    found = standing(known(GOOD), entry("a"), entry("b", ocsp=OTHERS))
    assert found.trust == {"a"}


def test_a_current_crl_proves_where_no_responder_does_and_the_other_way_round() -> None:
    crl = MESH.crl()
    for answer in (None, UNKNOWN, STALE):
        assert standing(known(answer), entry(crl=crl)).reason is None
    stale_crl = MESH.crl(this_update=NOW.replace(year=2025), next_update=NOW.replace(year=2025, month=12))
    assert standing(known(GOOD), entry(crl=stale_crl)).reason is None
    assert standing(known(STALE), entry(crl=stale_crl)).reason is Reason.REVOCATION_UNKNOWN


def test_what_a_crl_lists_is_revoked_whatever_a_responder_says_and_the_other_way_round() -> None:
    assert standing(known(GOOD), entry(crl=MESH.crl([LEAF.certificate]))).reason is Reason.CERTIFICATE_REVOKED
    assert standing(known(REVOKED), entry(crl=MESH.crl())).reason is Reason.CERTIFICATE_REVOKED


def test_a_responder_that_a_crl_lists_proves_nothing_good_and_still_revokes() -> None:
    stale = MESH.crl([4711], this_update=NOW.replace(year=2025), next_update=NOW.replace(year=2025, month=12))
    good, revoked = replace(GOOD, delegate=4711), replace(REVOKED, delegate=4711)
    assert standing(known(good)).reason is None
    assert standing(known(good), entry(crl=stale)).reason is Reason.REVOCATION_UNKNOWN
    assert standing(known(revoked), entry(crl=stale)).reason is Reason.CERTIFICATE_REVOKED


def test_a_responder_that_the_other_key_of_the_ca_lists_proves_nothing_good() -> None:
    old, new = MESH.intermediate("issuing"), MESH.intermediate("issuing")
    leaf, stranger = old.issue(dns=["a.example"]), PARTNER.intermediate("issuing")

    def found(crl: bytes, *entries: TrustEntry) -> Reason | None:
        issuing = (parsed(old.issued), parsed(new.issued))
        mesh = replace(entry(), intermediates=issuing, crls=(crl_from_bytes(crl),))
        return standing(known(replace(GOOD, delegate=4711)), mesh, *entries, leaf=leaf).reason

    assert found(new.crl([1])) is None
    assert found(new.crl([4711])) is Reason.REVOCATION_UNKNOWN
    # One of the same name below another anchor says nothing about it.
    partner = entry("partner", PARTNER, Revocation.IF_AVAILABLE, None, stranger.crl([4711]))
    assert found(new.crl([1]), replace(partner, intermediates=(parsed(stranger.issued),))) is None


def test_revocation_comes_after_dates_and_svid_rules() -> None:
    assert standing(known(REVOKED), time=TIME + 2 * 86_400).reason is Reason.CERTIFICATE_EXPIRED
    svid = replace(entry(), spiffe_trust_domain=TrustDomain.parse("td"))
    assert standing(known(REVOKED), svid).reason is Reason.SVID_INVALID


def test_the_standing_names_what_was_asked_once_for_each_key_of_the_issuer() -> None:
    again = replace(entry(), intermediates=(parsed(MESH.issued),))
    found = standing(known(GOOD), again)
    assert [question.serial for question in found.asked] == [LEAF.certificate.serial_number]


def test_answers_that_cannot_be_had_refuse() -> None:
    class Broken(Known):
        def latest(self, question: OcspQuestion) -> OcspAnswer | None:
            raise RuntimeError("bug")

    assert standing(Broken()).reason is Reason.CERTIFICATE_UNTRUSTED


def test_the_leaf_is_asked_about_whatever_came_with_it() -> None:
    answers = known(GOOD)
    store = TrustStore((entry(),), answers=answers)
    for others in ((), (PARTNER.issued.der,)):
        assert store.standing(presented_from_der(LEAF.der, others), TIME).reason is None
    assert len(set(answers.asked)) == 1


def test_a_leaf_without_a_responder_that_may_be_asked_is_told_so() -> None:
    by_certificate = OcspResponders(None, (UrlPrefix.parse("http://ocsp.example/"),))
    answers = known(GOOD)
    found = standing(answers, entry(ocsp=by_certificate))
    assert found.reason is Reason.REVOCATION_UNKNOWN
    assert "names no OCSP responder that the policy lets through" in found.problem
    assert answers.asked == []
    assert standing(answers, entry(ocsp=by_certificate, revocation=Revocation.IF_AVAILABLE)).reason is None
