"""A policy that Istio decides by itself: AuthorizationPolicies, and what they need beside them to be exact."""

from collections.abc import Iterator, Sequence

from extauth.istio.manifest import SECURITY, Manifest, named
from extauth.istio.names import names_of_pods, pods_text
from extauth.istio.plain_requests import plain_requests
from policies.authoring.istio.exporting.exporting import Exported, Protected
from policies.authoring.istio.exporting.rules import ExportedRule
from policies.reason import Effect

_HEAD = """Exported by `peergate policy export istio`, generation {generation}. Istio decides; peergate is not asked.

It decides as the policy does for these hosts, if all of this holds:
- the trust domain of the mesh is {domain}, `trustDomainAliases` is empty, and its CAs are those of the policy;
- every document here is applied, and no other AuthorizationPolicy, PeerAuthentication or EnvoyFilter is there for
  these pods: another ALLOW would let more through, another DENY or CUSTOM less;
- the pods have sidecars (no ambient mode), and callers reach them directly: behind a gateway all are the gateway.

The hosts, and the pods behind them:
{workloads}"""
_STRICT = "Callers without a certificate are turned away."
_PERMISSIVE = (
    """Callers without a certificate may come in, as a rule below is about them. To every other rule they are nobody."""
)
_ALLOWED = "What is allowed. Whatever is not is denied, as this policy is there."
_NOTHING = "Nothing is allowed here: a policy without rules denies everything."
_DENIED = "What is denied, whatever another rule allows."


def authorization_form(exported: Exported, generation: str) -> tuple[str, list[Manifest]]:
    """A head, and every resource; the exported policy has no problems."""
    workloads = "\n".join(f"  {', '.join(each.pods.hosts)}: {pods_text(each.pods)}" for each in exported.protected)
    head = _HEAD.format(generation=generation, domain=exported.trust_domain, workloads=workloads)
    names = names_of_pods([each.pods for each in exported.protected])
    return head, [
        manifest
        for name, protected in zip(names, exported.protected, strict=True)
        for manifest in _manifests(name, protected, exported)
    ]


def _manifests(name: str, protected: Protected, exported: Exported) -> Iterator[Manifest]:
    pods = protected.pods
    yield plain_requests(name, pods)
    mode = "PERMISSIVE" if protected.admits_plaintext else "STRICT"
    comment = _PERMISSIVE if protected.admits_plaintext else _STRICT
    yield Manifest(comment, named(SECURITY, "PeerAuthentication", name, pods, {"mtls": {"mode": mode}}))
    denied = _rules(protected.written(Effect.DENY), exported)
    if denied:
        resource = named(SECURITY, "AuthorizationPolicy", f"{name}-deny", pods, {"action": "DENY"})
        yield Manifest(_DENIED, resource, denied)
    allowed = _rules(protected.written(Effect.ALLOW), exported)
    resource = named(SECURITY, "AuthorizationPolicy", f"{name}-allow", pods, {"action": "ALLOW"})
    yield Manifest(_ALLOWED if allowed else _NOTHING, resource, allowed)


def _rules(rules: Sequence[ExportedRule], exported: Exported) -> list[tuple[str, dict[str, object]]]:
    return [(_comment(rule, exported), written) for rule in rules for written in rule.written]


def _comment(rule: ExportedRule, exported: Exported) -> str:
    at = exported.places[rule.rule.id]
    said = f"\n{rule.rule.description}" if rule.rule.description else ""
    return f"rule {rule.rule.id} ({at.file}:{at.line}){said}"
