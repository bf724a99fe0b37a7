"""A decision in words, for the person who is woken by a 403.

Law kept here: an explanation only says what the decision was made of. It decides nothing, and adds no guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.engine.decision import Decision
from policies.engine.errors import RequestError
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.target import canonical_target
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import AssertedIdentity, MalformedCertificate, NamedCaller, NoCertificate, Presented
from policies.reason import Reason

#: What stands in the way, to follow "Denied: ".
_WORDS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.POLICY_UNAVAILABLE: "no policy has loaded",
        Reason.CERTIFICATE_MALFORMED: "what the caller presented is not one readable certificate",
        Reason.CERTIFICATE_NOT_YET_VALID: "the certificate is not valid yet",
        Reason.CERTIFICATE_EXPIRED: "the certificate has expired",
        Reason.CERTIFICATE_UNTRUSTED: "no trust entry of the policy vouches for the certificate",
        Reason.SVID_INVALID: "the certificate is not a valid X.509-SVID of a trust domain of the policy",
        Reason.CERTIFICATE_REVOKED: "the certificate is revoked",
        Reason.REVOCATION_UNKNOWN: "no current CRL says that the certificate is not revoked",
        Reason.REQUEST_MALFORMED: "the request has no method and target that can be judged",
        Reason.HOST_INVALID: "the host is not one plain host name or address",
        Reason.PATH_AMBIGUOUS: "two programs could read the path in two ways",
        Reason.SNI_MISMATCH: "the TLS server name is not the host of the request",
        Reason.INTERNAL_ERROR: "peergate failed; this is a bug",
    }
)
#: What to do about it.
_ADVICE: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.POLICY_UNAVAILABLE: "run `peergate policy check` on the policy",
        Reason.CERTIFICATE_MALFORMED: "look at what is sent with `openssl x509 -text`",
        Reason.CERTIFICATE_NOT_YET_VALID: "compare the clocks of the issuing CA and of this machine",
        Reason.CERTIFICATE_EXPIRED: "renew the certificate",
        Reason.CERTIFICATE_UNTRUSTED: "mend what the brackets say; a CA in between may stand in `intermediates`",
        Reason.SVID_INVALID: "issue it with one spiffe:// URI SAN of that trust domain, as a leaf",
        Reason.CERTIFICATE_REVOKED: "issue a new certificate",
        Reason.REVOCATION_UNKNOWN: "renew the CRL, or name one in `crls` of the trust entry",
        Reason.REQUEST_MALFORMED: "send a method and an origin-form path (/…)",
        Reason.HOST_INVALID: "send one Host header with a plain name",
        Reason.PATH_AMBIGUOUS: "send the path in its plain form; peergate never normalises",
        Reason.SNI_MISMATCH: "open a TLS connection with the server name of that host",
        Reason.NO_CERTIFICATE: "present a certificate, or allow `unauthenticated` where that is meant",
    }
)


@dataclass(frozen=True, slots=True)
class MatchedRule:
    """A rule that matched: `decided` is false if it is in shadow mode and only would have."""

    id: str
    effect: str
    decided: bool
    description: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in words.

    - `verdict`: one sentence. `advice`: what to do about a denial; empty where the verdict says it all.
    - `caller`: what is known of the caller, one fact a line.
    - `host`, `path`: canonical, the path decoded; None if the request was refused before.
    - `rules`: every rule that matched under the deciding effect, then those that would with shadow rules enforced.
    - `shadow`: the verdict with shadow rules enforced, empty if it is the same.
    - `asserted`: whether the caller was asserted, so that no certificate was judged.
    """

    verdict: str
    advice: str
    caller: tuple[str, ...]
    asserted: bool
    host: str | None
    path: str | None
    rules: tuple[MatchedRule, ...]
    shadow: str


def explanation_from_decision(policy: PolicySet, request: Request, decision: Decision) -> Explanation:
    """Why `policy` decided so on `request`."""
    target = _canonical(request)
    shadow = decision.shadow
    return Explanation(
        verdict=_verdict(request, decision, target),
        advice=_advice(decision),
        caller=tuple(_caller(request.peer)),
        asserted=isinstance(request.peer, AssertedIdentity),
        host=None if target is None else target[0],
        path=None if target is None else target[1],
        rules=tuple(_rules(policy, decision)),
        shadow="" if shadow is None else f"with shadow rules enforced: {_as_clause(_verdict(request, shadow, target))}",
    )


def _verdict(request: Request, decision: Decision, target: tuple[str, str] | None) -> str:
    if decision.allowed:
        return f"Allowed by {_named_rules(decision.rules)}."
    if decision.reason is Reason.DENIED_BY_RULE:
        by = f"Denied by {_named_rules(decision.rules)}"
        return f"{by}: {'; '.join(decision.problems)}." if decision.problems else f"{by}."
    what = f"{request.method} {''.join(target or ())}"
    if decision.reason is Reason.NO_CERTIFICATE:
        return f"Denied: no rule allows {what} without a certificate."
    if decision.reason is Reason.NO_MATCHING_RULE:
        return f"Denied: no rule allows {_who(decision)} to {what}."
    detail = f" ({'; '.join(decision.problems)})" if decision.problems else ""
    return f"Denied: {_WORDS[decision.reason]}{detail}."


def _as_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def _advice(decision: Decision) -> str:
    if decision.unknown and not decision.allowed:
        facts = ", ".join(sorted({note.partition(": ")[2] for note in decision.unknown}))
        return f"a fact that a rule asks for was not known here ({facts}); unknown never permits"
    if decision.reason is Reason.NO_MATCHING_RULE and not decision.identities:
        return "no identity of the policy matches this caller: compare the names above with `identities`"
    return _ADVICE.get(decision.reason, "")


def _who(decision: Decision) -> str:
    return " or ".join(decision.identities) or "this caller"


def _named_rules(ids: tuple[str, ...]) -> str:
    *head, last = ids
    return f"rules {', '.join(head)} and {last}" if head else f"rule {last}"


def _canonical(request: Request) -> tuple[str, str] | None:
    try:
        host, segments = canonical_target(request.method, request.target, request.host)
    except RequestError:
        return None
    return host, f"/{'/'.join(segments)}"


def _rules(policy: PolicySet, decision: Decision) -> Iterable[MatchedRule]:
    shadow = decision.shadow.rules if decision.shadow is not None else ()
    matched = frozenset(decision.rules).union(shadow)
    by_id = {rule.id: rule for rule in policy.rules if rule.id in matched}
    for name in (*decision.rules, *(rule for rule in shadow if rule not in decision.rules)):
        rule = by_id[name]
        yield MatchedRule(rule.id, rule.effect, name in decision.rules, rule.description, tuple(rule.labels))


def _caller(peer: Presented) -> Iterable[str]:
    if isinstance(peer, NoCertificate):
        yield "no certificate"
    elif isinstance(peer, MalformedCertificate):
        yield "an unreadable certificate"
    elif isinstance(peer, AssertedIdentity | NamedCaller):
        yield from _facts(peer.facts)
    else:
        yield from _facts(peer.leaf.identity)


def _facts(facts: IdentityFacts) -> Iterable[str]:
    for what, values in (
        ("uri", facts.uri),
        ("dns", facts.dns),
        ("email", facts.email),
        ("ip_san", facts.ip),
        ("subject", (facts.subject.text,) if facts.subject is not None and facts.subject.text else ()),
        ("issuer", (facts.issuer.text,) if facts.issuer is not None and facts.issuer.text else ()),
    ):
        yield from (f"{what} {value}" for value in values or ())
