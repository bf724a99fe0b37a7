"""The facts of a certificate, and that no bytes whatever escape as anything but CertificateError."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import example, given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.peer.certificate import Certificate, certificate_from_der, certificates_from_pem
from policies.peer.der import children, only
from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_CERTIFICATE_BYTES, MAX_TRUST_FILE_BYTES
from policies.peer.name import DistinguishedName
from tests.peer.forge import (
    DAY,
    NOW,
    alternative_names,
    authority,
    certificate,
    key_usage,
    named,
    parsed,
    raw_extension,
    tlv,
)

ROOT = Authority.root("Root", now=NOW)
LEAF = ROOT.issue(
    uri=["spiffe://td/ns/a"],
    dns=["a.example"],
    email=["a@b.example"],
    ip=["10.0.0.1"],
    subject="CN=x,O=Acme",
    serial=0xABC,
)
RICH = authority(
    named("Rich", organization_name="Acme"),
    path_length=3,
    usage=key_usage("key_cert_sign"),
    extra=[
        alternative_names(uri=["spiffe://td"], dns=["a", "b"], ip=["::1"]),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), True),
        (x509.NameConstraints([x509.DNSName("a"), x509.DirectoryName(named("y"))], None), True),
    ],
).der


def refusal(data: bytes) -> str:
    with pytest.raises(CertificateError) as caught:
        certificate_from_der(data)
    return str(caught.value)


def test_the_identity_of_a_leaf_is_what_it_says() -> None:
    identity = parsed(LEAF).identity
    assert identity.uri == ("spiffe://td/ns/a",)
    assert identity.dns == ("a.example",)
    assert identity.email == ("a@b.example",)
    assert [str(address) for address in identity.ip or ()] == ["10.0.0.1"]
    assert identity.subject == DistinguishedName.parse("CN=x,O=Acme")
    assert identity.issuer == DistinguishedName.parse("CN=Root")
    assert identity.serial == 0xABC


def test_digests_are_over_the_certificate_and_over_its_spki() -> None:
    spki = LEAF.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = parsed(LEAF)
    assert found.sha256 == found.identity.cert_sha256 == hashlib.sha256(LEAF.der).digest()
    assert found.spki_sha256 == found.identity.spki_sha256 == hashlib.sha256(spki).digest()


def test_the_spki_digest_is_over_the_bytes_as_signed_and_not_over_a_new_encoding() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    full = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = tlv(0x30, children(only(full, 0x30), 2)[0].raw, tlv(0x03, b"\x00", point))
    tbs, *rest = children(only(certificate(key=key).der, 0x30), 3)
    data = tlv(0x30, tlv(0x30, tbs.value.replace(full, compressed)), *(part.raw for part in rest))
    found = certificate_from_der(data)
    assert found.public_key == key.public_key()
    assert found.spki_sha256 == hashlib.sha256(compressed).digest()


def test_times_are_epoch_seconds() -> None:
    found = certificate(not_before=NOW, not_after=NOW + DAY).parsed
    assert (found.not_before, found.not_after) == (NOW.timestamp(), (NOW + DAY).timestamp())


def test_usage_and_ca_are_read() -> None:
    leaf, root = parsed(LEAF), certificate_from_der(ROOT.issued.der)
    assert (leaf.is_ca, root.is_ca) == (False, True)
    assert leaf.key_usage == frozenset({"digitalSignature"})
    assert leaf.extended_key_usage == frozenset({"clientAuth"})
    assert leaf.key_kind == "EC 256"


def test_equality_is_that_of_the_bytes() -> None:
    assert parsed(LEAF) == parsed(LEAF)
    assert hash(parsed(LEAF)) == hash(parsed(LEAF))
    assert parsed(LEAF) != parsed(ROOT.issue(subject="CN=x,O=Acme"))


def test_a_certificate_without_san_or_extensions_is_readable() -> None:
    found = certificate("x").parsed
    assert found.identity.uri == found.identity.dns == found.identity.email == found.identity.ip == ()
    assert found.problems == ()


@pytest.mark.parametrize("name", ["*.example", "a*.example", "*"])
def test_a_wildcard_san_is_noticed(name: str) -> None:
    assert certificate(extensions=[alternative_names(dns=["b", name])]).parsed.wildcard_sans == (name,)
    assert certificate(extensions=[alternative_names(uri=[f"spiffe://td/{name}"])]).parsed.wildcard_sans
    assert certificate(extensions=[alternative_names(email=[f"{name}@x"])]).parsed.wildcard_sans


def test_a_weak_key_is_a_problem_and_not_an_error() -> None:
    found = certificate(key=rsa.generate_private_key(65537, 1024)).parsed
    assert found.problems == ("its RSA key has 1024 bits, 2048 to 8192 are accepted",)


def test_an_unknown_critical_extension_is_a_problem_and_not_an_error() -> None:
    found = certificate(extensions=[raw_extension("1.2.3.4", b"x", critical=True)]).parsed
    assert found.problems == ("its critical extension 1.2.3.4 is unknown",)


def test_a_certificate_over_16_kib_is_refused_before_it_is_parsed() -> None:
    big = certificate(extensions=[raw_extension("1.2.3.4", b"x" * MAX_CERTIFICATE_BYTES)]).der
    assert "at most 16384" in refusal(big)
    assert "at most 16384" in refusal(b"\x00" * (MAX_CERTIFICATE_BYTES + 1))


def test_trailing_bytes_are_refused() -> None:
    refusal(LEAF.der + b"\x00")
    refusal(LEAF.der + LEAF.der)


@pytest.mark.parametrize("size", [0, 1, 2, 4, 100, -1])
def test_a_cut_off_certificate_is_refused(size: int) -> None:
    refusal(LEAF.der[:size])


def test_a_pem_is_no_der() -> None:
    refusal(LEAF.pem)


def test_more_than_64_sans_are_refused() -> None:
    assert "more than 64" in refusal(certificate(extensions=[alternative_names(dns=["a"] * 65)]).der)


def test_a_nul_in_a_subject_is_refused() -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "adm\x00in")])
    assert "control" in refusal(certificate(name).der)


def test_a_serial_number_that_is_not_positive_is_refused() -> None:
    plain = certificate(serial=5).der
    for value in (b"\x02\x01\x00", b"\x02\x01\xff"):
        assert "serial number is not positive" in refusal(plain.replace(b"\x02\x01\x05", value, 1))


def test_signature_algorithms_that_differ_inside_and_outside_are_refused() -> None:
    ecdsa_sha256, ecdsa_sha384 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
    assert LEAF.der.count(ecdsa_sha256) == 2
    assert "differ" in refusal(LEAF.der.replace(ecdsa_sha256, ecdsa_sha384, 1))


def test_a_key_of_an_unknown_kind_is_a_problem_and_not_an_error() -> None:
    ec_public_key = bytes.fromhex("06072a8648ce3d0201")
    found = certificate_from_der(LEAF.der.replace(ec_public_key, bytes.fromhex("06072a8648ce3d02ff")[:-1] + b"\x7f"))
    assert found.public_key is None
    assert "kind" in found.problems[0]


class PanicException(BaseException):
    """As pyo3 raises when Rust panics: no Exception."""


@pytest.mark.parametrize(
    "raised", [PanicException("panicked"), MemoryError(), RecursionError(), UnicodeError("\x1b[31m")]
)
def test_law_whatever_the_library_raises_ends_as_certificate_error(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    def fail(_: bytes) -> x509.Certificate:
        raise raised

    monkeypatch.setattr(x509, "load_der_x509_certificate", fail)
    assert "\x1b" not in refusal(LEAF.der)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_an_order_to_stop_is_not_swallowed(monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]) -> None:
    def fail(_: bytes) -> x509.Certificate:
        raise raised

    monkeypatch.setattr(x509, "load_der_x509_certificate", fail)
    with pytest.raises(raised):
        certificate_from_der(LEAF.der)


def judged(data: bytes) -> Certificate | None:
    """The certificate that `data` is, with every part of it touched; None if it is refused."""
    try:
        found = certificate_from_der(data)
    except CertificateError:
        return None
    assert repr(found)
    assert found.key_kind
    assert isinstance(found.wildcard_sans, tuple)
    assert DistinguishedName.parse(found.subject.text) == found.subject
    assert isinstance(found.signature.verifies(found.public_key), bool)
    assert found.not_before < float("inf")
    return found


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x30\x80")
def test_law_no_bytes_raise_anything_but_certificate_error(data: bytes) -> None:
    judged(data)


@given(st.sampled_from([LEAF.der, RICH]), st.data())
def test_law_no_mutated_certificate_raises_anything_but_certificate_error(der: bytes, data: st.DataObject) -> None:
    mutated = bytearray(der)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        change: Callable[[], None] = data.draw(
            st.sampled_from(
                [
                    lambda at=at: mutated.__setitem__(at, data.draw(st.integers(0, 255))),
                    lambda at=at: mutated.insert(at, data.draw(st.integers(0, 255))),
                    lambda at=at: mutated.__delitem__(slice(at, at + data.draw(st.integers(1, 40)))),
                ]
            )
        )
        change()
        if not mutated:
            break
    judged(bytes(mutated))


def test_law_no_single_flipped_byte_raises_anything_but_certificate_error() -> None:
    for der in (LEAF.der, RICH):
        for at in range(len(der)):
            for value in (0x00, 0xFF, der[at] ^ 0x01, der[at] ^ 0x80):
                judged(der[:at] + bytes((value,)) + der[at + 1 :])


def test_a_trust_file_gives_its_certificates_in_order() -> None:
    text = b"# two\n" + ROOT.pem + b"subject=CN = x\n" + LEAF.pem
    assert [found.subject.text for found in certificates_from_pem(text, 2)] == ["CN=Root", "CN=x,O=Acme"]


def test_a_trust_file_names_the_certificate_that_is_broken() -> None:
    broken = certificate(extensions=[raw_extension("2.5.29.17", b"")]).pem
    with pytest.raises(CertificateError, match="certificate 2 of 2"):
        certificates_from_pem(ROOT.pem + broken, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PEM block"),
        (b"hello\n", "no PEM block"),
        (LEAF.der, "openssl x509 -inform DER"),
        (LEAF.pem.decode().encode("utf-16"), "not UTF-8"),
        (LEAF.key_pem, "PRIVATE KEY"),
        (LEAF.pem + LEAF.key_pem, "PRIVATE KEY"),
        (LEAF.pem * 3, "more than 2"),
        (b"#" * (MAX_TRUST_FILE_BYTES + 1), "at most"),
    ],
)
def test_a_file_that_is_no_trust_file_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(CertificateError, match=message):
        certificates_from_pem(data, 2)


def test_validity_that_ends_before_it_starts_is_readable() -> None:
    # No builder signs one; nobody is ever valid under it.
    early, late = b"260531120000Z", b"260602120000Z"
    der = certificate(not_before=NOW - DAY, not_after=NOW + timedelta(days=1)).der
    assert early in der
    assert late in der
    found = certificate_from_der(der.replace(early, b"\x00" * 13).replace(late, early).replace(b"\x00" * 13, late))
    assert found.not_before > found.not_after
