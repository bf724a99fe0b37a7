"""Certificates, CRLs and names: X.509 as a peer, or a file, may have it."""

import json
from base64 import b64encode, urlsafe_b64encode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from fuzz.target import Target, require
from fuzz.world import NOW, SEEDS, der, policy
from policies.peer.certificate import certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.errors import CertificateError, CrlError, DistinguishedNameError, SpiffeBundleError
from policies.peer.name import DistinguishedName
from policies.peer.presented import presented_from_certificate
from policies.peer.spiffe_bundle import bundle_from_bytes

_NAMES = ("billing", "many", "issuing", "root")
_SIGNED = {x509.load_der_x509_certificate(der(name)).tbs_certificate_bytes for name in _NAMES}
#: Tags, lengths and object identifiers that mean something in a certificate.
_DER = (
    *(b"\x30\x80", b"\x30\x82\xff\xff", b"\x30\x84\x7f\xff\xff\xff", b"\x05\x00", b"\x02\x01\x00", b"\x01\x01\xff"),
    *(b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x13", b"\x06\x03\x55\x1d\x1e", b"\x06\x03\x55\x1d\x25"),
    *(b"\x17\x0d", b"\x18\x0f99991231235959Z", b"\x86\x09spiffe://", b"\x82\x01*", b"\xa0\x03\x02\x01\x02"),
    *(b"\x0c\x01\x00", b"\x1e\x02\xd8\x00", b"\x13\x01_", b"\x31\x00"),
)


def _check_certificate(data: bytes) -> None:
    try:
        certificate = certificate_from_der(data)
    except CertificateError:
        return
    require(certificate.der == data, "a certificate is its own bytes")
    standing = policy().trust.standing(presented_from_certificate(certificate, [der("issuing")]), NOW)
    if standing.trust:
        signed = x509.load_der_x509_certificate(data).tbs_certificate_bytes
        require(signed in _SIGNED, "only what a CA has signed is trusted")


def _check_crl(data: bytes) -> None:
    try:
        crl = crl_from_bytes(data)
    except CrlError:
        return
    require(DistinguishedName.parse(crl.issuer.text) == crl.issuer, "a name is what its text says")


def _check_bundle(data: bytes) -> None:
    try:
        bundle = bundle_from_bytes(data)
    except SpiffeBundleError:
        return
    require(all(authority.is_ca for authority in bundle.authorities), "only a CA vouches for others")


def _check_name(data: bytes) -> None:
    try:
        name = DistinguishedName.parse(data.decode("utf-8", "surrogateescape"))
    except DistinguishedNameError:
        return
    require(DistinguishedName.parse(name.text) == name, "a name is what its text says")


CERTIFICATE = Target(
    "certificate",
    "certificate_from_der is total, and what was not signed is never trusted",
    tuple(map(der, _NAMES)),
    _check_certificate,
    _DER,
)
CRL = Target(
    "crl", "crl_from_bytes is total", ((SEEDS / "root.crl").read_bytes(), der("root")), _check_crl, (*_DER, b"-----")
)


def _entry() -> dict[str, object]:
    """The JWK of the root, which has a P-256 key."""
    key = x509.load_der_x509_certificate(der("root")).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_numbers()
    x, y = (urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=") for number in (point.x, point.y))
    x5c = [b64encode(der("root")).decode()]
    return {"kty": "EC", "use": "x509-svid", "crv": "P-256", "x": x, "y": y, "x5c": x5c}


BUNDLE = Target(
    "bundle",
    "bundle_from_bytes is total, and its authorities are CAs",
    (json.dumps({"keys": [_entry()], "spiffe_sequence": 1}).encode(),),
    _check_bundle,
    (
        b'"x509-svid"',
        b'"x5c"',
        b'"keys"',
        b"[",
        b"]",
        b"{",
        b"}",
        b"null",
        b"1e999",
        b"NaN",
        b"\\ud800",
        b"==",
        b"\xff",
    ),
)
NAME = Target(
    "name",
    "DistinguishedName.parse is total, and the text of a name is that name",
    (b"CN=gateway\\, 1,OU=Payments+OU=Treasury,O=Partner Inc,C=DE", b"2.5.4.3=#0c0161,UID=\\41\\c3\\a4", b"CN= a  b "),
    _check_name,
    (b"CN=", b"1.2.3=", b"#0c", b"\\2c", b"\\", b",", b"+", b'"', b"\\ ", "ß".encode(), "\u00ad".encode(), b"\xff"),
)
