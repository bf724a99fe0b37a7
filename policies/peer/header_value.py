"""What the header formats of proxies have in common: one value, in one spelling.

Laws: a repeated header is refused, because one of them may be the client's own. Base64 and percent-encoding are read in
the one spelling that proxies write; another one was not written by a proxy.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from urllib.parse import quote

from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_HEADER_CHARS
from policies.peer.percent import percent_decoded


def sole_value(values: Sequence[str]) -> str:
    """The value of a header that was received as `values`, empty if it was not. Raises CertificateError."""
    if len(values) > 1:
        raise CertificateError(f"the header was sent {len(values)} times; the proxy must replace what the client sends")
    value = values[0] if values else ""
    if len(value) > MAX_HEADER_CHARS:
        raise CertificateError(f"the header has more than {MAX_HEADER_CHARS} characters")
    return value


def bytes_from_base64(text: str) -> bytes:
    """What `text` encodes (RFC 4648 §4: padded, no unused bits set). Raises CertificateError, also if it is nothing."""
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise CertificateError(f"the header is not base64: {error}") from error
    if not data or b64encode(data).decode("ascii") != text:
        raise CertificateError("the header is not base64 in its one spelling, or it is empty")
    return data


def text_from_percent(text: str) -> str:
    """The ASCII text that `text` encodes with everything but unreserved characters as upper-case escapes.

    Raises CertificateError.
    """
    try:
        decoded = percent_decoded(text)
    except ValueError as error:
        raise CertificateError(f"the header cannot be read: {error}") from error
    if quote(decoded, safe="") != text:
        raise CertificateError("the header is not percent-encoded in its one spelling")
    return decoded
