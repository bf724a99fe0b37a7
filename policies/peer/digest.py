"""SHA-256, the one digest that names certificates and keys here."""

import hashlib


def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256 over `data`."""
    return hashlib.sha256(data).digest()
