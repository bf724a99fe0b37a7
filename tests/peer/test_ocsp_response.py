"""An OCSP answer counts if it is about this certificate, signed by whom its CA lets sign, and of this time."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.authority import Authority
from policies.peer.errors import OcspError
from policies.peer.limits import MAX_OCSP_BYTES, OCSP_AGE_SECONDS, OCSP_AHEAD_SECONDS
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.peer.ocsp_response import answer_from_response
from tests.peer.forge import NOW, Forged, authority, certificate, key_usage, named
from tests.support.ocsp import GOOD, REVOKED, SIGNING, SOURCE, UNKNOWN, Answering, delegate, question, refusal

HOUR = timedelta(hours=1)
TIME = NOW.timestamp()
MESH, OTHER, NAMESAKE = (Authority.root(name, now=NOW) for name in ("mesh", "other", "mesh"))
LEAF, ANOTHER = MESH.issue(dns=["a.example"], serial=0xF00D), MESH.issue(dns=["b.example"])
HONEST = Answering(leaf=LEAF, issuer=MESH, this_update=NOW - HOUR, next_update=NOW + HOUR)


def answer(of: Answering | bytes, nonce: bytes | None = None, *, time: float = TIME, skew: float = 0.0) -> OcspAnswer:
    source = type(SOURCE)(SOURCE.url, clock_skew=skew)
    return answer_from_response(of if isinstance(of, bytes) else of.der, question(LEAF, MESH, source), nonce, time)


def refused(of: Answering | bytes, nonce: bytes | None = None, *, time: float = TIME) -> str:
    with pytest.raises(OcspError) as error:
        answer(of, nonce, time=time)
    return str(error.value)


def test_what_the_ca_signed_counts_for_its_time() -> None:
    found = answer(HONEST)
    assert found == OcspAnswer(OcspStatus.GOOD, TIME - 3600, TIME - 3600, TIME + 3600)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_certid_may_be_made_with_any_usual_hash(algorithm: hashes.HashAlgorithm) -> None:
    assert answer(HONEST.but(certid=algorithm)).status is OcspStatus.GOOD


def test_a_revoked_one_is_final_unless_it_is_on_hold() -> None:
    revoked = HONEST.but(status=REVOKED)
    assert (answer(revoked).status, answer(revoked).final) == (OcspStatus.REVOKED, True)
    assert answer(revoked.but(reason=x509.ReasonFlags.key_compromise)).final
    held = answer(revoked.but(reason=x509.ReasonFlags.certificate_hold))
    assert (held.status, held.final) == (OcspStatus.REVOKED, False)


def test_unknown_is_an_answer_that_says_nothing_good() -> None:
    assert answer(HONEST.but(status=UNKNOWN)).status is OcspStatus.UNKNOWN


# Whom it is about.


@pytest.mark.parametrize(
    "other",
    [
        HONEST.but(leaf=ANOTHER),
        HONEST.but(leaf=OTHER.issue(dns=["a.example"], serial=0xF00D), issuer=OTHER, signer=MESH.issued, carried=()),
        HONEST.but(leaf=NAMESAKE.issue(dns=["a"], serial=0xF00D), issuer=NAMESAKE, signer=MESH.issued, carried=()),
    ],
    ids=["another serial number", "another CA of the same number", "another key of the same name and number"],
)
def test_an_answer_about_another_certificate_is_refused(other: Answering) -> None:
    assert refused(other) == "it is about another certificate"


# Who signed it.


def test_a_delegated_responder_counts_until_its_own_end() -> None:
    end = NOW + timedelta(minutes=10)
    responder = delegate(MESH, not_after=end)
    found = answer(HONEST.but(signer=responder))
    assert found.valid_until == end.timestamp()
    assert found.delegate == responder.certificate.serial_number


def test_a_delegated_responder_is_found_among_what_came_with_it() -> None:
    responder = delegate(MESH)
    carried = (LEAF.certificate, MESH.issued.certificate, responder.certificate)
    assert answer(HONEST.but(signer=responder, carried=carried)).delegate == responder.certificate.serial_number


ANY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
BELOW = MESH.intermediate("below")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signer": LEAF}, "lacks OCSPSigning"),
        ({"signer": delegate(MESH, extra=CLIENT)}, "lacks OCSPSigning"),
        ({"signer": delegate(MESH, extra=ANY)}, "lacks OCSPSigning"),
        ({"signer": delegate(OTHER)}, "did not issue it"),
        ({"signer": delegate(NAMESAKE)}, "did not issue it"),
        ({"signer": delegate(BELOW)}, "did not issue it"),
        ({"signer": delegate(MESH, not_before=NOW - 2 * HOUR, not_after=NOW - HOUR)}, "not valid now"),
        ({"signer": delegate(MESH, not_before=NOW + HOUR, not_after=NOW + 2 * HOUR)}, "not valid now"),
        ({"signer": delegate(MESH), "carried": ()}, "neither by"),
        ({"signer": OTHER.issued, "carried": ()}, "neither by"),
        ({"signer": OTHER.issued}, "did not issue it"),
        ({"signer": delegate(MESH), "carried": (LEAF.certificate,) * 5}, "at most 4"),
    ],
)
@pytest.mark.parametrize("status", [GOOD, REVOKED])
def test_what_anybody_else_signed_is_refused(
    status: ocsp.OCSPCertStatus, changes: dict[str, object], words: str
) -> None:
    assert words in refused(HONEST.but(status=status, **changes))


def test_a_delegate_of_a_delegate_may_not_sign() -> None:
    first = delegate(MESH)
    second = certificate(named("second"), issuer=Forged(first.certificate, first.key), extensions=[(SIGNING, False)])
    carried = (second.certificate, first.certificate)
    answering = HONEST.but(signer=second, carried=carried)
    assert "did not issue it" in refused(answering)


def _rsa_signed(bits: int, algorithm: hashes.HashAlgorithm) -> tuple[bytes, OcspQuestion]:
    """An answer by a delegated responder with an RSA key, and what was asked."""
    root = authority(named("rsa"), key=rsa.generate_private_key(65537, 2048))
    usage = (key_usage("digital_signature"), True)
    responder = certificate(
        named("r"), issuer=root, key=rsa.generate_private_key(65537, bits), extensions=[(SIGNING, False), usage]
    )
    leaf = certificate(named("leaf"), issuer=root)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(leaf.certificate, root.certificate, hashes.SHA1(), GOOD, NOW - HOUR, NOW + HOUR, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.NAME, responder.certificate)
        .certificates([responder.certificate])
    )
    made = builder.sign(responder.key, algorithm)
    data = made.public_bytes(serialization.Encoding.DER)
    return data, OcspQuestion.about(leaf.parsed, root.parsed, SOURCE)


@pytest.mark.parametrize(
    ("bits", "algorithm", "words"),
    [
        (2048, hashes.SHA256(), ""),
        (2048, hashes.SHA512(), ""),
        (1024, hashes.SHA256(), "neither by"),
        (2048, hashes.SHA224(), "SHA-256 or better"),
    ],
)
def test_weak_keys_and_hashes_vouch_for_nothing(bits: int, algorithm: hashes.HashAlgorithm, words: str) -> None:
    data, asked = _rsa_signed(bits, algorithm)
    if not words:
        assert answer_from_response(data, asked, None, TIME).status is OcspStatus.GOOD
        return
    with pytest.raises(OcspError, match=words):
        answer_from_response(data, asked, None, TIME)


def test_a_flipped_bit_anywhere_is_never_another_good_answer() -> None:
    whole = HONEST.but(signer=delegate(MESH)).der
    good = answer(whole)
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        try:
            found = answer(bytes(broken))
        except OcspError:
            continue
        assert found == good, f"byte {place}"


# When it counts.


def test_without_next_update_it_counts_for_a_bounded_time() -> None:
    moment = NOW - timedelta(seconds=10)
    assert answer(HONEST.but(this_update=moment, next_update=None)).valid_until == TIME - 10 + OCSP_AGE_SECONDS
    assert "stale" in refused(HONEST.but(next_update=None))


@pytest.mark.parametrize("status", [GOOD, UNKNOWN])
def test_a_stale_answer_is_refused_and_a_stale_revocation_is_not(status: ocsp.OCSPCertStatus) -> None:
    stale = HONEST.but(status=status, this_update=NOW - 2 * HOUR, next_update=NOW - HOUR)
    assert "stale" in refused(stale)
    assert answer(stale.but(status=REVOKED)).status is OcspStatus.REVOKED
    assert answer(stale, skew=3600.0).valid_until == TIME - 3600


def test_an_answer_from_the_future_is_refused_and_a_clock_slightly_ahead_is_not() -> None:
    ahead = HONEST.but(this_update=NOW + timedelta(seconds=OCSP_AHEAD_SECONDS - 1))
    assert answer(ahead).valid_from == TIME
    assert "future" in refused(HONEST.but(this_update=NOW + timedelta(seconds=OCSP_AHEAD_SECONDS + 1)))


# What else it must be.


def test_the_nonce_must_be_that_of_the_request_where_one_was_sent() -> None:
    nonce = b"n" * 32
    assert answer(HONEST.but(nonce=nonce), nonce).status is OcspStatus.GOOD
    assert "another nonce" in refused(HONEST.but(nonce=b"m" * 32), nonce)
    assert "no nonce" in refused(HONEST, nonce)
    assert answer(HONEST.but(nonce=nonce)).status is OcspStatus.GOOD


def test_an_unknown_critical_extension_is_refused() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.48.1.99"), b"\x05\x00")
    assert "critical extension" in refused(HONEST.but(extra=((unknown, True),)))
    assert answer(HONEST.but(extra=((unknown, False),))).status is OcspStatus.GOOD


@pytest.mark.parametrize(
    "status", [item for item in ocsp.OCSPResponseStatus if item is not ocsp.OCSPResponseStatus.SUCCESSFUL]
)
def test_an_error_that_nobody_signed_proves_nothing(status: ocsp.OCSPResponseStatus) -> None:
    assert status.name.lower() in refused(refusal(status))


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"<html>", HONEST.der[:-1], HONEST.der + b"\0", MESH.crl(), b"\x30\x80" + b"\0" * 60]
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    assert "not a readable OCSP response" in refused(data)


def test_a_huge_response_is_refused_unread() -> None:
    assert "at most" in refused(b"\x30" * (MAX_OCSP_BYTES + 1))
