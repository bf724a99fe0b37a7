"""CRLs: complete lists of one CA, or a documented error."""

from collections.abc import Iterable
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.peer import crl as module
from policies.peer.certificate import certificate_from_der
from policies.peer.crl import Crl, crl_from_bytes, crl_key
from policies.peer.errors import CrlError
from policies.peer.name import DistinguishedName
from tests.peer.forge import DAY, NOW, Extension, Forged, authority, key_usage, named, tlv
from tests.support.effort import within

ROOT = Authority.root("Root", now=NOW)
CA = authority("Issuer")


def crl(
    issuer: Forged = CA,
    serials: Iterable[int] = (),
    *,
    extensions: Iterable[Extension] = (),
    entry_extensions: Iterable[Extension] = (),
    this_update: datetime = NOW - DAY,
    next_update: datetime | None = NOW + DAY,
) -> bytes:
    """A CRL with exactly this, DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject).last_update(this_update)
    # The builder insists on nextUpdate; `without_next_update` takes it out.
    builder = builder.next_update(next_update or NOW + DAY)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
        for extension, critical in entry_extensions:
            entry = entry.add_extension(extension, critical)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def refusal(data: bytes) -> str:
    with pytest.raises(CrlError) as caught:
        crl_from_bytes(data)
    return str(caught.value)


def test_a_crl_says_issuer_number_times_and_serials() -> None:
    found = crl_from_bytes(crl(serials=[5, 7], extensions=[(x509.CRLNumber(3), False)]))
    assert found.issuer == DistinguishedName.parse("CN=Issuer")
    assert (found.number, found.serials) == (3, frozenset({5, 7}))
    assert (found.this_update, found.next_update) == ((NOW - DAY).timestamp(), (NOW + DAY).timestamp())


def test_pem_and_der_say_the_same() -> None:
    pem = ROOT.crl([1, 2])
    der = x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER)
    assert crl_from_bytes(pem).serials == crl_from_bytes(der).serials == {1, 2}
    assert crl_from_bytes(pem).signature.value == crl_from_bytes(der).signature.value


def test_pem_may_have_explanatory_text_and_is_one_block() -> None:
    assert crl_from_bytes(b"# mesh\n" + ROOT.crl([1])).serials == {1}
    assert "more than 1" in refusal(ROOT.crl([1]) + ROOT.crl([2]))


def test_a_crl_without_entries_revokes_nothing() -> None:
    found = crl_from_bytes(crl())
    assert (found.serials, found.number) == (frozenset(), None)


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\x30", b"\x30\x00", b"\xff\xfe", ROOT.pem, ROOT.issued.der, ROOT.issued.key_pem]
)
def test_what_is_no_crl_is_refused(data: bytes) -> None:
    refusal(data)


def test_trailing_bytes_are_refused() -> None:
    refusal(crl() + b"\x00")


def test_a_delta_crl_is_refused_by_name() -> None:
    assert "delta CRL" in refusal(crl(extensions=[(x509.DeltaCRLIndicator(1), True)]))


def distribution_point(*, indirect: bool = False, only_user: bool = False) -> Extension:
    point = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://crl.example/1")],
        relative_name=None,
        only_contains_user_certs=only_user,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=indirect,
        only_contains_attribute_certs=False,
    )
    return point, True


def test_an_indirect_crl_is_refused_by_name() -> None:
    assert "indirect CRL" in refusal(crl(extensions=[distribution_point(indirect=True)]))
    entry: Extension = (x509.CertificateIssuer([x509.DirectoryName(named("Other"))]), True)
    assert "indirect CRL" in refusal(crl(serials=[1], entry_extensions=[entry]))


def test_a_scoped_crl_is_refused_by_name() -> None:
    assert "part of the certificates" in refusal(crl(extensions=[distribution_point(only_user=True)]))
    assert "part of the certificates" in refusal(crl(extensions=[distribution_point()]))


def test_an_unknown_critical_extension_is_refused_by_name_and_an_uncritical_one_is_not() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert "1.2.3.4" in refusal(crl(extensions=[(unknown, True)]))
    assert crl_from_bytes(crl(extensions=[(unknown, False)])).serials == frozenset()


def test_an_unknown_critical_entry_extension_is_refused_and_a_reason_is_not() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert "1.2.3.4" in refusal(crl(serials=[1], entry_extensions=[(unknown, True)]))
    reason: Extension = (x509.CRLReason(x509.ReasonFlags.key_compromise), False)
    assert crl_from_bytes(crl(serials=[1], entry_extensions=[reason])).serials == {1}


def test_an_entry_on_hold_or_removed_is_listed() -> None:
    for flag in (x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl):
        assert crl_from_bytes(crl(serials=[1], entry_extensions=[(x509.CRLReason(flag), False)])).serials == {1}


def test_a_crl_without_next_update_is_refused() -> None:
    source = crl(next_update=NOW + DAY)
    stamp = tlv(0x17, (NOW + DAY).strftime("%y%m%d%H%M%SZ").encode())
    assert source.count(stamp) == 1
    loaded = x509.load_der_x509_crl(source)
    inner = loaded.tbs_certlist_bytes
    header = 2 if inner[1] < 0x80 else 2 + (inner[1] & 0x7F)
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    tbs = tlv(0x30, inner[header:].replace(stamp, b""))
    assert "nextUpdate" in refusal(tlv(0x30, tbs, algorithm, tlv(0x03, b"\x00", loaded.signature)))


def test_signature_algorithms_that_differ_are_refused() -> None:
    data = crl()
    sha256, sha384 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
    assert "signature algorithms" in refusal(data.replace(sha256, sha384, 1))


def test_a_crl_over_the_limit_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CRL_BYTES", 10)
    assert "at most 10" in refusal(crl())


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_law_no_changed_byte_raises_anything_but_crl_error(at: int, value: int) -> None:
    data = bytearray(CRL)
    data[at % len(data)] = value
    try:
        found = crl_from_bytes(bytes(data))
        crl_key(found, [CA.parsed])
    except CrlError:
        return
    assert bytes(data) == CRL


CRL = crl(serials=[1, 2, 3], extensions=[(x509.CRLNumber(3), False)])


def test_a_crl_belongs_to_the_ca_whose_name_and_key_signed_it() -> None:
    ca = CA.parsed
    assert crl_key(crl_from_bytes(crl()), [certificate_from_der(ROOT.issued.der), ca]) == (ca.subject, ca.spki_sha256)


def test_a_crl_of_an_unknown_issuer_is_refused_by_its_name() -> None:
    with pytest.raises(CrlError, match="named 'CN=Issuer'"):
        crl_key(crl_from_bytes(crl()), [certificate_from_der(ROOT.issued.der)])


def test_a_crl_by_another_key_of_the_same_name_is_refused() -> None:
    with pytest.raises(CrlError, match="signature"):
        crl_key(crl_from_bytes(crl()), [authority("Issuer").parsed])


def test_among_cas_of_one_name_the_key_decides() -> None:
    old, new = authority("Root"), authority("Root")
    key = crl_key(crl_from_bytes(crl(new)), [old.parsed, new.parsed])
    assert key == (new.parsed.subject, new.parsed.spki_sha256)


def test_a_ca_whose_key_usage_lacks_crl_sign_signs_no_crl() -> None:
    mute = authority("Issuer", usage=key_usage("key_cert_sign"), key=CA.key)
    able = authority("Issuer", usage=key_usage("key_cert_sign", "crl_sign"), key=CA.key)
    with pytest.raises(CrlError):
        crl_key(crl_from_bytes(crl()), [mute.parsed])
    assert crl_key(crl_from_bytes(crl()), [mute.parsed, able.parsed])


def test_a_ca_with_a_weak_key_signs_no_crl() -> None:
    weak = authority("Issuer", key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(CrlError, match="may sign"):
        crl_key(crl_from_bytes(crl(weak)), [weak.parsed])


def test_a_crl_signed_with_sha_1_vouches_for_nothing() -> None:
    ca = authority("Issuer", key=rsa.generate_private_key(65537, 2048))
    assert isinstance(ca.key, rsa.RSAPrivateKey)
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    tbs = x509.load_der_x509_crl(crl(ca)).tbs_certlist_bytes.replace(sha256, sha1)
    signature = ca.key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    data = tlv(0x30, tbs, tlv(0x30, tlv(0x06, sha1), tlv(0x05)), tlv(0x03, b"\x00", signature))
    with pytest.raises(CrlError, match="SHA1"):
        crl_key(crl_from_bytes(data), [ca.parsed])


def numbered(number: int | None, days: int) -> Crl:
    extensions = [] if number is None else [(x509.CRLNumber(number), False)]
    return crl_from_bytes(crl(extensions=extensions, this_update=NOW + days * DAY, next_update=NOW + 9 * DAY))


def test_the_number_says_which_crl_is_older() -> None:
    assert numbered(1, 0).older_than(numbered(2, -1))
    assert not numbered(2, -1).older_than(numbered(1, 0))


def test_with_equal_or_no_numbers_this_update_says_it() -> None:
    for left, right in ((1, 1), (None, None), (1, None), (None, 1)):
        assert numbered(left, -1).older_than(numbered(right, 0))
        assert not numbered(left, 0).older_than(numbered(right, -1))
        assert not numbered(left, 0).older_than(numbered(right, 0))


def crl_of(count: int) -> bytes:
    """A signed CRL of that many entries, DER; the builder is quadratic."""
    moment = (NOW - DAY).strftime("%y%m%d%H%M%SZ").encode()
    entries = (
        tlv(0x30, tlv(0x02, (1 << 100 | serial).to_bytes(13, "big")), tlv(0x17, moment)) for serial in range(count)
    )
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    later = (NOW + DAY).strftime("%y%m%d%H%M%SZ").encode()
    name = CA.certificate.subject.public_bytes()
    tbs = tlv(0x30, tlv(0x02, b"\x01"), algorithm, name, tlv(0x17, moment), tlv(0x17, later), tlv(0x30, *entries))
    assert isinstance(CA.key, ec.EllipticCurvePrivateKey)
    return tlv(0x30, tbs, algorithm, tlv(0x03, b"\x00", CA.key.sign(tbs, ec.ECDSA(hashes.SHA256()))))


def test_a_hundred_thousand_entries_are_read_within_seconds_and_are_one_set() -> None:
    data = crl_of(100_000)
    with within(5):
        found = crl_from_bytes(data)
        assert crl_key(found, [CA.parsed])
    assert len(found.serials) == 100_000
    assert 1 << 100 | 99_999 in found.serials
