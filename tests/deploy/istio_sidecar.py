"""An inbound listener as istiod generates it from deploy/istio, for a stock Envoy.

What Istio makes of a CUSTOM policy and a gRPC provider (pilot/pkg/security/authz/builder): an RBAC filter whose shadow
rules only note in dynamic metadata which policy matched, and an ext_authz filter that asks where that note begins with
the provider's name. An EnvoyFilter with MERGE is a protobuf merge into what is there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.deploy.files import ISTIO, Manifest, document
from tests.support.front import Front

_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_MATCHES_ALL: Manifest = {"permissions": [{"any": True}], "principals": [{"any": True}]}


def istio_filters(rules: Sequence[Manifest]) -> list[Manifest]:
    """The two HTTP filters of `authorization-policy.yaml` with these rules, each without conditions."""
    policy = document(ISTIO / "protect" / "authorization-policy.yaml")
    namespace = document(ISTIO / "protect" / "kustomization.yaml")["namespace"]
    (provider,) = document(ISTIO / "istiod-values.yaml")["meshConfig"]["extensionProviders"]
    assert policy["spec"]["provider"]["name"] == provider["name"]
    asked = provider["envoyExtAuthzGrpc"]
    prefix = f"istio-ext-authz-{provider['name']}"
    name = f"{prefix}-ns[{namespace}]-policy[{policy['metadata']['name']}]-rule"
    note = "istio_ext_authz_shadow_effective_policy_id"
    return [
        {
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": f"{_TYPES}.rbac.v3.RBAC",
                "shadow_rules": {
                    "action": "DENY",
                    "policies": {f"{name}[{position}]": _MATCHES_ALL for position, _ in enumerate(rules)},
                },
                "shadow_rules_stat_prefix": "istio_ext_authz_",
            },
        },
        {
            "name": "envoy.filters.http.ext_authz",
            "typed_config": {
                "@type": f"{_TYPES}.ext_authz.v3.ExtAuthz",
                "transport_api_version": "V3",
                "failure_mode_allow": asked["failOpen"],
                "status_on_error": {"code": {"403": "Forbidden"}[asked["statusOnError"]]},
                "grpc_service": {
                    "envoy_grpc": {"cluster_name": cluster_name(), "authority": asked["service"].partition("/")[2]},
                    # The 0.2 s that are written are checked elsewhere; a busy machine must not decide a test.
                    "timeout": "5s",
                },
                "filter_enabled_metadata": {
                    "filter": "envoy.filters.http.rbac",
                    "path": [{"key": note}],
                    "value": {"string_match": {"prefix": prefix}},
                },
            },
        },
    ]


def cluster_name() -> str:
    """The cluster that Istio makes of the provider's service."""
    (provider,) = document(ISTIO / "istiod-values.yaml")["meshConfig"]["extensionProviders"]
    asked = provider["envoyExtAuthzGrpc"]
    return f"outbound|{asked['port']}||{asked['service'].partition('/')[2]}"


def apply_envoy_filter(manager: Manifest, name: str) -> None:
    """Merge the patches of deploy/istio/protect/`name` into a network filter, the connection manager."""
    for patch in document(ISTIO / "protect" / name)["spec"]["configPatches"]:
        wanted = patch["match"]["listener"]["filterChain"]["filter"]
        assert patch["patch"]["operation"] == "MERGE"
        assert wanted["name"] == manager["name"]
        targets = [manager]
        if patch["applyTo"] == "HTTP_FILTER":
            filters = manager["typed_config"]["http_filters"]
            targets = [one for one in filters if one["name"] == wanted["subFilter"]["name"]]
        for target in targets:
            _merge(target, patch["patch"]["value"])


def sidecar_bootstrap(settings: EnvoySettings, *, rules: Sequence[Manifest], envoy_filters: Sequence[str]) -> Any:
    """Our bootstrap with everything that decides about a request replaced by what Istio generates."""
    bootstrap: Any = bootstrap_from_settings(settings)
    (listener,) = bootstrap["static_resources"]["listeners"]
    (manager,) = listener["filter_chains"][0]["filters"]
    config = manager["typed_config"]
    config["forward_client_cert_details"] = "APPEND_FORWARD"
    config["set_current_client_cert_details"] = {"subject": True, "dns": True, "uri": True}
    config["normalize_path"] = True
    config["use_remote_address"] = False
    config["http_filters"] = [*istio_filters(rules), config["http_filters"][-1]]
    cluster = bootstrap["static_resources"]["clusters"][0]
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = cluster_name()
    for name in envoy_filters:
        apply_envoy_filter(manager, name)
    return bootstrap


@contextmanager
def sidecar(
    envoy_binary: Path,
    extauth: UnixAddress,
    mesh_ca: bytes,
    folder: Path,
    *,
    rules: Sequence[Manifest],
    envoy_filters: Sequence[str],
) -> Iterator[Front]:
    """A running one, that requires a certificate of the mesh (STRICT) and asks at `extauth`."""
    server = Authority.root("front").issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "mesh.pem": mesh_ca}.items():
        (folder / name).write_bytes(content)
    with EchoUpstream() as upstream:
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(folder / "s.pem", folder / "s.key", client_cas=folder / "mesh.pem"),
            authorization=Authorization(extauth),
            upstream=TcpAddress("127.0.0.1", upstream.port),
            admin=UnixAddress(str(folder / "admin.sock")),
        )
        bootstrap = sidecar_bootstrap(settings, rules=rules, envoy_filters=envoy_filters)
        with EnvoyProcess.run(envoy_binary, bootstrap, settings.admin, folder) as envoy:
            yield Front((envoy.address.host, envoy.address.port), folder / "ca.pem", upstream, envoy)


def _merge(into: Manifest, patch: Manifest) -> None:
    """A protobuf merge: messages are merged field by field, other fields replaced."""
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
