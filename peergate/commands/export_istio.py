"""`peergate policy export istio`: the policy as resources of an Istio mesh."""

import sys
from collections.abc import Sequence

from extauth.istio.asking_form import SERVICE_NAMESPACE, asking_form, mesh_config
from extauth.istio.authorization_form import authorization_form
from extauth.istio.manifest import text_from_manifests
from peergate.commands.istio_hosts import workloads_from_hosts
from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import IstioForm
from peergate.loading import loaded_policy, print_unusable
from peergate.reports.problems import problem_text
from policies.authoring.istio.exporting.exporting import Exported, exported_from_policy, pods_of_workloads
from policies.authoring.istio.mesh import ROOT_NAMESPACE
from policies.authoring.istio.workload import Workload


def export_istio(path: str, hosts: Sequence[str], form: IstioForm) -> ExitCode:
    """Print the resources as YAML. What Istio cannot say exactly is a problem, and nothing is printed.

    Raises ArgumentError.
    """
    workloads = _workloads(hosts, form)
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    if form is IstioForm.MESH_CONFIG:
        head, manifests = "", [mesh_config()]
    elif form is IstioForm.EXT_AUTHZ:
        pods = pods_of_workloads(workloads)
        head, manifests = asking_form(pods, admits_plaintext=loaded.policy.allows_unauthenticated)
    else:
        exported = exported_from_policy(loaded.policy, loaded.reading.files, workloads)
        _print_notes(exported)
        if exported.problems:
            return ExitCode.NO
        head, manifests = authorization_form(exported, loaded.policy.generation)
    sys.stdout.write(text_from_manifests(head, manifests))
    return ExitCode.FINE


def _print_notes(exported: Exported) -> None:
    console = stderr()
    for problem in exported.problems:
        console.print(problem_text(problem), soft_wrap=True)
    for note in exported.notes:
        console.print(styled(f"note: {note}"), soft_wrap=True)
    if exported.problems:
        said = "nothing was exported: Istio cannot decide as this policy does; --form ext-authz lets it ask peergate"
        console.print(styled((said, "bold red")), soft_wrap=True)


def _workloads(hosts: Sequence[str], form: IstioForm) -> tuple[Workload, ...]:
    workloads = workloads_from_hosts(hosts)
    if form is IstioForm.MESH_CONFIG:
        if workloads:
            raise ArgumentError("--host names pods that are protected; --form mesh-config is about the whole mesh")
        return ()
    if not workloads:
        raise ArgumentError("name each host and the pods behind it: --host HOST=NAMESPACE,LABEL=VALUE")
    for at, workload in enumerate(workloads):
        _check_namespace(workload, form)
        for other in workloads[:at]:
            _check_apart(workload, other)
    return workloads


def _check_namespace(workload: Workload, form: IstioForm) -> None:
    if workload.host.startswith("["):
        raise ArgumentError(
            f"--host: {workload.host} can be written in several ways, which Istio tells apart; use a name"
        )
    if workload.namespace == ROOT_NAMESPACE:
        said = f"--host: what stands in {ROOT_NAMESPACE} is for every workload of the mesh"
        raise ArgumentError(f"{said}; name the namespace of the pods")
    if form is IstioForm.EXT_AUTHZ and workload.namespace == SERVICE_NAMESPACE:
        said = f"--host: the proxies of {SERVICE_NAMESPACE} would ask peergate whether peergate may be asked"
        raise ArgumentError(f"{said}; name the pods that peergate protects")


def _check_apart(one: Workload, other: Workload) -> None:
    """Raise ArgumentError if some pods may be behind both and yet are not the same: two settings would meet there."""
    if one.namespace != other.namespace or one.labels == other.labels:
        return
    if not any(other.labels.get(name, value) != value for name, value in one.labels.items()):
        said = f"--host: `{other}` and `{one}` may be the same pods"
        raise ArgumentError(f"{said}; give both a label of one name, with another value each, or the same labels")
