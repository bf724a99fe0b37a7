"""Percent-encoding (RFC 3986 §2.1) of forwarded certificates: every `%` has two hex digits, the rest is ASCII."""

import re
from urllib.parse import unquote_to_bytes

_ENCODED = re.compile(r"(?:[\x00-\x24\x26-\x7f]|%[0-9A-Fa-f]{2})*")


def percent_decoded(text: str) -> str:
    """The ASCII text that `text` encodes; `+` is a plus sign. Raises ValueError."""
    if "%" not in text and text.isascii():
        return text
    if not _ENCODED.fullmatch(text):
        raise ValueError("it is not percent-encoded ASCII")
    return unquote_to_bytes(text).decode("ascii")
