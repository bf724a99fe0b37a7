"""deploy/kubernetes: the manifests agree with each other, with the code, and with what peergate promises."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from peergate.cli import run
from peergate.exit_code import ExitCode
from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress
from runtime.limits import END_GRACE_SECONDS, LOG_CLOSE_SECONDS
from runtime.live_policy import loaded_from_reading
from runtime.ops import ops_app
from runtime.policy_source import PolicySource
from runtime.process_status import ServiceStatus
from runtime.settings import key_of
from tests.deploy.extauth_arguments import configuration_from_arguments
from tests.deploy.files import KUBERNETES, ROOT, Manifest, container_of, document, manifests, named
from tests.deploy.kubernetes_models import mistakes, model_of
from tests.deploy.mounted_volume import mount
from tests.deploy.project import project_version

ALL = manifests(KUBERNETES)
KUSTOMIZATION = document(KUBERNETES / "kustomization.yaml")
DEPLOYMENT = named(ALL, "Deployment", "peergate-extauth")
POD = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER = container_of(DEPLOYMENT)
POD_LABELS = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
CONFIGURATION = configuration_from_arguments(CONTAINER["args"])
BUILT_IN = [one for one in ALL if one["kind"] != "Certificate"]


def _names(found: list[Manifest]) -> list[str]:
    return [f"{one['kind']}-{one['metadata']['name']}" for one in found]


def _selectors() -> list[tuple[str, dict[str, str]]]:
    found = [(f"Service {one['metadata']['name']}", one["spec"]["selector"]) for one in ALL if one["kind"] == "Service"]
    found += [
        ("Deployment", DEPLOYMENT["spec"]["selector"]["matchLabels"]),
        (
            "PodDisruptionBudget",
            named(ALL, "PodDisruptionBudget", "peergate-extauth")["spec"]["selector"]["matchLabels"],
        ),
        ("NetworkPolicy", named(ALL, "NetworkPolicy", "peergate-extauth")["spec"]["podSelector"]["matchLabels"]),
    ]
    found += [("spread", spread["labelSelector"]["matchLabels"]) for spread in POD["topologySpreadConstraints"]]
    return found


def _port(name: str) -> int:
    (port,) = [port["containerPort"] for port in CONTAINER["ports"] if port["name"] == name]
    assert isinstance(port, int)
    return port


def _tcp(address: object) -> TcpAddress:
    assert isinstance(address, TcpAddress)
    return address


@pytest.mark.parametrize("manifest", BUILT_IN, ids=_names(BUILT_IN))
def test_every_field_is_one_that_kubernetes_knows(manifest: Manifest) -> None:
    assert list(mistakes(model_of(manifest["apiVersion"], manifest["kind"]), manifest)) == []


def test_no_two_manifests_have_one_kind_and_name() -> None:
    assert len(set(_names(ALL))) == len(ALL)


def test_everything_is_in_the_namespace_that_is_made() -> None:
    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for one in ALL} == {"peergate"}
    assert {maker["namespace"] for maker in KUSTOMIZATION["configMapGenerator"]} == {"peergate"}


def test_the_namespace_refuses_pods_with_more_rights_than_restricted() -> None:
    assert (
        named(ALL, "Namespace", "peergate")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    )


def test_the_kustomization_applies_every_manifest_but_the_one_that_needs_cert_manager() -> None:
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == there - {"certificate.yaml"}


@pytest.mark.parametrize(("what", "labels"), _selectors(), ids=[what for what, _ in _selectors()])
def test_every_selector_finds_the_pods(what: str, labels: dict[str, str]) -> None:
    assert labels
    assert labels.items() <= POD_LABELS.items()


def test_the_image_has_the_version_of_this_tree() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert image["name"] == CONTAINER["image"]
    assert image["newTag"] == project_version()


# Ports and flags ------------------------------------------------------------------------------------------------------


def test_the_listener_is_the_port_that_is_named_grpc() -> None:
    assert _tcp(CONFIGURATION.listen) == TcpAddress("0.0.0.0", _port("grpc"))


def test_the_ops_listener_is_the_port_that_is_named_ops() -> None:
    assert _tcp(CONFIGURATION.ops) == TcpAddress("0.0.0.0", _port("ops"))


@pytest.mark.parametrize("name", ["peergate-extauth", "peergate-extauth-pods"])
def test_a_service_leads_to_the_listener_under_the_same_number_and_says_that_it_is_grpc(name: str) -> None:
    (port,) = named(ALL, "Service", name)["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["appProtocol"]) == (_port("grpc"), "grpc", "grpc")


def test_envoys_outside_of_a_mesh_find_the_pods_themselves() -> None:
    assert named(ALL, "Service", "peergate-extauth-pods")["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
)
def test_a_probe_asks_what_the_ops_listener_serves(probe: str, path: str) -> None:
    app = ops_app(lambda: ServiceStatus((), observe=False), CollectorRegistry())
    served = {route.path for route in app.routes if isinstance(route, Route)}
    assert CONTAINER[probe]["httpGet"] == {"path": path, "port": "ops"}
    assert path in served


def test_prometheus_is_told_where_the_metrics_are() -> None:
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(_port("ops"))
    assert annotations["prometheus.io/path"] == "/metrics"


def test_nothing_is_observed_only() -> None:
    assert CONFIGURATION.observe is False


def test_the_listener_lets_in_only_callers_with_a_certificate() -> None:
    assert CONFIGURATION.tls_cert
    assert CONFIGURATION.tls_key
    assert CONFIGURATION.tls_client_ca


# What is mounted ------------------------------------------------------------------------------------------------------


def _mount_of(path: str) -> tuple[Manifest, Manifest]:
    """The mount that `path` lies in, and its volume."""
    (mounted,) = [one for one in CONTAINER["volumeMounts"] if Path(path).is_relative_to(one["mountPath"])]
    (volume,) = [one for one in POD["volumes"] if one["name"] == mounted["name"]]
    return mounted, volume


def _generated() -> dict[str, dict[str, str]]:
    """ConfigMap name -> key -> content, as kustomize makes them."""
    return {
        maker["name"]: {Path(file).name: (KUBERNETES / file).read_text(encoding="utf-8") for file in maker["files"]}
        for maker in KUSTOMIZATION["configMapGenerator"]
    }


def _policy_files() -> dict[str, str]:
    """Path in the volume -> content."""
    mounted, volume = _mount_of(CONFIGURATION.policy)
    assert mounted["mountPath"] == CONFIGURATION.policy
    files = {}
    for source in volume["projected"]["sources"]:
        content = _generated()[source["configMap"]["name"]]
        items = source["configMap"].get("items") or [{"key": key, "path": key} for key in content]
        files.update({item["path"]: content[item["key"]] for item in items})
    return files


def _loaded(folder: Path) -> PolicySet:
    loaded = loaded_from_reading(PolicySource(str(folder)).reading())
    assert loaded.problems == ()
    assert loaded.policy is not None
    return loaded.policy


def test_the_mounted_folder_is_a_policy_that_loads(tmp_path: Path) -> None:
    mount(tmp_path, _policy_files())
    assert _loaded(tmp_path).rule_ids


def test_a_swap_of_the_mounted_folder_is_another_generation(tmp_path: Path) -> None:
    files = _policy_files()
    mount(tmp_path, files)
    before = _loaded(tmp_path).generation
    mount(tmp_path, files | {"policy.yaml": files["policy.yaml"].replace("[GET, HEAD]", "[GET]")})
    assert _loaded(tmp_path).generation != before


def test_nothing_is_mounted_by_sub_path_as_kubernetes_never_updates_that() -> None:
    assert not [one for one in CONTAINER["volumeMounts"] if "subPath" in one or "subPathExpr" in one]


def test_a_config_map_keeps_its_name_when_the_policy_changes() -> None:
    assert KUSTOMIZATION["generatorOptions"]["disableNameSuffixHash"] is True


def test_the_listener_finds_its_certificate_in_the_secret_that_cert_manager_writes() -> None:
    certificate = document(KUBERNETES / "certificate.yaml")
    for path in (CONFIGURATION.tls_cert, CONFIGURATION.tls_key, CONFIGURATION.tls_client_ca):
        assert path is not None
        mounted, volume = _mount_of(path)
        assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
        assert Path(path).relative_to(mounted["mountPath"]).name in {"tls.crt", "tls.key", "ca.crt"}


def test_the_certificate_has_the_names_of_both_services() -> None:
    names = set(document(KUBERNETES / "certificate.yaml")["spec"]["dnsNames"])
    for service in ("peergate-extauth", "peergate-extauth-pods"):
        assert {f"{service}.peergate.svc", f"{service}.peergate.svc.cluster.local"} <= names


def test_what_is_written_is_written_to_memory() -> None:
    _, volume = _mount_of("/tmp/peergate-x")
    assert volume["emptyDir"]["medium"] == "Memory"
    assert [one["name"] for one in CONTAINER["volumeMounts"] if not one.get("readOnly")] == [volume["name"]]


# The policy -----------------------------------------------------------------------------------------------------------


def test_the_policy_is_the_one_of_the_library() -> None:
    library = ROOT / "policies" / "library" / "service-to-service"
    for name in ("policy.yaml", "policy.test.yaml"):
        assert document(KUBERNETES / "policy" / name) == document(library / name), f"copy {name} from {library}"
    anchor = Path("pki") / "mesh-root.pem"
    assert (KUBERNETES / "policy" / anchor).read_bytes() == (library / anchor).read_bytes()


def test_the_policy_passes_its_tests(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["policy", "test", str(KUBERNETES / "policy")])
    assert code == ExitCode.FINE, capsys.readouterr().out


# How it lives ---------------------------------------------------------------------------------------------------------


def test_a_pod_gets_more_time_to_end_than_it_takes() -> None:
    takes = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    takes += CONFIGURATION.drain_seconds + LOG_CLOSE_SECONDS + 2 * END_GRACE_SECONDS
    assert POD["terminationGracePeriodSeconds"] > takes


def test_an_upgrade_never_takes_a_pod_away_before_another_is_ready() -> None:
    assert DEPLOYMENT["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_autoscaler_owns_the_number_of_pods() -> None:
    scaled = named(ALL, "HorizontalPodAutoscaler", "peergate-extauth")["spec"]
    assert "replicas" not in DEPLOYMENT["spec"]
    assert scaled["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    assert scaled["scaleTargetRef"]["apiVersion"] == DEPLOYMENT["apiVersion"]
    assert [metric["containerResource"]["container"] for metric in scaled["metrics"]] == [CONTAINER["name"]]


def test_a_node_drain_leaves_pods_that_answer() -> None:
    budget = named(ALL, "PodDisruptionBudget", "peergate-extauth")["spec"]
    least = named(ALL, "HorizontalPodAutoscaler", "peergate-extauth")["spec"]["minReplicas"]
    assert 0 < budget["maxUnavailable"] < least


def test_no_cpu_limit_slows_a_pod_down_below_the_patience_of_envoy() -> None:
    assert "cpu" not in CONTAINER["resources"]["limits"]
    assert "memory" in CONTAINER["resources"]["limits"]


# What it may not ------------------------------------------------------------------------------------------------------


def test_the_pod_has_the_rights_of_an_ordinary_user_without_any() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] > 0
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_has_no_token_for_the_api_server() -> None:
    assert POD["automountServiceAccountToken"] is False
    assert named(ALL, "ServiceAccount", POD["serviceAccountName"])["automountServiceAccountToken"] is False


def test_no_variables_come_from_services_of_the_namespace() -> None:
    assert POD["enableServiceLinks"] is False


def test_no_setting_comes_from_anywhere_but_the_arguments() -> None:
    assert "env" not in CONTAINER
    assert "envFrom" not in CONTAINER
    assert not [argument for argument in CONTAINER["args"] if argument.startswith(f"--{key_of('config')}")]


def test_the_network_policy_opens_no_port_but_those_of_the_container_and_lets_nothing_out() -> None:
    spec: dict[str, Any] = named(ALL, "NetworkPolicy", "peergate-extauth")["spec"]
    opened = [port["port"] for rule in spec["ingress"] for port in rule["ports"]]
    assert sorted(opened) == sorted(port["name"] for port in CONTAINER["ports"])
    assert all(rule["from"] for rule in spec["ingress"])
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == []
