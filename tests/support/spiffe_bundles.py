"""SPIFFE bundles as control planes publish them."""

import json
from base64 import b64encode
from typing import Any

from pki.authority import Authority


def entry_of(authority: Authority) -> dict[str, Any]:
    """The JWK of a CA; nobody reads its coordinates, as the certificate holds the key."""
    x5c = [b64encode(authority.issued.der).decode()]
    return {"kty": "EC", "use": "x509-svid", "crv": "P-256", "x": "AA", "y": "AA", "x5c": x5c}


def bundle(*entries: Any, sequence: object = None) -> bytes:
    """A bundle with these entries of `keys`."""
    content: dict[str, Any] = {"keys": list(entries), "spiffe_refresh_hint": 300}
    if sequence is not None:
        content["spiffe_sequence"] = sequence
    return json.dumps(content).encode()
