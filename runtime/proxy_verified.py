"""`--proxy-verified TRUST`: what the operator is told, at the start and by the health detail, that does not hold then.

Law 8 has this one exception: the proxies that ask have verified their callers for one trust entry, so no path is built
here. Where they show only names, nothing but names is known. What a rule asks for beyond is unknown: an allow never
matches by it, and a deny always does (law 2).
"""

from collections.abc import Iterator

from policies.engine.policy_set import PolicySet
from policies.engine.selector import (
    AllOf,
    AnyOf,
    DigestIn,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Not,
    Reference,
    Selector,
    SerialIn,
)
from runtime.hidden_facts import named_rules
from runtime.service_log import service_logger

_LOGGER = service_logger("proxy_verified")

_LAW_8 = "no path to the anchors of the entry is built, and the CAs above a caller are not judged: the proxy did"
_LAW_9 = (
    "of a caller without certificate (XFCC without Cert) nobody here knows dates, key, extended key usage and, but for "
    "`revocation: require`, which refuses it, revocation"
)
_LAW_7 = (
    "in XFCC as text a SAN ends at its first `;`, and what follows can be other DNS names; `format: JSON` excludes it"
)


def say_what_does_not_hold(entry: str) -> None:
    """Once, at the start."""
    facts = {"trust": entry, "law_8": _LAW_8, "law_9": _LAW_9, "law_7": _LAW_7}
    _LOGGER.warning("--proxy-verified: these laws do not hold for the callers of this service", extra={"facts": facts})


def proxy_verified_notices(policy: PolicySet, entry: str | None) -> tuple[str, ...]:
    """For the health detail: that it is so, and which rules ask for more than names. None: no proxy's word counts."""
    if entry is None:
        return ()
    flag = f"--proxy-verified {entry}"
    if entry not in {known.name for known in policy.trust.entries}:
        return (f"{flag}: the policy has no such trust entry, so it vouches for nobody",)
    needing: dict[str, list[str]] = {}
    for rule in policy.rules:
        for fact in sorted({fact for at in rule.callers for fact in _hidden(policy.identities[at].selector)}):
            needing.setdefault(fact, []).append(rule.id)
    notices = [
        f"{flag}: {fact} is unknown of callers without certificate; needed by {named_rules(ids)}"
        for fact, ids in sorted(needing.items())
    ]
    return (f"{flag}: callers are verified by the proxy and not here", *notices)


def _hidden(selector: Selector) -> Iterator[str]:
    """The facts that names do not tell, of those that a selector asks for."""
    match selector:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _hidden(part)
        case Not(part=part):
            yield from _hidden(part)
        case Reference(target=target):
            yield from _hidden(target)
        case EmailIs():
            yield "email"
        case IpSanIn():
            yield "ip_san"
        case NameIs(of_issuer=True) | NameHas(of_issuer=True):
            yield "issuer"
        case DigestIn(of_spki=spki):
            yield "the key (pins)" if spki else "any fingerprint but the one that is told"
        case SerialIn():
            yield "serial"
