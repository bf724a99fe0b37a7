"""What an operator should know about rules that the HTTP form of ext_authz cannot judge, as Envoy shows it too little.

Such a rule is not skipped: what is not shown is unknown, so an allow never matches and a deny always does (law 2).
"""

from collections.abc import Iterator

from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule

#: Rules that one notice names; the rest is counted.
_MAX_NAMED = 5


def http_notices(policy: PolicySet, seen_headers: frozenset[str]) -> tuple[str, ...]:
    """One sentence for each fact that rules need and that is not shown over HTTP. `seen_headers`: lower case."""
    needing: dict[str, list[str]] = {}
    for rule in policy.rules:
        for fact in sorted(set(_hidden_facts(policy, rule, seen_headers))):
            needing.setdefault(fact, []).append(rule.id)
    notices = [f"over HTTP {fact}; needed by {named_rules(ids)}" for fact, ids in sorted(needing.items())]
    if policy.strict_sni:
        notices.append("over HTTP the SNI is never shown; with strict_sni every request is denied")
    return tuple(notices)


def _hidden_facts(policy: PolicySet, rule: Rule, seen: frozenset[str]) -> Iterator[str]:
    if rule.when is not None and rule.when.sni:
        yield "the SNI is never shown"
    if rule.origin is not None and "x-forwarded-for" not in seen:
        yield _not_listed("x-forwarded-for")
    for position in rule.routes:
        for alternative in policy.routes[position].alternatives:
            if alternative.grpc and "content-type" not in seen:
                yield _not_listed("content-type")
            for header in alternative.headers:
                if header.name not in seen:
                    yield _not_listed(header.name)


def _not_listed(name: str) -> str:
    return f"{name} is not shown (--seen-headers)"


def named_rules(ids: list[str]) -> str:
    """The first of the rules, and how many there are beyond."""
    beyond = len(ids) - _MAX_NAMED
    return ", ".join(ids[:_MAX_NAMED]) + (f" and {beyond} more" if beyond > 0 else "")
