"""What AuthorizationPolicies leave to the mesh that they are written for, and an import must be told."""

from dataclasses import dataclass

from policies.authoring.istio.callers import ISTIO_DEFAULT_DOMAIN
from policies.authoring.istio.workload import Workload

#: Istio's own name for the namespace whose policies are for every workload.
ROOT_NAMESPACE = "istio-system"


@dataclass(frozen=True, slots=True)
class Mesh:
    """The workloads that the policy is for, and the settings of their mesh.

    `port`: the one port that these workloads serve on, None if that is not said. `anchors`: the PEM file of the CA of
    `trust_domain`, relative to the policy; None: one named after the domain.
    """

    workloads: tuple[Workload, ...]
    trust_domain: str = ISTIO_DEFAULT_DOMAIN
    root_namespace: str = ROOT_NAMESPACE
    port: int | None = None
    anchors: str | None = None
