"""SPIFFE bundles as control planes publish them."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from pki.authority import Authority


def entry_of(authority: Authority) -> dict[str, Any]:
    """The JWK of a CA with a P-256 key."""
    key = authority.issued.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_numbers()
    x5c = [b64encode(authority.issued.der).decode()]
    x, y = base64url(point.x.to_bytes(32)), base64url(point.y.to_bytes(32))
    return {"kty": "EC", "use": "x509-svid", "crv": "P-256", "x": x, "y": y, "x5c": x5c}


def base64url(data: bytes) -> str:
    """As members of a JWK are written: without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def bundle(*entries: Any, sequence: object = None) -> bytes:
    """A bundle with these entries of `keys`."""
    content: dict[str, Any] = {"keys": list(entries), "spiffe_refresh_hint": 300}
    if sequence is not None:
        content["spiffe_sequence"] = sequence
    return json.dumps(content).encode()
