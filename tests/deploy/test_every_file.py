"""Every file of deploy/ is known to a test: nothing lies there that nobody loads."""

import re
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, documents

#: What is applied to a cluster, by `apiVersion` and `kind`.
KINDS = {
    ("v1", "Namespace"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("cert-manager.io/v1", "Certificate"),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
}
#: YAML that is no manifest, with the test that loads it.
OTHER_YAML = {
    "envoy/envoy-grpc.yaml": "test_envoy.py",
    "envoy/envoy-http.yaml": "test_envoy.py",
    "istio/istiod-values.yaml": "test_istio.py",
    "kubernetes/policy/policy.yaml": "test_kubernetes.py",
    "kubernetes/policy/policy.test.yaml": "test_kubernetes.py",
    "traefik/peergate.yaml": "forward_auth/test_callers.py",
    "traefik/traefik.yaml": "forward_auth/test_callers.py",
}
#: Everything else, with the test that loads it.
OTHER_FILES = {
    "caddy/Caddyfile": "forward_auth/test_callers.py",
    "docker/Dockerfile": "test_docker.py",
    "docker/build.lock": "test_docker.py",
    "docker/runtime.lock": "test_docker.py",
    "haproxy/haproxy.cfg": "forward_auth/test_callers.py",
    "haproxy/peergate.lua": "forward_auth/test_callers.py",
    "kubernetes/policy/pki/mesh-root.pem": "test_kubernetes.py",
    "nginx/nginx.conf": "forward_auth/test_callers.py",
    "nginx/peergate/ask.conf": "forward_auth/test_callers.py",
    "nginx/peergate/remove.conf": "forward_auth/test_callers.py",
    "nginx/peergate/upstream.conf": "forward_auth/test_callers.py",
    "systemd/peergate-extauth.service": "test_systemd.py",
    "systemd/peergate.sysusers.conf": "test_systemd.py",
}
FILES = sorted(path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file())
MANIFESTS = [name for name in FILES if name.endswith(".yaml") and name not in OTHER_YAML]
GUIDES = [*(DEPLOY / name for name in FILES if name.endswith("README.md")), ROOT / "docs" / "deploy.md"]


def test_there_is_no_file_that_no_test_loads() -> None:
    loaded = {*MANIFESTS, *OTHER_YAML, *OTHER_FILES, *(name for name in FILES if name.endswith("README.md"))}
    assert set(FILES) == loaded
    tests = Path(__file__).parent
    assert all((tests / test).is_file() for test in {*OTHER_YAML.values(), *OTHER_FILES.values()})


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_of_a_known_version_and_kind(name: str) -> None:
    for manifest in documents(DEPLOY / name):
        assert (manifest["apiVersion"], manifest["kind"]) in KINDS


@pytest.mark.parametrize("name", FILES)
def test_a_file_ends_with_a_line_end_and_has_no_tabs_or_trailing_blanks(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not re.search(r"\t|[ \t]+$", text, re.MULTILINE)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(ROOT)))
def test_a_guide_links_to_files_that_exist(guide: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", guide.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (guide.parent / link).exists()] == []


@pytest.mark.parametrize("folder", sorted(path.name for path in DEPLOY.iterdir() if path.is_dir()))
def test_the_guide_names_every_folder(folder: str) -> None:
    assert f"({folder}/" in (DEPLOY / "README.md").read_text(encoding="utf-8")
