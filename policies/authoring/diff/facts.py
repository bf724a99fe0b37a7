"""Facts of a certificate that are not made of words: email and IP SANs, names, digests, the serial number.

A fact that a certificate always has (issuer, serial number, key, fingerprint) and that is not wanted stays unknown
unless a policy speaks of it: then it is some other value, as a real caller would have one.
"""

from base64 import b64encode
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from itertools import product

from policies.authoring.claim import Claim
from policies.authoring.diff.callers import Wanted
from policies.authoring.diff.circumstances import addresses
from policies.engine.selector import Caller, DigestIn, EmailIs, IpSanIn, NameHas, NameIs, Selector, SerialIn
from policies.engine.truth import truth_of
from policies.peer.attribute import ATTRIBUTE_NAMES, ATTRIBUTE_OIDS
from policies.peer.certificate import IdentityFacts
from policies.peer.name import DistinguishedName
from policies.peer.rfc4514 import rfc4514_from_attributes

Fresh = Callable[[str], str]
_Asked = list[tuple[Selector, int]]
_SOMEBODY = IdentityFacts(subject=DistinguishedName((), ""))
_BYTES_OF_DIGEST = 32


def claim_from_wanted(
    wanted: Wanted, words: Mapping[Hashable, tuple[str, ...]], mentioned: Set[object], fresh: Fresh
) -> Claim | None:
    """What the certificate says, without trust: `words` are the segments of SANs. None if nothing fits."""
    claim = Claim(
        uri=tuple("/".join(value) for of, value in words.items() if _is(of, "uri")),
        dns=tuple(".".join(reversed(value)) for of, value in words.items() if _is(of, "dns")),
    )
    said = {
        "email": _emails(wanted.about(EmailIs), fresh),
        "ip_san": _ip_sans(wanted.about(IpSanIn)),
        "subject": _subject(wanted.about("subject"), fresh),
        "issuer": _issuer(wanted.about("issuer"), "issuer" in mentioned, fresh),
        "pins": _digest(wanted.about("pins"), "pins" in mentioned, of_spki=True),
        "fingerprint": _digest(wanted.about("fingerprint"), "fingerprint" in mentioned, of_spki=False),
        "serial": _serial(wanted.about("serial"), "serial" in mentioned),
    }
    if any(values is None for values in said.values()):
        return None
    return replace(claim, **{name: values for name, values in said.items() if values})


def _is(of: Hashable, kind: str) -> bool:
    return of == "id" if isinstance(of, str) and kind == "uri" else isinstance(of, tuple) and of[0] == kind


def _holds(asked: _Asked, facts: IdentityFacts) -> bool:
    caller = Caller(facts, frozenset())
    return all(1 << truth_of(selector.solutions(caller)) & truths for selector, truths in asked)


def _positive(asked: _Asked) -> _Asked:
    return [(selector, truths) for selector, truths in asked if not truths & 1]


def _emails(asked: _Asked, fresh: Fresh) -> tuple[str, ...] | None:
    found = tuple(
        f"{fresh('mail')}{selector.address[1:]}" if selector.address.startswith("*@") else selector.address
        for selector, _ in _positive(asked)
        if isinstance(selector, EmailIs)
    )
    return found if _holds(asked, replace(_SOMEBODY, email=found)) else None


def _ip_sans(asked: _Asked) -> tuple[str, ...] | None:
    """One address for each that is wanted; addresses do not get in each other's way."""
    networks = [network for selector, _ in asked if isinstance(selector, IpSanIn) for network in selector.networks]
    absent = [item for item in asked if item[1] & 1]
    found = []
    for wanted in _positive(asked):
        fitting = (
            address for address in addresses(networks) if _holds([wanted, *absent], replace(_SOMEBODY, ip=(address,)))
        )
        address = next(fitting, None)
        if address is None:
            return None
        found.append(str(address))
    return tuple(found)


def _subject(asked: _Asked, fresh: Fresh) -> tuple[str, ...] | None:
    """One that has nothing but what is wanted, else some more, as a whole name may be what is not wanted."""
    for text in _names(asked, fresh):
        if _holds(asked, replace(_SOMEBODY, subject=DistinguishedName.parse(text))):
            return (text,) if text else ()
    return None


def _issuer(asked: _Asked, mentioned: bool, fresh: Fresh) -> tuple[str, ...] | None:
    if not mentioned:
        return ()
    for text in _names(asked, fresh):
        if text and _holds(asked, replace(_SOMEBODY, issuer=DistinguishedName.parse(text))):
            return (text,)
    return () if _holds(asked, _SOMEBODY) else None


def _names(asked: _Asked, fresh: Fresh) -> Iterator[str]:
    """RFC 4514 names with the attributes that are wanted, alone and beside another one; whole names that are wanted."""
    whole = [selector.name.text for selector, _ in _positive(asked) if isinstance(selector, NameIs)]
    if whole:
        yield whole[0]
        return
    had = [selector for selector, _ in _positive(asked) if isinstance(selector, NameHas)]
    for chosen in product(*(sorted(selector.values) for selector in had)):
        attributes = list(dict.fromkeys((selector.oid, value) for selector, value in zip(had, chosen, strict=True)))
        yield _name_text(attributes)
        yield _name_text([*attributes, (ATTRIBUTE_OIDS["CN"], fresh("name"))])


def _name_text(attributes: Iterable[tuple[str, str]]) -> str:
    return rfc4514_from_attributes([[attribute] for attribute in attributes], ATTRIBUTE_NAMES)


def _digest(asked: _Asked, mentioned: bool, *, of_spki: bool) -> tuple[str, ...] | None:
    if not mentioned:
        return ()
    listed = [
        digest for selector, _ in _positive(asked) if isinstance(selector, DigestIn) for digest in selector.digests
    ]
    others = [bytes([number]) * _BYTES_OF_DIGEST for number in range(min(len(asked) + 1, 256))]
    for digest in [*sorted(listed), *others]:
        facts = replace(_SOMEBODY, spki_sha256=digest) if of_spki else replace(_SOMEBODY, cert_sha256=digest)
        if _holds(asked, facts):
            return (f"sha256:{b64encode(digest).decode() if of_spki else digest.hex()}",)
    return () if _holds(asked, _SOMEBODY) else None


def _serial(asked: _Asked, mentioned: bool) -> tuple[str, ...] | None:
    if not mentioned:
        return ()
    listed = [
        number for selector, _ in _positive(asked) if isinstance(selector, SerialIn) for number in selector.serials
    ]
    for number in [*sorted(listed), *range(1, len(asked) + 2)]:
        if _holds(asked, replace(_SOMEBODY, serial=number)):
            return (f"{number:x}",)
    return () if _holds(asked, _SOMEBODY) else None
