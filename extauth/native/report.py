"""What of a policy Envoy decides by itself, rule by rule, and why it asks about the rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from extauth.native.admission import Admission, admission_from_policy
from extauth.native.callers import NativeCaller, native_callers
from extauth.native.items import unsaid_of_rule
from extauth.native.mentioned import Mentioned, mentioned_by_policy
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule

#: What Envoy cannot say, in words: what an author can change.
WORDS = {
    "trust": "a CA of the trust entry has the name of one of another entry, is above or below one, or is named oddly",
    "no-trust": "the policy has no trust entry",
    "min_rsa_bits": "the trust entry sets min_rsa_bits, and Envoy does not show the length of keys",
    "authority": "a CA of the trust entry has name constraints, is weak, revoked or out of date, or issues no leaves",
    "revocation": "the trust entry requires a current CRL of each of its CAs, and has none of one of them",
    "crl_urls": "the trust entry has CRLs that certificates name, which Envoy does not look for",
    "ocsp": "the trust entry asks an OCSP responder, which Envoy does not do for client certificates",
    "strict_sni": "strict_sni compares the server name with the host",
    "when": "it has a `when`",
    "binding": "caller and route share a name in braces, a route binds one twice, or asks for headers",
    "set_headers": "it sets headers for the upstream",
    "headers": "a route asks for headers",
    "identity": "its callers are told by subject, issuer, pin or fingerprint, which Envoy does not compare",
    "certificate": "its callers are not told by one SPIFFE ID or one DNS name",
    "shadow": "it is in shadow mode, which decides nothing",
    "many-callers": "the policy has too many patterns of callers, or they overlap in too many ways",
}
#: How to write it so that Envoy decides; none where nothing is wrong with the policy itself.
HINTS = {
    "trust": "give CAs of different trust entries names of their own, or give each entry a listener and a policy",
    "no-trust": "name the CAs of the callers under `trust`",
    "min_rsa_bits": "take it out where the CA keeps to it by itself",
    "authority": "give the trust entry only CAs that are in force and have no name constraints",
    "revocation": "give a CRL of each CA, anchors and intermediates, under `crls`, and let peergate reach it",
    "crl_urls": "name the CRLs of the CAs under `crls`, as files or by `url`",
    "ocsp": "use CRLs, under `crls`, in place of `ocsp`",
    "strict_sni": "take it out where `hosts` in the routes are enough",
    "when": "if it must stay, name the callers and routes that it is about: only they are asked about",
    "binding": "write the names out, or keep the rule to the routes that need it",
    "set_headers": "upstreams read the caller from `x-peergate-identity` anyway; or keep it to the routes that need it",
    "headers": "tell the route by host, path or method",
    "identity": "tell callers by `uri` or `dns`, block one by `serial`, or name the `uri` beside the fingerprint",
    "certificate": "tell callers by the one `uri` or `dns` of their certificates",
    "many-callers": "name callers in full, or by fewer wildcards",
}


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One rule. `asked`: why Envoy asks where the rule could decide; empty if it never does for this rule's sake."""

    rule: str
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NativeReport:
    """Every rule of a policy, by id."""

    rules: tuple[RuleReport, ...]

    @property
    def native_share(self) -> float:
        """The share of the enforced rules that Envoy decides by itself, 0 to 1."""
        enforced = [report for report in self.rules if report.asked != ("shadow",)]
        return sum(not report.asked for report in enforced) / len(enforced) if enforced else 0.0


def report_from_policy(policy: PolicySet, time: float) -> NativeReport:
    """The report at `time`, epoch seconds."""
    admission = admission_from_policy(policy, time)
    if not isinstance(admission, str) and policy.strict_sni:
        admission = "strict_sni"
    if isinstance(admission, str):
        why = (admission,)
        return NativeReport(tuple(RuleReport(rule.id, ("shadow",) if rule.shadow else why) for rule in policy.rules))
    mentioned = mentioned_by_policy(policy)
    found = [native_callers(policy, entry, mentioned) for entry in admission.judged]
    callers = [caller for of_entry in found for caller in (*of_entry.certified(), of_entry.anonymous)]
    elsewhere = rules_elsewhere(policy, admission, mentioned)
    known = _union(caller.allow | caller.deny for caller in callers)
    unclear = _union(caller.unsure | caller.missed for caller in callers)
    unnamed = _union(_spoken_of(caller) for caller in callers if caller.unclear)
    return NativeReport(
        tuple(
            RuleReport(rule.id, tuple(dict.fromkeys(why)))
            for position, rule in enumerate(policy.rules)
            for why in [_asked(policy, rule, policy.bit(position), known, unclear | unnamed, elsewhere)]
        )
    )


def rules_elsewhere(policy: PolicySet, admission: Admission, mentioned: Mentioned) -> tuple[tuple[str, int], ...]:
    """Why the callers of some trust entries are asked about, each with the rules about them, one bit a rule."""
    return tuple(
        (entry.asked, _union(map(_spoken_of, native_callers(policy, entry, mentioned).certified())))
        for entry in admission.entries
        if entry.asked
    )


def _asked(
    policy: PolicySet, rule: Rule, bit: int, known: int, unclear: int, elsewhere: Sequence[tuple[str, int]]
) -> Iterator[str]:
    """`elsewhere`: why the callers of some trust entries are asked about, with the rules about them."""
    if rule.shadow:
        yield "shadow"
        return
    if unsaid := unsaid_of_rule(rule):
        yield unsaid
    if any(place.headers for route in rule.routes for place in policy.routes[route].alternatives):
        yield "headers"
    whole = [why for why, rules in elsewhere if bit & rules]
    yield from whole
    if bit & unclear:
        yield "identity"
    elif not bit & known and not whole:
        yield "certificate"


def _spoken_of(caller: NativeCaller) -> int:
    return caller.allow | caller.deny | caller.unsure | caller.missed


def _union(masks: Iterable[int]) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole
