"""A case as the engine sees it: the `Request` that every enforcement point must build from the same facts."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.peer.certificate import certificate_from_der
from policies.peer.presented import NO_CERTIFICATE, Presented, named_caller
from policies.peer.reader import PresentedReader
from tests.decisions.corpus import Case
from tests.decisions.world import World
from tests.support.odd_certificates import Identity
from tests.support.percent import percent_encoded


def request_from_case(case: Case, world: World, policy: PolicySet, time: float) -> Request:
    identity = world.identities[case.certificate] if case.certificate else None
    return Request(
        peer=_presented(case, identity),
        method=case.method,
        target=_text(case.target),
        host=_text(",".join(case.hosts)),
        headers=_headers(case, policy.condition_headers),
        seen_headers=None,
        source_ip=source_address(case),
        sni=case.sni,
        time=time,
    )


def source_address(case: Case) -> IPv4Address | IPv6Address | None:
    """None if unknown; an IPv4-mapped IPv6 address is IPv4."""
    if case.source_ip == "unknown":
        return None
    address = ip_address(case.source_ip)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _presented(case: Case, identity: Identity | None) -> Presented:
    if identity is None:
        return NO_CERTIFICATE
    if case.names_only:
        told = certificate_from_der(identity.der).identity
        return named_caller(replace(told, dns=told.dns or None), case.verified_for)
    reader = PresentedReader(verified_for=case.verified_for or None)
    return reader.from_percent_pem(percent_encoded(identity.pem), percent_encoded(identity.chain_pem))


def _headers(case: Case, conditions: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in case.headers:
        if name.lower() in conditions:
            found[name.lower()] = (*found.get(name.lower(), ()), _text(value))
    return found


def _text(on_the_wire: str) -> str:
    """Bytes of the wire (one character each) as a `Request` holds them."""
    return on_the_wire.encode("latin-1").decode("utf-8", "surrogateescape")
