"""Canonical hosts and the patterns that a policy writes for them (law 6)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from policies.engine.errors import HostInvalid
from policies.engine.limits import MAX_CACHED_HOSTS, MAX_HOST_CHARS, MAX_LABEL_CHARS

#: RFC 9110 §7.2 Host = uri-host [ ":" port ], with names restricted to letters, digits, hyphen and underscore.
_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_PORT = 65535
#: A last label that some reader takes for a number makes the whole name an IPv4 address for it (WHATWG URL §3.5).
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
#: What a policy may write for a host beside a bracketed address.
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@lru_cache(maxsize=MAX_CACHED_HOSTS)
def canonical_host(text: str) -> str:
    """`text` lower-cased, without port and trailing dot; an IPv6 address in brackets and shortest form.

    Raises HostInvalid for anything that is not one ASCII name, IPv4 address or bracketed IPv6 address.
    """
    if not text:
        raise HostInvalid("the request has no host")
    match = _HOST.fullmatch(text)
    if match is None:
        if "," in text:
            raise HostInvalid(f"the request has more than one host: {text[:200]!r}")
        raise HostInvalid(
            f"{text[:200]!r} is not a host: letters, digits, '-', '_' and '.', or an IP address, and a port"
        )
    if match["port"] is not None and int(match["port"]) > _MAX_PORT:
        raise HostInvalid(f"{text!r} has a port above {_MAX_PORT}")
    if match["ipv6"] is not None:
        return _canonical_ipv6(match["ipv6"])
    name = match["name"].lower()
    _check_labels(name)
    return name


def _canonical_ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise HostInvalid(f"[{text}] is not an IPv6 address") from None
    return f"[{address}]"


def _check_labels(name: str) -> None:
    if len(name) > MAX_HOST_CHARS or any(len(label) > MAX_LABEL_CHARS for label in name.split(".")):
        raise HostInvalid(f"the host is longer than {MAX_HOST_CHARS} characters or a label than {MAX_LABEL_CHARS}")
    if _NUMERIC.fullmatch(name.rpartition(".")[2]):
        try:
            IPv4Address(name)
        except AddressValueError:
            raise HostInvalid(f"{name!r} ends in a number but is not an IPv4 address") from None


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A host as a policy writes it.

    `depth` 0: exactly `suffix`. 1: one label before `.suffix`, bound to `capture` if that is a name. 2: one or more
    labels before `.suffix`.
    """

    suffix: str
    depth: int = 0
    capture: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HostPattern":
        """From `name`, `*.name`, `{capture}.name` or `**.name`. Raises HostInvalid with what to write instead."""
        head, dot, rest = text.partition(".")
        capture = _CAPTURE.fullmatch(head)
        if head in {"*", "**"} or capture:
            if not dot or not rest:
                raise HostInvalid(f"`{text}` needs a name after the wildcard, as in `*.example.com`")
            suffix = _policy_host(rest, text)
            if suffix[0] == "[" or suffix.rpartition(".")[2].isdigit():
                raise HostInvalid(
                    f"`{text}`: an IP address takes no wildcard; write each address (where callers come from is `from`)"
                )
            return cls(suffix, 2 if head == "**" else 1, capture[1] if capture else None)
        return cls(_policy_host(text, text))

    def bound(self, host: str) -> dict[str, str] | None:
        """What the canonical `host` binds, or None if it does not match."""
        if self.depth == 0:
            return {} if host == self.suffix else None
        if not host.endswith(self.suffix) or host[0] == "[":
            return None
        head = host[: -len(self.suffix)]
        if len(head) < 2 or head[-1] != "." or (self.depth == 1 and "." in head[:-1]):
            return None
        return {self.capture: head[:-1]} if self.capture else {}

    def covers(self, other: "HostPattern") -> bool:
        """Whether every host that `other` matches is matched by this pattern."""
        if other.depth == 0:
            return self.bound(other.suffix) is not None
        if self.depth == 0 or (self.depth == 1 and other.depth == 2):
            return False
        if self.suffix == other.suffix:
            return True
        return self.depth == 2 and other.suffix.endswith(f".{self.suffix}")

    def __str__(self) -> str:
        """The pattern as a policy writes it."""
        if self.depth == 0:
            return self.suffix
        head = "**" if self.depth == 2 else f"{{{self.capture}}}" if self.capture else "*"
        return f"{head}.{self.suffix}"


def _policy_host(text: str, whole: str) -> str:
    if "*" in text or "{" in text:
        raise HostInvalid(f"`{whole}`: a wildcard is a whole label, and the first one; write it as in `*.example.com`")
    if text.startswith("[") and text.endswith("]"):
        return canonical_host(text)
    if ":" in text:
        raise HostInvalid(f"`{whole}`: write `{_bare(whole)}`, without scheme and port; it is meant on every port")
    if not _NAME.fullmatch(text):
        raise HostInvalid(
            f"`{whole}` is no host name: it has letters, digits, `-`, `_` and `.`; or write an IP address"
        )
    return canonical_host(text)


def _bare(text: str) -> str:
    """What is left of a URL, or of a host with a port, as a policy would write it."""
    return text.rpartition("://")[2].partition("/")[0].partition(":")[0]
