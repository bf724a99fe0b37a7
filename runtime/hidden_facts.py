"""What an operator should know about rules that an enforcement point cannot judge, as its proxy shows it too little.

Such a rule is not skipped: what is not shown is unknown, so an allow never matches and a deny always does (law 2).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule

#: Rules that one notice names; the rest is counted.
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class ShownFacts:
    """What one enforcement point is shown.

    `where`: how it is asked, for people. `headers`: lower case, None = all. `sni`: whether the server name is.
    `no_address`: why the client's address is not, empty if it is.
    """

    where: str
    headers: frozenset[str] | None = None
    sni: bool = True
    no_address: str = ""


def hidden_fact_notices(policy: PolicySet, shown: ShownFacts) -> tuple[str, ...]:
    """One sentence for each fact that rules need and that is not shown."""
    needing: dict[str, list[str]] = {}
    for rule in policy.rules:
        for fact in sorted(set(_hidden_facts(policy, rule, shown))):
            needing.setdefault(fact, []).append(rule.id)
    notices = [f"{shown.where} {fact}; needed by {named_rules(ids)}" for fact, ids in sorted(needing.items())]
    if policy.strict_sni and not shown.sni:
        notices.append(f"{shown.where} the SNI is never shown; with strict_sni every request is denied")
    return tuple(notices)


def not_listed(name: str) -> str:
    """Why a header is not shown."""
    return f"{name} is not shown (--seen-headers)"


def _hidden_facts(policy: PolicySet, rule: Rule, shown: ShownFacts) -> Iterator[str]:
    if rule.when is not None and rule.when.sni and not shown.sni:
        yield "the SNI is never shown"
    if rule.origin is not None and shown.no_address:
        yield shown.no_address
    if shown.headers is None:
        return
    for position in rule.routes:
        for alternative in policy.routes[position].alternatives:
            if alternative.grpc and "content-type" not in shown.headers:
                yield not_listed("content-type")
            for header in alternative.headers:
                if header.name not in shown.headers:
                    yield not_listed(header.name)


def named_rules(ids: list[str]) -> str:
    """The first of the rules, and how many there are beyond."""
    beyond = len(ids) - _MAX_NAMED
    return ", ".join(ids[:_MAX_NAMED]) + (f" and {beyond} more" if beyond > 0 else "")
