"""Single values: networks, moments, spans, digests. Each function raises ValueError with a message for authors."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from policies.engine.condition import Hours
from policies.language.wording import quoted
from policies.peer.limits import MAX_CLOCK_SKEW_SECONDS, MAX_RSA_BITS, MIN_RSA_BITS

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_PREFIX = re.compile(r"[^/]+(?:/[0-9]{1,3})?")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_BITS = re.compile(r"[1-9][0-9]{3}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,64}")
_SHA256_BYTES = 32
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def network_from_text(text: str) -> IPv4Network | IPv6Network:
    """A CIDR or a single address; IPv4-mapped IPv6 is refused, as addresses are compared after unmapping."""
    refusal = f"{quoted(text)} is not a network; write it as 10.0.0.0/8 or fd00::/8"
    if not _PREFIX.fullmatch(text):
        raise ValueError(refusal)
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(refusal) from None
    if "/" in text and str(network.network_address) != str(ip_network(text.partition("/")[0]).network_address):
        raise ValueError(
            f"{quoted(text)} is an address with a prefix; write {network} for the whole network, or no prefix"
        )
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{quoted(text)} is IPv4-mapped; write the IPv4 network, mapped callers count as IPv4")
    if isinstance(network, IPv6Network) and network.network_address.scope_id is not None:
        raise ValueError(f"{quoted(text)} names an interface; leave out the part from %")
    return network


def seconds_from_span(text: str) -> float:
    """A length of time such as `90d`, `12h`, `30m`."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a length of time; write a number and s, m, h, d or w, as in 90d")
    return float(int(match[1]) * _SECONDS[match[2]])


def skew_from_span(text: str) -> float:
    """A length of time that clocks may differ by, in seconds."""
    seconds = seconds_from_span(text)
    if seconds > MAX_CLOCK_SKEW_SECONDS:
        raise ValueError(f"{quoted(text)} is more than clocks may differ by: at most 1h")
    return seconds


def rsa_bits_from_text(text: str) -> int:
    """The length of an RSA key."""
    if not _BITS.fullmatch(text) or not MIN_RSA_BITS <= int(text) <= MAX_RSA_BITS:
        raise ValueError(f"{quoted(text)} is not a length of RSA keys; write {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    return int(text)


def epoch_from_moment(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 moment with its offset from UTC."""
    if _MOMENT.fullmatch(text) is None:
        raise ValueError(f"{quoted(text)} is not a moment with its offset; write it as 2026-12-01T00:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (OverflowError, ValueError):
        raise ValueError(f"{quoted(text)} is not a moment that exists") from None


def hours_from_text(text: str) -> Hours:
    """A daily window such as `22:00-06:00`."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a daily window; write it as 22:00-06:00, from 00:00 to 24:00")
    start = int(match[1]) * 60 + int(match[2])
    end = 24 * 60 if match[5] else int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError(f"{quoted(text)} has no length; the whole day is 00:00-24:00")
    return Hours(start, end)


def digest_from_pin(text: str) -> bytes:
    """The 32 bytes of `sha256:` and base64, as `pins` has them."""
    try:
        digest = b64decode(text.removeprefix("sha256:"), validate=True)
    except (Base64Error, ValueError):
        digest = b""
    if not text.startswith("sha256:") or len(digest) != _SHA256_BYTES:
        raise ValueError(f"{quoted(text)} is not a pin; write sha256: and the base64 of the SHA-256 of the public key")
    return digest


def digest_from_fingerprint(text: str) -> bytes:
    """The 32 bytes of `sha256:` and hex, colons allowed, as `fingerprint` has them."""
    digits = text.removeprefix("sha256:").replace(":", "")
    if not text.startswith("sha256:") or len(digits) != 2 * _SHA256_BYTES or not _HEX.fullmatch(digits):
        raise ValueError(
            f"{quoted(text)} is not a fingerprint; write sha256: and the 64 hex digits of the certificate's"
        )
    return bytes.fromhex(digits)


def serial_from_text(text: str) -> int:
    """A certificate serial number in hex; case, colons and leading zeros do not count (RFC 5280 §4.1.2.2)."""
    digits = text.replace(":", "")
    if not _HEX.fullmatch(digits):
        raise ValueError(f"{quoted(text)} is not a serial number; write its hex digits, as openssl x509 -serial prints")
    return int(digits, 16)
