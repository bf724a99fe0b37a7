"""A mesh whose proxies ask peergate about every request: what deploy/istio has for whole namespaces, for some pods.

Istio's own extension provider and a CUSTOM policy ask; an EnvoyFilter shows peergate the certificate, for which Istio
has no setting.
"""

from collections.abc import Iterator, Sequence

from extauth.istio.manifest import NETWORKING, SECURITY, Manifest, Resource, named
from extauth.istio.names import names_of_pods, pods_text
from policies.authoring.istio.exporting.exporting import Pods
from runtime.envoy.limits import AUTHORIZATION_SECONDS
from runtime.envoy.proto_json import seconds

PROVIDER = "peergate"
#: The Service of deploy/kubernetes.
SERVICE_NAMESPACE, SERVICE, SERVICE_PORT = "peergate", "peergate-extauth.peergate.svc.cluster.local", 9191
_HEAD = """Exported by `peergate policy export istio --form ext-authz`. Istio asks peergate about every request to:

{workloads}

The mesh must know the provider `{provider}` (`--form mesh-config`), and peergate must be there (deploy/istio): until
then every request to these pods is refused. Where callers' certificates come with intermediates that the policy does
not list, apply deploy/istio/protect/peer-chain.yaml as well."""
_ASKED = """Ask peergate about every request. Istio judges CUSTOM, then DENY, then ALLOW: requests pass them all.
WITHOUT a rule this policy would match nothing, and peergate would never be asked."""
_CERTIFICATE = "Shows peergate the certificate: without it every request that came with one is refused."
_STRICT = "Callers without a certificate are turned away."
_PERMISSIVE = (
    "Callers without a certificate may come in, as the policy has a rule about them; peergate judges them, too."
)
_MESH_CONFIG = """Helm values of istiod, by `peergate policy export istio --form mesh-config`: where peergate answers,
and that no answer means no. Helm replaces lists: put this provider into the list of those you have.
helm upgrade istiod istio/istiod --namespace istio-system --reuse-values --values FILE"""


def mesh_config() -> Manifest:
    """Helm values of istiod that name peergate as an extension provider."""
    asked: Resource = {
        "service": f"{SERVICE_NAMESPACE}/{SERVICE}",
        "port": SERVICE_PORT,
        "timeout": seconds(AUTHORIZATION_SECONDS),
        "failOpen": False,
        "statusOnError": "403",
    }
    return Manifest(
        _MESH_CONFIG, {"meshConfig": {"extensionProviders": [{"name": PROVIDER, "envoyExtAuthzGrpc": asked}]}}
    )


def asking_form(pods: Sequence[Pods], *, admits_plaintext: bool) -> tuple[str, list[Manifest]]:
    """A head, and every resource. `admits_plaintext`: some rule allows callers without a certificate."""
    workloads = "\n".join(f"  {pods_text(each)}" for each in pods)
    head = _HEAD.format(workloads=workloads, provider=PROVIDER)
    return head, [
        manifest
        for name, each in zip(names_of_pods(pods), pods, strict=True)
        for manifest in _manifests(name, each, admits_plaintext=admits_plaintext)
    ]


def _manifests(name: str, pods: Pods, *, admits_plaintext: bool) -> Iterator[Manifest]:
    mode = "PERMISSIVE" if admits_plaintext else "STRICT"
    comment = _PERMISSIVE if admits_plaintext else _STRICT
    yield Manifest(comment, named(SECURITY, "PeerAuthentication", name, pods, {"mtls": {"mode": mode}}))
    yield peer_certificate(f"{name}-peer-certificate", pods)
    asked: Resource = {"action": "CUSTOM", "provider": {"name": PROVIDER}, "rules": [{}]}
    yield Manifest(_ASKED, named(SECURITY, "AuthorizationPolicy", name, pods, asked))


def peer_certificate(name: str, pods: Pods) -> Manifest:
    """The EnvoyFilter that lets Istio's own ext_authz filter at `pods` show the certificate, and headers as bytes."""
    ext_authz = "envoy.filters.http.ext_authz"
    config: Resource = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "include_peer_certificate": True,
        "include_tls_session": True,
        "encode_raw_headers": True,
        "validate_mutations": True,
    }
    manager: Resource = {
        "name": "envoy.filters.network.http_connection_manager",
        "subFilter": {"name": ext_authz},
    }
    patch: Resource = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": manager}}},
        "patch": {"operation": "MERGE", "value": {"name": ext_authz, "typed_config": config}},
    }
    spec: Resource = {"configPatches": [patch]}
    return Manifest(_CERTIFICATE, named(NETWORKING, "EnvoyFilter", name, pods, spec, selector="workloadSelector"))
