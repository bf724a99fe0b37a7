"""SPIFFE bundles: the X.509 authorities of one trust domain, as a JWK Set or as the Workload API sends them.

https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Trust_Domain_and_Bundle.md §4, and X509-SVID.md §6.2:
entries of another use or of an unknown kind of key are ignored, and so are those without `x5c` and all but its first
value. What is there and cannot be read is an error, so that a CA is never dropped silently, and so is an entry whose
other members tell another key than its certificate: nobody knows which of the two its publisher means.
"""

import binascii
import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from policies.peer import der
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import CertificateError, SpiffeBundleError
from policies.peer.jwk import key_mismatch
from policies.peer.limits import MAX_TRUST_FILE_BYTES, MAX_TRUST_FILE_CERTIFICATES

_X509_SVID = "x509-svid"
#: RFC 7518 §6.1 and RFC 8037 §2: the kinds of keys that a certificate may have.
_KEY_TYPES = ("EC", "RSA", "OKP")


@dataclass(frozen=True, slots=True)
class SpiffeBundle:
    """`authorities`: in order, none in a trust domain that is not trusted any more.

    `sequence`: grows with every change; None = the publisher gives none.
    """

    authorities: tuple[Certificate, ...]
    sequence: int | None


def bundle_from_bytes(data: bytes) -> SpiffeBundle:
    """Read a bundle, UTF-8 JSON. Raises SpiffeBundleError only."""
    if len(data) > MAX_TRUST_FILE_BYTES:
        raise SpiffeBundleError(f"the bundle has {len(data)} bytes, at most {MAX_TRUST_FILE_BYTES} are read")
    try:
        content = json.loads(data.decode(), object_pairs_hook=_unique)
    except SpiffeBundleError:
        raise
    except (ValueError, RecursionError) as error:
        hint = ", but PEM, which belongs to `anchors`" if b"-----BEGIN" in data else ""
        raise SpiffeBundleError(f"not a SPIFFE bundle: it is no JSON{hint}") from error
    if not isinstance(content, dict) or not isinstance(content.get("keys"), list):
        raise SpiffeBundleError("not a SPIFFE bundle: it is no JSON object with an array `keys` (a JWK Set)")
    if len(content["keys"]) > MAX_TRUST_FILE_CERTIFICATES:
        raise SpiffeBundleError(f"the bundle has more than {MAX_TRUST_FILE_CERTIFICATES} keys")
    found = [_authority(number, entry) for number, entry in enumerate(content["keys"], 1)]
    authorities = tuple(dict.fromkeys(authority for authority in found if authority is not None))
    if not authorities:
        raise SpiffeBundleError(f"no entry of `keys` has the use {_X509_SVID} and an `x5c`: nobody could be verified")
    return SpiffeBundle(authorities, _sequence(content.get("spiffe_sequence")))


def authorities_from_der(data: bytes) -> tuple[Certificate, ...]:
    """The authorities in a bundle of the Workload API: DER, one certificate after the other; none in an empty one.

    `X509BundlesResponse.bundles`, SPIFFE_Workload_API.md §5.1. Raises SpiffeBundleError only.
    """
    if len(data) > MAX_TRUST_FILE_BYTES:
        raise SpiffeBundleError(f"the bundle has {len(data)} bytes, at most {MAX_TRUST_FILE_BYTES} are read")
    try:
        parts = der.children(data, MAX_TRUST_FILE_CERTIFICATES)
        found = [certificate_from_der(part.raw) for part in parts]
    except ValueError as error:
        raise SpiffeBundleError(f"not DER certificates one after the other: {error}") from error
    for authority in found:
        if not authority.is_ca:
            raise SpiffeBundleError(f"the bundle has a certificate that is no CA: {authority.subject.text!r}")
    return tuple(dict.fromkeys(found))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise SpiffeBundleError("not a SPIFFE bundle: a name stands twice in one object")
    return found


def _authority(number: int, entry: object) -> Certificate | None:
    """The CA of one entry; None for an entry that is to be ignored."""
    if not isinstance(entry, dict):
        raise SpiffeBundleError(f"entry {number} of `keys` is no object")
    if entry.get("use") != _X509_SVID or entry.get("kty") not in _KEY_TYPES or not entry.get("x5c"):
        return None
    chain = entry["x5c"]
    if not isinstance(chain, list) or not isinstance(chain[0], str):
        raise SpiffeBundleError(f"entry {number} of `keys`: `x5c` is no array of texts")
    try:
        authority = certificate_from_der(b64decode(chain[0], validate=True))
    except (binascii.Error, ValueError) as error:
        why = str(error) if isinstance(error, CertificateError) else "its `x5c` is not base64"
        raise SpiffeBundleError(f"entry {number} of `keys`: {why}") from error
    if not authority.is_ca:
        raise SpiffeBundleError(f"entry {number} of `keys` is no CA: {authority.subject.text!r}")
    if mismatch := key_mismatch(entry, authority.public_key):
        raise SpiffeBundleError(f"entry {number} of `keys`, {authority.subject.text!r}: {mismatch}")
    return authority


def _sequence(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SpiffeBundleError("`spiffe_sequence` of the bundle is no whole number")
    return value
