"""A fingerprint means a certificate in both of its forms."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pki.authority import Authority
from policies.peer import der
from policies.peer.certificate import certificate_from_der, certificates_from_pem
from policies.peer.crl import crl_from_bytes
from policies.peer.errors import PeerError
from policies.peer.presented import presented_from_der
from policies.peer.twin import _element
from tests.engine.callers import decided, policy, request
from tests.peer.forge import authority, certificate, tlv
from tests.support.effort import within

MESH = Authority.root("mesh")
LEAF = MESH.issue(uri=["spiffe://td/a"])


def twin_of(data: bytes) -> bytes:
    """The same certificate with the other signature, as anybody can make it."""
    source = x509.load_der_x509_certificate(data)
    r, s = decode_dss_signature(source.signature)
    other = encode_dss_signature(r, ec.SECP256R1().group_order - s)
    signed = b"".join(part.raw for part in der.children(der.only(data, der.SEQUENCE), 3)[:2])
    return _element(der.SEQUENCE, signed + _element(0x03, b"\0" + other))


def test_a_certificate_knows_the_digest_of_its_twin() -> None:
    one, other = certificate_from_der(LEAF.der), certificate_from_der(twin_of(LEAF.der))
    assert one.sha256 != other.sha256
    assert one.sha256 in (other.identity.twin_sha256 or ())
    assert other.sha256 in (one.identity.twin_sha256 or ())


@pytest.mark.parametrize("deny", ["{fingerprint: 'sha256:%s'}", "{not: {not: {fingerprint: 'sha256:%s'}}}"])
def test_law_1_a_deny_by_fingerprint_holds_whichever_signature_is_presented(deny: str) -> None:
    digest = certificate_from_der(LEAF.der).sha256.hex()
    text = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\nrules:\n"
    text += f"  - {{id: mesh, allow: authenticated, to: any}}\n  - {{id: block, deny: {deny % digest}, to: any}}\n"
    subject = policy(text, {"root.pem": MESH.pem})
    now = MESH.now.timestamp()
    for data in (LEAF.der, twin_of(LEAF.der)):
        assert decided(subject, request(presented_from_der(data), time=now)).rules == ("block",)
    other = MESH.issue(uri=["spiffe://td/a"])
    assert decided(subject, request(presented_from_der(other.der), time=now)).rules == ("mesh",)


@pytest.mark.parametrize("junk", [b"-" * 200_000, b"a" * 2_000_000, b"a-----" * 50_000, (b"a" * 70 + b"\n") * 20_000])
def test_a_file_that_is_no_pem_is_refused_quickly(junk: bytes) -> None:
    for read in (lambda data: certificates_from_pem(data, 256), crl_from_bytes):
        with within(1), pytest.raises(PeerError):
            read(junk)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_law_1_a_certificate_has_no_third_form_in_the_unused_bits_of_its_signature(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    root = authority(key=key)
    leaf = next(made for made in iter(lambda: certificate(issuer=root), None) if made.der[-1] % 2 == 0)
    signed, algorithm, signature = der.children(der.only(leaf.der, der.SEQUENCE), 3)
    other = der.sequence(signed.raw + algorithm.raw + tlv(der.BIT_STRING, b"\1" + signature.value[1:]))
    assert x509.load_der_x509_certificate(other).signature == leaf.certificate.signature
    with pytest.raises(PeerError, match="not whole octets"):
        certificate_from_der(other)
