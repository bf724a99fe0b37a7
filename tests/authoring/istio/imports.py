"""Imports for tests: policies as plain Python, what comes of them, and what the engine decides on that."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import ip_address

from pki.authority import Authority
from policies.authoring.formatting.format import formatted
from policies.authoring.istio.importing import Imported, imported_from_files
from policies.authoring.istio.mesh import Mesh
from policies.authoring.istio.workload import Workload
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.language.load import load_policy
from policies.peer.presented import NO_CERTIFICATE
from policies.reason import Effect
from tests.authoring.istio.evaluator import Call, Policy
from tests.engine.callers import NOW, NoFiles, caller

HOST = "orders.prod.svc"
WORKLOADS = (f"{HOST}=prod,app=orders",)


@cache
def _anchor(domain: str) -> bytes:
    return Authority.root(f"root of {domain}").pem


def resource(name: str, spec: Policy, namespace: str = "prod", **metadata: object) -> Policy:
    """One AuthorizationPolicy."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def mesh(workloads: Iterable[str] = WORKLOADS, **settings: object) -> Mesh:
    """What the import is told."""
    return Mesh(tuple(map(Workload.parse, workloads)), **settings)  # type: ignore[arg-type]


def imported(policies: Sequence[Policy] | str, told: Mesh | None = None) -> Imported:
    """The import of one file; policies as Python are written as JSON, which is YAML."""
    text = policies if isinstance(policies, str) else "\n---\n".join(json.dumps(policy) for policy in policies)
    return imported_from_files({"mesh.yaml": text.encode()}, told or mesh())


def loaded(text: str) -> PolicySet:
    """The policy of an imported text, which loads and is formatted."""
    assert formatted("policy.yaml", text.encode()) == (text.encode(), ())
    domains = ("cluster.local", "partner.example", "acme.internal")
    found = load_policy({"policy.yaml": text.encode()}, NoFiles({f"pki/{name}.pem": _anchor(name) for name in domains}))
    assert found.policy is not None, "\n".join([text, *map(str, found.problems)])
    return found.policy


def allows(policy: PolicySet, call: Call) -> bool:
    """Whether the engine allows the call; the trust entry of a principal is named after its trust domain."""
    domain = (call.principal or "").partition("/")[0]
    peer = caller([f"spiffe://{call.principal}"], trust=[domain]) if call.principal else NO_CERTIFICATE
    request = Request(
        peer=peer,
        method=call.method,
        target=call.path,
        host=call.host,
        headers={name: (value,) for name, value in call.headers.items()},
        seen_headers=None,
        source_ip=ip_address(call.address),
        sni=call.sni,
        time=NOW,
    )
    return evaluate(policy, request).effect is Effect.ALLOW
