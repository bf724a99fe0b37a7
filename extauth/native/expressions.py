"""Regular expressions (RE2) for what a policy writes; every literal is escaped."""

import re

from extauth.native.limits import MAX_LABEL_CHARS, MAX_LABELS
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from policies.peer.spiffe import TrustDomain

#: A path whose segments are read in one way only, as `policies.engine.path` reads them without a second look. What has
#: an escape, a dot at the start of a segment or an odd character is asked. The query, if any, is not judged.
PLAIN_PATH = r"/|(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*)+/?"
#: A plain path that is short, too, as most are: at most 15 segments of 63 characters.
SHORT_PLAIN_PATH = r"/|(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]{0,62}){1,15}/?"
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*")

_LABEL = rf"[a-z0-9_-]{{1,{MAX_LABEL_CHARS}}}"
_LAST_LABEL = rf"[a-z][a-z0-9_-]{{0,{MAX_LABEL_CHARS - 1}}}"
_NAME = rf"(?:{_LABEL}\.){{0,{MAX_LABELS - 1}}}{_LAST_LABEL}"
#: One segment of the path of a SPIFFE ID (SPIFFE-ID §2.2): neither `.` nor `..`.
_SPIFFE_SEGMENT = r"(?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]*"
#: How the SANs of a certificate with one URI, or one DNS name, and no other SAN are written: URI|DNS|email|IP.
ONLY_URI, ONLY_DNS = "{}|-|-|-", "-|{}|-|-"
_AFTER_URI, _BEFORE_DNS, _AFTER_DNS = r"\|-\|-\|-", r"-\|", r"\|-\|-"


def escaped(text: str) -> str:
    """`text` as RE2 takes it literally."""
    return re.escape(text)


def is_plain_segment(segment: str) -> bool:
    """Whether a plain path can have this segment; the empty one stands for a trailing slash."""
    return not segment or _PLAIN_SEGMENT.fullmatch(segment) is not None


def ordinary_host(ports: tuple[int, ...]) -> str:
    """A host in canonical form: lower case, no dot at the end, no number as its last label; one of `ports` may follow.

    Addresses and names of unusual length are left out, and asked.
    """
    return _NAME + _port(ports)


def host_expression(pattern: HostPattern, ports: tuple[int, ...]) -> str:
    """An ordinary host that matches `pattern`."""
    head = {0: "", 1: rf"{_LABEL}\.", 2: rf"(?:{_LABEL}\.)+"}[pattern.depth]
    return head + escaped(pattern.suffix) + _port(ports)


def path_expression(pattern: SegmentPattern) -> str:
    """A plain path that matches `pattern`."""
    parts = "".join("/" + (escaped(part) if isinstance(part, str) else "[^/]+") for part in pattern.segments)
    return parts + "(?:/.*)?" if pattern.rest else parts


def svid_sans(domain: TrustDomain) -> str:
    """The SANs of a certificate whose only SAN is a SPIFFE ID of `domain` with a path."""
    return escaped(f"spiffe://{domain.name}") + rf"(?:/{_SPIFFE_SEGMENT})+" + _AFTER_URI


def short_svid_sans(domain: TrustDomain) -> str:
    """Some of `svid_sans`, short enough to be a SPIFFE ID: at most 8 segments of 63 characters."""
    return escaped(f"spiffe://{domain.name}") + r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}){1,8}" + _AFTER_URI


def spiffe_sans(pattern: SegmentPattern) -> str:
    """The SANs of a certificate whose only SAN is a SPIFFE ID that matches `pattern`."""
    authority, *path = pattern.segments
    parts = "".join("/" + (escaped(part) if isinstance(part, str) else _SPIFFE_SEGMENT) for part in path)
    rest = rf"(?:/{_SPIFFE_SEGMENT})*" if pattern.rest else ""
    return escaped(str(authority)) + parts + rest + _AFTER_URI


def name_sans() -> str:
    """The SANs of a certificate whose only SAN is a DNS name in lower case."""
    return _BEFORE_DNS + _NAME + _AFTER_DNS


def dns_sans(pattern: HostPattern) -> str:
    """The SANs of a certificate whose only SAN is a DNS name that matches `pattern`."""
    return _BEFORE_DNS + host_expression(pattern, ()) + _AFTER_DNS


def known_chain(fingerprints: list[str]) -> str:
    """What a client presents: any leaf, then only CAs with these fingerprints (SHA-256, hex)."""
    return "[0-9a-f]+" + (f"(?:,(?:{'|'.join(fingerprints)}))*" if fingerprints else "")


def _port(ports: tuple[int, ...]) -> str:
    return f"(?::(?:{'|'.join(map(str, ports))}))?" if ports else ""
