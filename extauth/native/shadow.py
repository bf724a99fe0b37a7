"""Shadow rules inside Envoy: the same compilation with every rule enforced, in a filter that decides nothing.

The filter stands beside the one that decides and has only a `shadow_matcher`, which Envoy evaluates and notes: no
shadow rule can change a verdict. What it would ask about is not evaluated, and said to be so.
"""

from dataclasses import replace

from extauth.native.compile import compiled_from_policy
from policies.engine.policy_set import PolicySet
from runtime.envoy.proto_json import Json


def shadow_from_policy(
    policy: PolicySet, time: float, ports: tuple[int, ...] = (), *, stamped: bool = True
) -> Json | None:
    """A matcher of what `policy` would decide with its shadow rules enforced; None without any, as that is the same.

    The arguments are those of `compiled_from_policy`.
    """
    if not has_shadow_rules(policy):
        return None
    return compiled_from_policy(_enforced(policy), time, ports, stamped=stamped).decides


def has_shadow_rules(policy: PolicySet) -> bool:
    """Whether some rule is in shadow mode."""
    return any(rule.shadow for rule in policy.rules)


def _enforced(policy: PolicySet) -> PolicySet:
    return PolicySet(
        identities=policy.identities,
        routes=policy.routes,
        rules=[replace(rule, shadow=False) for rule in policy.rules],
        trust=policy.trust,
        strict_sni=policy.strict_sni,
        generation=policy.generation,
        content_sha256=policy.content_sha256,
    )
