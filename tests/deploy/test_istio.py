"""deploy/istio: the files agree with each other, with deploy/kubernetes, and with the names that Istio generates."""

from typing import Any

import pytest

from extauth.istio.asking_form import asking_form, mesh_config
from policies.authoring.istio.exporting.exporting import Pods
from runtime.envoy.limits import AUTHORIZATION_SECONDS
from tests.deploy.extauth_arguments import configuration_from_arguments
from tests.deploy.files import ISTIO, KUBERNETES, Manifest, container_of, document, every_mapping, manifests, named

(PROVIDER,) = document(ISTIO / "istiod-values.yaml")["meshConfig"]["extensionProviders"]
SERVICE = manifests(ISTIO / "service")
PROTECT = manifests(ISTIO / "protect")
BASE = manifests(KUBERNETES)
BASE_DEPLOYMENT = named(BASE, "Deployment", "peergate-extauth")
PATCH = document(ISTIO / "service" / "deployment.yaml")
CONFIGURATION = configuration_from_arguments(container_of(PATCH)["args"])
BASE_CONFIGURATION = configuration_from_arguments(container_of(BASE_DEPLOYMENT)["args"])
CUSTOM = named(PROTECT, "AuthorizationPolicy", "peergate")["spec"]
CALLERS = named(SERVICE, "AuthorizationPolicy", "peergate-callers")["spec"]
PROTECTED = document(ISTIO / "protect" / "kustomization.yaml")["namespace"]


def _service() -> Manifest:
    namespace, _, host = PROVIDER["envoyExtAuthzGrpc"]["service"].partition("/")
    found = named(BASE, "Service", host.split(".")[0])
    assert host == f"{found['metadata']['name']}.{namespace}.svc.cluster.local"
    assert found["metadata"]["namespace"] == namespace
    return found


# What `peergate policy export istio --form ext-authz` prints is what stands here --------------------------------------


def test_the_files_are_what_the_export_prints_for_a_whole_namespace() -> None:
    _, written = asking_form([Pods(PROTECTED, {}, ("h.example",))], admits_plaintext=False)
    exported = {each.resource["kind"]: each.resource for each in written}
    for name in document(ISTIO / "protect" / "kustomization.yaml")["resources"]:
        # The namespace of these files is that of their kustomization.
        one = document(ISTIO / "protect" / name)
        assert {**one, "metadata": {**one["metadata"], "namespace": PROTECTED}} == exported.pop(one["kind"])
    assert exported == {}


def test_the_helm_values_are_what_the_export_prints() -> None:
    assert document(ISTIO / "istiod-values.yaml") == mesh_config().resource


# The extension provider -----------------------------------------------------------------------------------------------


def test_the_provider_is_the_service_and_its_port() -> None:
    (port,) = _service()["spec"]["ports"]
    assert PROVIDER["envoyExtAuthzGrpc"]["port"] == port["port"]


def test_what_cannot_be_asked_is_refused() -> None:
    assert PROVIDER["envoyExtAuthzGrpc"]["failOpen"] is False
    assert PROVIDER["envoyExtAuthzGrpc"]["statusOnError"] == "403"


def test_istio_waits_as_long_as_our_own_envoy_and_not_ten_minutes() -> None:
    assert PROVIDER["envoyExtAuthzGrpc"]["timeout"] == f"{AUTHORIZATION_SECONDS}s"


def test_the_provider_has_fields_of_the_grpc_form_only() -> None:
    fields = {"service", "port", "timeout", "failOpen", "statusOnError", "includeRequestBodyInCheck"}
    assert set(PROVIDER) == {"name", "envoyExtAuthzGrpc"}
    assert set(PROVIDER["envoyExtAuthzGrpc"]) <= fields - {"includeRequestBodyInCheck"}


# What is protected ----------------------------------------------------------------------------------------------------


def test_the_custom_policy_names_the_provider() -> None:
    assert CUSTOM["action"] == "CUSTOM"
    assert CUSTOM["provider"] == {"name": PROVIDER["name"]}


def test_the_custom_policy_matches_every_request_of_every_workload() -> None:
    """A policy without a rule matches nothing, a rule without conditions matches everything."""
    assert CUSTOM["rules"] == [{}]
    assert "selector" not in CUSTOM
    assert "targetRefs" not in CUSTOM


def test_the_custom_policy_is_not_a_dry_run() -> None:
    assert "annotations" not in named(PROTECT, "AuthorizationPolicy", "peergate")["metadata"]


@pytest.mark.parametrize("folder", [SERVICE, PROTECT], ids=["service", "protect"])
def test_plain_text_is_turned_away(folder: list[Manifest]) -> None:
    (only,) = [one for one in folder if one["kind"] == "PeerAuthentication"]
    assert only["spec"] == {"mtls": {"mode": "STRICT"}}


def test_what_is_protected_has_no_namespace_but_the_one_of_its_kustomization() -> None:
    assert not [one for one in PROTECT if "namespace" in one["metadata"]]
    assert PROTECTED not in {"peergate", "istio-system"}


def test_the_kustomization_applies_every_file_but_the_chain_that_is_rarely_needed() -> None:
    there = {path.name for path in (ISTIO / "protect").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(document(ISTIO / "protect" / "kustomization.yaml")["resources"]) == there - {"peer-chain.yaml"}


# The EnvoyFilters -----------------------------------------------------------------------------------------------------


def _patch(name: str) -> Manifest:
    (patch,) = document(ISTIO / "protect" / name)["spec"]["configPatches"]
    assert isinstance(patch, dict)
    return patch


def test_the_certificate_is_added_to_the_filter_that_istio_generates() -> None:
    """Names: pilot/pkg/security/authz/builder; a MERGE without that filter changes nothing."""
    patch = _patch("envoy-filter.yaml")
    network = patch["match"]["listener"]["filterChain"]["filter"]
    assert patch["applyTo"] == "HTTP_FILTER"
    assert patch["patch"]["operation"] == "MERGE"
    assert network["name"] == "envoy.filters.network.http_connection_manager"
    assert network["subFilter"] == {"name": "envoy.filters.http.ext_authz"}
    assert patch["patch"]["value"]["name"] == "envoy.filters.http.ext_authz"


def test_the_certificate_the_sni_and_the_raw_headers_are_sent() -> None:
    config = _patch("envoy-filter.yaml")["patch"]["value"]["typed_config"]
    assert config["include_peer_certificate"] is True
    assert config["include_tls_session"] is True
    assert config["encode_raw_headers"] is True


def test_the_chain_replaces_what_the_caller_wrote() -> None:
    patch = _patch("peer-chain.yaml")
    config = patch["patch"]["value"]["typed_config"]
    assert patch["applyTo"] == "NETWORK_FILTER"
    assert patch["patch"]["operation"] == "MERGE"
    assert config["forward_client_cert_details"] == "SANITIZE_SET"
    assert config["set_current_client_cert_details"] == {"chain": True}


@pytest.mark.parametrize("name", ["envoy-filter.yaml", "peer-chain.yaml"])
def test_only_what_a_sidecar_receives_is_patched(name: str) -> None:
    assert _patch(name)["match"]["context"] == "SIDECAR_INBOUND"


@pytest.mark.parametrize("name", ["envoy-filter.yaml", "peer-chain.yaml"])
def test_no_patch_can_open_what_istio_closed(name: str) -> None:
    forbidden = {"failure_mode_allow", "failure_mode_allow_header_add", "filter_enabled", "filter_enabled_metadata"}
    assert not [mapping for mapping in every_mapping(_patch(name)) if forbidden & set(mapping)]


# peergate inside of the mesh ------------------------------------------------------------------------------------------


def test_the_patches_are_of_manifests_that_the_base_has() -> None:
    kustomization = document(ISTIO / "service" / "kustomization.yaml")
    patched = {patch["path"] for patch in kustomization["patches"]}
    own = set(kustomization["resources"]) - {"../../kubernetes"}
    assert patched | own == {path.name for path in (ISTIO / "service").glob("*.yaml")} - {"kustomization.yaml"}
    for name in patched:
        patch = document(ISTIO / "service" / name)
        base = named(BASE, patch["kind"], patch["metadata"]["name"])
        assert base["metadata"]["namespace"] == patch["metadata"]["namespace"]


def test_the_arguments_differ_from_those_of_the_base_by_tls_alone() -> None:
    base: Any = BASE_CONFIGURATION
    differ = {name for name in base.__dataclass_fields__ if getattr(base, name) != getattr(CONFIGURATION, name)}
    assert differ == {"tls_cert", "tls_key", "tls_client_ca"}
    assert CONFIGURATION.tls_cert is None


def test_without_tls_of_its_own_the_pod_has_a_sidecar() -> None:
    assert PATCH["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "true"


def test_the_anchor_is_the_root_that_istiod_keeps() -> None:
    volumes = {volume["name"]: volume for volume in PATCH["spec"]["template"]["spec"]["volumes"]}
    sources = {source["configMap"]["name"]: source["configMap"] for source in volumes["policy"]["projected"]["sources"]}
    assert sources["istio-ca-root-cert"]["items"] == [{"key": "root-cert.pem", "path": "pki/mesh-root.pem"}]
    assert "peergate-policy" in sources


def test_only_protected_namespaces_may_ask() -> None:
    (rule,) = CALLERS["rules"]
    assert CALLERS["action"] == "ALLOW"
    assert rule["from"] == [{"source": {"namespaces": [PROTECTED]}}]
    assert rule["to"] == [{"operation": {"ports": [str(PROVIDER["envoyExtAuthzGrpc"]["port"])]}}]


def test_the_callers_policy_selects_the_pods_and_is_in_their_namespace() -> None:
    labels = BASE_DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert CALLERS["selector"]["matchLabels"].items() <= labels.items()
    (namespace,) = {one["metadata"]["namespace"] for one in SERVICE}
    assert namespace == BASE_DEPLOYMENT["metadata"]["namespace"]


def test_the_sidecar_may_talk_to_istiod_and_to_the_resolver_and_to_nobody_else() -> None:
    spec = named(SERVICE, "NetworkPolicy", "peergate-extauth")["spec"]
    reached = {
        (rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port["port"])
        for rule in spec["egress"]
        for port in rule["ports"]
    }
    assert reached == {("istio-system", 15012), ("kube-system", 53)}


def test_the_same_namespaces_may_reach_the_port_as_in_the_base() -> None:
    base = named(BASE, "NetworkPolicy", "peergate-extauth")["spec"]["ingress"][0]
    assert named(SERVICE, "NetworkPolicy", "peergate-extauth")["spec"]["ingress"][0] == base
