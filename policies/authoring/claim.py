"""Identities that an author asserts instead of showing a certificate: in policy tests, on the command line, in replay.

Law kept here: an assertion says what the caller *has*. Names that are left out (SANs, subject) it does not have; what
every certificate has (issuer, serial, key, fingerprint) is unknown if left out, so that no rule passes on a guess.
Who vouches for it is never guessed either: `trust` is asserted, or follows from the SPIFFE trust domain of the name.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from policies.authoring.limits import MAX_CLAIM_CHARS, MAX_CLAIM_VALUES
from policies.language.compiler.values import digest_from_fingerprint, digest_from_pin, serial_from_text
from policies.peer.certificate import IdentityFacts
from policies.peer.errors import PeerError
from policies.peer.name import DistinguishedName
from policies.peer.presented import AssertedIdentity
from policies.peer.spiffe import SpiffeId
from policies.peer.trust import TrustStore

T = TypeVar("T")
_EMPTY_NAME = DistinguishedName((), "")


class ClaimError(ValueError):
    """Not an identity that a certificate could carry. `field` says which field; `index` which of its values."""

    def __init__(self, field: str, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.field = field
        self.index = index


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asserted, as text; a field that is left out is empty, `trust` None.

    `subject` and `issuer` are RFC 4514, `serial` is hex, `fingerprint` and `pins` are `sha256:…` as in selectors. All
    but SANs and `trust` take one value.
    """

    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    ip_san: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    issuer: tuple[str, ...] = ()
    serial: tuple[str, ...] = ()
    fingerprint: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    trust: tuple[str, ...] | None = None


#: The fields of a claim, in the order in which people list them.
CLAIM_FIELDS = tuple(field.name for field in fields(Claim))


def asserted_from_claim(claim: Claim, store: TrustStore) -> AssertedIdentity:
    """The identity that `claim` asserts. What it says of `trust` is taken as it is; what it leaves out, `store` tells.

    Raises ClaimError for values that no certificate could carry, and where it is not clear who vouches.
    """
    _check_size(claim)
    facts = IdentityFacts(
        uri=_each("uri", claim.uri, _uri),
        dns=_each("dns", claim.dns, _dns),
        email=_each("email", claim.email, _email),
        ip=_each("ip_san", claim.ip_san, _address),
        subject=_one("subject", claim.subject, _name) or _EMPTY_NAME,
        issuer=_one("issuer", claim.issuer, _name),
        serial=_one("serial", claim.serial, serial_from_text),
        cert_sha256=_one("fingerprint", claim.fingerprint, digest_from_fingerprint),
        spki_sha256=_one("pins", claim.pins, digest_from_pin),
    )
    trust = frozenset(_vouching(claim, store) if claim.trust is None else claim.trust)
    key = hashlib.sha256(repr((facts, sorted(trust))).encode("utf-8", "surrogatepass")).digest()
    return AssertedIdentity(facts, trust, key)


def _check_size(claim: Claim) -> None:
    for name in CLAIM_FIELDS:
        values: tuple[str, ...] = getattr(claim, name) or ()
        if len(values) > MAX_CLAIM_VALUES:
            raise ClaimError(name, f"{len(values)} values; a certificate has at most {MAX_CLAIM_VALUES}")
        for index, value in enumerate(values):
            if not value and name != "subject":
                raise ClaimError(name, "the value is empty", index)
            if len(value) > MAX_CLAIM_CHARS:
                raise ClaimError(name, f"longer than {MAX_CLAIM_CHARS} characters", index)


def _vouching(claim: Claim, store: TrustStore) -> tuple[str, ...]:
    """The entry that vouches for an identity that does not say which; none for one of a foreign trust domain."""
    trust_domains = {entry.name: entry.spiffe_trust_domain for entry in store.entries}
    domains = {SpiffeId.parse(uri).trust_domain for uri in claim.uri if _is_spiffe(uri)}
    if domains:
        foreign = not domains.issubset(trust_domains.values())
        return () if foreign else tuple(name for name, domain in trust_domains.items() if domain in domains)
    if len(trust_domains) == 1:
        return tuple(trust_domains)
    names = ", ".join(sorted(trust_domains)) or "none"
    raise ClaimError("trust", f"it must say which trust entry vouches for it; there are: {names}")


def _each(field: str, values: tuple[str, ...], value_from_text: Callable[[str], T]) -> tuple[T, ...]:
    found: list[T] = []
    for index, text in enumerate(values):
        try:
            found.append(value_from_text(text))
        except ValueError as error:
            raise ClaimError(field, str(error), index) from None
    return tuple(found)


def _one(field: str, values: tuple[str, ...], value_from_text: Callable[[str], T]) -> T | None:
    if len(values) > 1:
        raise ClaimError(field, "a certificate has one; name one value", 1)
    found = _each(field, values, value_from_text)
    return found[0] if found else None


def _is_spiffe(text: str) -> bool:
    return text[:9].lower() == "spiffe://"


def _uri(text: str) -> str:
    if _is_spiffe(text):
        try:
            SpiffeId.parse(text)
        except PeerError as error:
            raise ValueError(f"not a SPIFFE ID: {error}") from None
    return _concrete(text)


def _dns(text: str) -> str:
    return _concrete(text)


def _email(text: str) -> str:
    if "@" not in text:
        raise ValueError("not an e-mail address: it has no @")
    return _concrete(text)


def _concrete(text: str) -> str:
    """A name as a certificate carries it: printable ASCII, no pattern."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("names in a certificate are printable ASCII without blanks")
    if "*" in text:
        raise ValueError("a certificate with a wildcard is refused; write a name that one caller has")
    return text


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError("not an IP address") from None


def _name(text: str) -> DistinguishedName:
    return DistinguishedName.parse(text) if text else _EMPTY_NAME
