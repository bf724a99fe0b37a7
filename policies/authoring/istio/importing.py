"""Files of AuthorizationPolicies -> the text of a peergate policy that decides the same for the hosts that are named.

Laws kept here: what Istio denies is never allowed. A rule that allows and cannot be carried over is left out, and the
text says so; anything else that cannot be carried over (a rule that denies, an action, a target) leaves no text at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.authoring.istio.callers import ISTIO_DEFAULT_DOMAIN, TRUST_DOMAIN, Identities
from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.exceptions import with_exceptions
from policies.authoring.istio.mesh import Mesh
from policies.authoring.istio.plan import Piece, Plan
from policies.authoring.istio.policy_text import policy_text
from policies.authoring.istio.reading import Resources, read_resources
from policies.authoring.istio.resource import AuthorizationPolicy, Texts
from policies.authoring.istio.rules import carried_rule
from policies.authoring.istio.workload import Workload
from policies.language.problem import Problem, Problems

_DECIDING = ("ALLOW", "DENY")


@dataclass(frozen=True, slots=True)
class Imported:
    """`text` is None if there is none. `problems` are sorted; with a text, each is about a rule that was left out.

    `notes` say what the text does not carry because it decides nothing, and what to look at.
    """

    text: str | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    left_out: int = 0


def imported_from_files(files: Mapping[str, bytes], mesh: Mesh) -> Imported:
    """The policy for the workloads of `mesh`; names of files are what problems and comments give. Never raises."""
    resources, problems = Resources(), Problems()
    for file, data in files.items():
        read_resources(file, data, resources, problems)
    _check_titles(resources.policies, problems)
    if not len(problems) and not resources.policies:
        return Imported(None, tuple(Problem(at, ImportCode.INVALID, _no_policy(kind)) for kind, at in resources.others))
    notes = [
        f"{at.file}:{at.line}: {kind} is no AuthorizationPolicy, and is not looked at" for kind, at in resources.others
    ]
    applying = _applying(resources.policies, mesh, problems)
    if len(problems):
        return Imported(None, problems.sorted())
    plan, domains = Plan(), _trust_domains([policy for policy, hosts in applying if hosts], mesh)
    identities = Identities(domains[0], domains)
    for policy, hosts in applying:
        _add_policy(policy, hosts, mesh, identities, plan)
    plan.pieces = with_exceptions(plan.pieces)
    failing = [problem for piece in plan.left_out if piece.policy.action == "DENY" for problem in piece.problems]
    found = tuple(sorted(problem for piece in plan.left_out for problem in piece.problems))
    if failing:
        return Imported(None, found, left_out=len(plan.left_out))
    plan.open_hosts = _open_hosts(applying, mesh)
    notes += [f"{policy.title} {why}" for policy, why in plan.silent]
    notes += [
        f"no policy that allows applies to {host}: what is not denied is allowed, as in Istio"
        for host in plan.open_hosts
    ]
    return Imported(policy_text(plan, mesh, identities, domains), found, tuple(notes), len(plan.left_out))


def _no_policy(kind: str) -> str:
    return f"{kind} is no AuthorizationPolicy, and there is none"


def _check_titles(policies: list[AuthorizationPolicy], problems: Problems) -> None:
    first: dict[str, AuthorizationPolicy] = {}
    for policy in policies:
        known = first.setdefault(policy.title, policy)
        if known is not policy:
            message = f"{policy.title} stands twice; first in {known.at.file}, line {known.at.line}"
            problems.add(policy.at, ImportCode.INVALID, message, "keep the one that is in force")


def _applying(
    policies: list[AuthorizationPolicy], mesh: Mesh, problems: Problems
) -> list[tuple[AuthorizationPolicy, tuple[str, ...]]]:
    """Every policy with the hosts that it applies to; what makes the whole import impossible is a problem."""
    applying = [(policy, _hosts(policy, mesh)) for policy in policies]
    for policy, hosts in applying:
        if not mesh.workloads:
            message = f"{policy.title} applies to {_selected(policy, mesh)}, and which hosts that is stands elsewhere"
            problems.add(policy.at, ImportCode.SCOPE, message, f"name each host: --host {_example(policy, mesh)}")
        if hosts and policy.action == "CUSTOM":
            message = f"{policy.title} has the action CUSTOM, which leaves the decision to another program"
            hint = "take it out of the file if peergate takes that program's place"
            problems.add(policy.at, ImportCode.UNSUPPORTED, message, hint)
    for workload in mesh.workloads if policies else ():
        _check_workload(workload, applying, problems)
    return applying


def _check_workload(
    workload: Workload, applying: list[tuple[AuthorizationPolicy, tuple[str, ...]]], problems: Problems
) -> None:
    if any(workload.host in hosts and _decides(policy) for policy, hosts in applying):
        return
    message = f"no policy that decides something applies to `{workload}`: Istio would allow everything there"
    hint = "check namespace and labels against the policies, or leave the host out"
    problems.add(applying[0][0].at, ImportCode.SCOPE, message, hint)


def _decides(policy: AuthorizationPolicy) -> bool:
    return policy.action in (*_DECIDING, "CUSTOM") and not policy.dry_run


def _hosts(policy: AuthorizationPolicy, mesh: Mesh) -> tuple[str, ...]:
    return tuple(each.host for each in mesh.workloads if each.is_selected_by(policy, mesh.root_namespace))


def _selected(policy: AuthorizationPolicy, mesh: Mesh) -> str:
    where = "every namespace" if policy.namespace == mesh.root_namespace else f"namespace {policy.namespace}"
    labels = ", ".join(f"{name}={value}" for name, value in policy.labels.items())
    return f"the workloads in {where}{f' with {labels}' if labels else ''}"


def _example(policy: AuthorizationPolicy, mesh: Mesh) -> str:
    where = "NAMESPACE" if policy.namespace == mesh.root_namespace else policy.namespace
    return f"HOST={','.join([where, *(f'{name}={value}' for name, value in policy.labels.items())])}"


def _add_policy(
    policy: AuthorizationPolicy, hosts: tuple[str, ...], mesh: Mesh, identities: Identities, plan: Plan
) -> None:
    if not hosts:
        plan.silent.append((policy, "applies to none of the hosts that are named"))
    elif policy.action == "AUDIT":
        plan.silent.append((policy, "has the action AUDIT, which decides nothing in Istio"))
    elif policy.dry_run:
        plan.silent.append((policy, "is a dry run, which decides nothing in Istio"))
    elif not policy.rules:
        does = "allows nothing by itself" if policy.action == "ALLOW" else "denies nothing"
        plan.silent.append((policy, f"has no rules: it {does}"))
    for number, rule in enumerate(policy.rules if hosts and _decides(policy) else (), 1):
        carried, found = carried_rule(policy, rule, hosts, mesh.port, identities)
        plan.pieces.append(Piece(policy, rule, number, carried, found))


def _open_hosts(applying: list[tuple[AuthorizationPolicy, tuple[str, ...]]], mesh: Mesh) -> tuple[str, ...]:
    """The hosts to which no policy applies that allows: Istio allows there what is not denied."""
    closed = {host for policy, hosts in applying if policy.action == "ALLOW" and not policy.dry_run for host in hosts}
    return tuple(workload.host for workload in mesh.workloads if workload.host not in closed)


def _trust_domains(policies: list[AuthorizationPolicy], mesh: Mesh) -> tuple[str, ...]:
    """The domain of the mesh, then those that principals name."""
    lists: list[Texts] = []
    for rule in (rule for policy in policies for rule in policy.rules):
        lists += [source[name] for source in rule.sources for name in ("principals", "notPrincipals") if name in source]
        for condition in rule.conditions:
            if condition.key.text == "source.principal":
                lists += [condition.values, condition.not_values]
    named = [text.text.partition("/")[0] for texts in lists for text in texts if "/" in text.text]
    foreign = [name for name in named if TRUST_DOMAIN.fullmatch(name) and name != ISTIO_DEFAULT_DOMAIN]
    return tuple(dict.fromkeys([mesh.trust_domain, *foreign]))
