"""Law 4 through a real Envoy: a bad reload keeps the last good policy; with none ever, everything is denied."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.envoy.ext_authz import Authorization
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import Front, front
from tests.support.mesh import POLICY, Mesh, mesh_in

BROKEN = (
    "version: 1\nrules: [{id: x, alow: y, to: any}]\n",
    "\0\0\0",
    "",
    "- [",
    POLICY.replace("pki/mesh.pem", "pki/gone.pem"),
)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    return mesh_in(tmp_path_factory.mktemp("mesh"))


@pytest.fixture(scope="module")
def running(mesh: Mesh) -> Iterator[ExtauthProcess]:
    with ExtauthProcess.start(mesh.policy, mesh.folder) as started:
        yield started


@pytest.fixture(scope="module")
def served(running: ExtauthProcess, mesh: Mesh, envoy_binary: Path) -> Iterator[Front]:
    with front(envoy_binary, Authorization(running.listen, timeout=5), mesh.folder) as started:
        yield started


@pytest.fixture
def service(running: ExtauthProcess, mesh: Mesh) -> ExtauthProcess:
    """The service on the good policy, whatever a test before did to it."""
    mesh.write(POLICY)
    generation = mesh.loaded().generation
    running.wait_for(lambda status: not status["problems"] and status["generation"] == generation)
    return running


@pytest.mark.parametrize("text", BROKEN, ids=["unknown key", "no text", "empty", "no YAML", "no anchor"])
def test_a_corrupt_file_keeps_the_last_good_policy_and_readiness_says_so(
    text: str, service: ExtauthProcess, served: Front, mesh: Mesh
) -> None:
    before = service.status()["generation"]
    mesh.write(text)
    service.wait_for(lambda status: bool(status["problems"]))
    ready, status = service.ready()
    assert ready
    assert (status["state"], status["generation"]) == ("last_good", before)
    assert "policy.yaml:" in status["problems"][0]
    assert mesh.get(served).status == 200
    assert mesh.get(served, b"/elsewhere").reason == "no_matching_rule"


def test_a_removed_file_keeps_the_last_good_policy(service: ExtauthProcess, served: Front, mesh: Mesh) -> None:
    (mesh.policy / "policy.yaml").unlink()
    service.wait_for(lambda status: bool(status["problems"]))
    assert service.ready()[0]
    assert mesh.get(served).status == 200


def test_a_mended_file_is_in_force_and_the_problem_gone(service: ExtauthProcess, served: Front, mesh: Mesh) -> None:
    mesh.write(BROKEN[0])
    service.wait_for(lambda status: bool(status["problems"]))
    mesh.write(POLICY + "  - {id: shut, deny: billing, to: any}\n")
    service.wait_for(lambda status: not status["problems"])
    assert mesh.get(served).reason == "denied_by_rule"


@pytest.mark.parametrize("text", BROKEN[:2], ids=["unknown key", "no text"])
def test_a_first_start_without_a_valid_policy_is_not_ready_and_denies_everything(
    text: str, tmp_path: Path, envoy_binary: Path
) -> None:
    mesh = mesh_in(tmp_path)
    mesh.write(text)
    with ExtauthProcess.start(mesh.policy, mesh.folder) as service:
        ready, status = service.ready()
        assert not ready
        assert (status["state"], status["generation"]) == ("unavailable", None)
        assert status["problems"]
        with front(envoy_binary, Authorization(service.listen, timeout=5), mesh.folder) as served:
            answer = mesh.get(served)
            assert (answer.status, answer.reason) == (403, "policy_unavailable")
            mesh.write(POLICY)
            service.wait_for(lambda status: status["ready"])
            assert mesh.get(served).status == 200
