"""What `kubectl kustomize` makes of the folders, where there is a kubectl."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.deploy.extauth_arguments import configuration_from_arguments
from tests.deploy.files import ISTIO, KUBERNETES, Manifest, container_of, documents_from_text, named
from tests.deploy.kubernetes_models import mistakes, model_of
from tests.deploy.project import project_version

KUBECTL = shutil.which("kubectl")
FOLDERS = [KUBERNETES, ISTIO / "service", ISTIO / "protect"]
#: Kinds of Istio, of which there is no model.
FOREIGN = {"EnvoyFilter", "AuthorizationPolicy", "PeerAuthentication"}

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl here")


@cache
def rendered(folder: Path) -> list[Manifest]:
    assert KUBECTL is not None
    finished = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    return documents_from_text(finished.stdout)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_renders_to_manifests_that_kubernetes_knows(folder: Path) -> None:
    for manifest in rendered(folder):
        if manifest["kind"] not in FOREIGN:
            assert list(mistakes(model_of(manifest["apiVersion"], manifest["kind"]), manifest)) == []


@pytest.mark.parametrize("folder", [KUBERNETES, ISTIO / "service"], ids=lambda folder: folder.name)
def test_the_image_is_pinned(folder: Path) -> None:
    image = container_of(named(rendered(folder), "Deployment", "peergate-extauth"))["image"]
    assert image == f"ghcr.io/peergate/peergate:{project_version()}"


@pytest.mark.parametrize("folder", [KUBERNETES, ISTIO / "service"], ids=lambda folder: folder.name)
def test_every_mount_has_its_volume_and_every_file_of_the_arguments_its_mount(folder: Path) -> None:
    deployment = named(rendered(folder), "Deployment", "peergate-extauth")
    container = container_of(deployment)
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    configuration = configuration_from_arguments(container["args"])
    files = [configuration.policy, configuration.tls_cert, configuration.tls_key, configuration.tls_client_ca]
    for file in files:
        assert file is None or [place for place in mounts if Path(file).is_relative_to(place)]


@pytest.mark.parametrize("folder", [KUBERNETES, ISTIO / "service"], ids=lambda folder: folder.name)
def test_every_config_map_that_is_mounted_is_made(folder: Path) -> None:
    """`istio-ca-root-cert` is made by istiod."""
    made = {one["metadata"]["name"] for one in rendered(folder) if one["kind"] == "ConfigMap"} | {"istio-ca-root-cert"}
    pod = named(rendered(folder), "Deployment", "peergate-extauth")["spec"]["template"]["spec"]
    (policy,) = [volume for volume in pod["volumes"] if volume["name"] == "policy"]
    assert {source["configMap"]["name"] for source in policy["projected"]["sources"]} <= made


def test_in_a_mesh_nothing_is_left_of_the_listeners_own_tls() -> None:
    deployment = named(rendered(ISTIO / "service"), "Deployment", "peergate-extauth")
    assert "tls" not in str(deployment["spec"]["template"]["spec"]["volumes"])
    assert configuration_from_arguments(container_of(deployment)["args"]).tls_cert is None


def test_in_a_mesh_the_rights_of_the_pod_are_those_of_the_base() -> None:
    base = named(rendered(KUBERNETES), "Deployment", "peergate-extauth")
    mesh = named(rendered(ISTIO / "service"), "Deployment", "peergate-extauth")
    assert container_of(mesh)["securityContext"] == container_of(base)["securityContext"]
    template = ("spec", "template", "spec", "securityContext")
    base_rights, mesh_rights = base, mesh
    for key in template:
        base_rights, mesh_rights = base_rights[key], mesh_rights[key]
    assert mesh_rights == base_rights


def test_everything_that_protects_is_in_the_protected_namespace() -> None:
    assert {manifest["metadata"]["namespace"] for manifest in rendered(ISTIO / "protect")} == {"prod"}
