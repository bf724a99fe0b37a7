"""A policy as AuthorizationPolicies for the workloads that are named, or every reason why Istio cannot say it.

Laws kept here: a policy is exported as a whole or not at all. For every request that is written plainly
(`extauth.istio.plain_requests`) Istio decides as peergate does, and every other request is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.authoring.istio.exporting.rules import ExportedRule, RuleExport, concerns
from policies.authoring.istio.exporting.trust import trust_problems
from policies.authoring.istio.workload import Workload
from policies.authoring.lint.places import Places, places_from_files
from policies.engine.policy_set import PolicySet
from policies.language.problem import Position, Problem
from policies.reason import Effect


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods behind some hosts: the workloads of equal namespace and labels."""

    namespace: str
    labels: Mapping[str, str]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protected:
    """What is decided at `pods`. Whatever no rule allows there is denied."""

    pods: Pods
    rules: tuple[ExportedRule, ...]

    def written(self, effect: Effect) -> list[ExportedRule]:
        """The rules of one effect that match something."""
        return [rule for rule in self.rules if rule.rule.effect is effect and rule.written]

    @property
    def admits_plaintext(self) -> bool:
        """Whether a caller without a certificate may be allowed."""
        return any(rule.admits_plaintext and rule.written for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Exported:
    """Either what is `protected` and no problems, or problems, sorted.

    `places`: of the rules, by id. `notes` say what of the policy is about none of the hosts, or decides nothing.
    """

    protected: tuple[Protected, ...]
    trust_domain: str
    places: Mapping[str, Position]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def exported_from_policy(policy: PolicySet, files: Mapping[str, bytes], workloads: Iterable[Workload]) -> Exported:
    """The export of a policy that was loaded from `files`, for `workloads`. Never raises."""
    places, pods = places_from_files(files), pods_of_workloads(workloads)
    domain = next((str(e.spiffe_trust_domain) for e in policy.trust.entries if e.spiffe_trust_domain), "")
    export = RuleExport(policy, domain)
    problems = [*trust_problems(policy, places), *_rule_problems(policy, places, pods, export)]
    at = {rule.id: places.rule(rule.id) for rule in policy.rules}
    if problems:
        return Exported((), domain, at, tuple(sorted(set(problems))), ())
    protected = tuple(
        Protected(
            each,
            tuple(export.exported(rule, each.hosts) for rule in policy.rules if concerns(policy, rule, each.hosts)),
        )
        for each in pods
    )
    return Exported(protected, domain, at, (), tuple(_notes(policy, places, pods)))


def pods_of_workloads(workloads: Iterable[Workload]) -> tuple[Pods, ...]:
    """The workloads, those of equal namespace and labels as one, in their order."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for workload in workloads:
        found.setdefault((workload.namespace, tuple(sorted(workload.labels.items()))), []).append(workload.host)
    return tuple(Pods(namespace, dict(labels), tuple(hosts)) for (namespace, labels), hosts in found.items())


def _rule_problems(policy: PolicySet, places: Places, pods: Sequence[Pods], export: RuleExport) -> Iterator[Problem]:
    hosts = [host for each in pods for host in each.hosts]
    for rule in policy.rules:
        if concerns(policy, rule, hosts):
            yield from export.problems(rule, places.rule(rule.id), hosts)


def _notes(policy: PolicySet, places: Places, pods: Sequence[Pods]) -> Iterator[str]:
    hosts = [host for each in pods for host in each.hosts]
    for rule in policy.rules:
        at = places.rule(rule.id)
        if rule.shadow:
            yield f"{at.file}:{at.line}: rule `{rule.id}` is a shadow rule, which decides nothing, and is left out"
        elif not concerns(policy, rule, hosts):
            yield f"{at.file}:{at.line}: rule `{rule.id}` is about none of the hosts that are named, and is left out"
