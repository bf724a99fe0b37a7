"""Revocations of OCSP responders are remembered within a bound that no responder can use up for the others."""

from dataclasses import replace

from pki.authority import Authority
from policies.peer.fetch_url import FetchUrl
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspSource, OcspStatus
from runtime.ocsp_revoked import RevokedAnswers, same_certificate
from tests.support.ocsp import question

MESH = Authority.root("mesh")
LEAF = MESH.issue(dns=["a.example"])
REVOKED = OcspAnswer(OcspStatus.REVOKED, 1.0, 1.0, 2.0, final=True)


def about(serial: int, host: str) -> OcspQuestion:
    return replace(question(LEAF, MESH, OcspSource(FetchUrl.parse(f"http://{host}/"))), serial=serial)


def test_who_is_revoked_is_found_whoever_is_asked_until_it_is_dropped() -> None:
    revoked = RevokedAnswers(2)
    assert revoked.get(about(1, "one.example")) is None
    revoked.put(about(1, "one.example"), REVOKED)
    assert revoked.get(about(1, "two.example")) is REVOKED
    assert same_certificate(about(1, "one.example"), about(1, "two.example"))
    assert not same_certificate(about(1, "one.example"), about(2, "one.example"))
    revoked.drop(about(1, "two.example"))
    revoked.drop(about(1, "two.example"))
    assert revoked.get(about(1, "one.example")) is None


def test_law_a_responder_that_revokes_any_number_makes_only_its_own_forgotten() -> None:
    revoked = RevokedAnswers(8)
    few = [about(serial, "mesh.example") for serial in (1, 2)]
    for one in few:
        revoked.put(one, REVOKED)
    for serial in range(100, 200):
        revoked.put(about(serial, "partner.example"), REVOKED)
    assert all(revoked.get(one) is REVOKED for one in few)
    kept = [serial for serial in range(100, 200) if revoked.get(about(serial, "partner.example")) is not None]
    assert kept == list(range(194, 200))


def test_what_is_told_again_is_kept_once_and_counts_as_the_newest() -> None:
    revoked = RevokedAnswers(2)
    for serial in (1, 2, 1, 3):
        revoked.put(about(serial, "one.example"), REVOKED)
    assert [serial for serial in (1, 2, 3) if revoked.get(about(serial, "one.example"))] == [1, 3]
    revoked.put(about(1, "two.example"), REVOKED)
    assert revoked.get(about(1, "one.example")) is REVOKED
