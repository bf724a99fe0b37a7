"""Law 6 against 345 path normalisations that Istio expects of Envoy.

Whatever some Envoy in front of us, or behind us, would normalise to a protected path, we refuse or judge as that path.
The vectors lie beside the checkout; without them these tests are skipped.
"""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from policies.engine.errors import RequestError
from policies.engine.path import path_segments
from policies.engine.target import canonical_target
from runtime.envoy.ext_authz import Authorization
from tests.support.front import Front, front
from tests.support.local_extauth import LocalExtauth
from tests.support.mesh import POLICY, Mesh

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "istio_normalization_345.json"


OPEN_BUT_ADMIN = """\
  - {id: all, allow: billing, to: any}
  - {id: not-admin, deny: billing, to: {paths: [/admin/**]}}
"""


class Vector(NamedTuple):
    mode: str
    sent: str
    normalised: str


def _vectors() -> list[Vector]:
    if not VECTORS.is_file():
        return []
    found = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    return [Vector(case["mode"], case["in"], case["expect"]) for case in found]


pytestmark = pytest.mark.skipif(not _vectors(), reason="the third-party vectors are not beside this checkout")


def _judged(target: str) -> tuple[str, ...] | None:
    """The segments that are judged, None if the request is refused."""
    try:
        return canonical_target("GET", target, "h.example")[1]
    except RequestError:
        return None


def test_the_vectors_are_all_there() -> None:
    assert len(_vectors()) == 345


@pytest.mark.parametrize("vector", _vectors(), ids=lambda vector: f"{vector.mode} {vector.sent!a}")
def test_a_path_is_refused_or_judged_as_what_it_normalises_to(vector: Vector) -> None:
    segments = _judged(vector.sent)
    if segments is None or vector.normalised == "400":
        return
    assert segments == _judged(vector.normalised) == path_segments(vector.normalised.partition("?")[0])


def test_through_envoy_nothing_that_normalises_to_a_protected_path_is_let_through(
    mesh: Mesh, envoy_binary: Path
) -> None:
    mesh.write(POLICY + OPEN_BUT_ADMIN)
    with LocalExtauth(mesh.folder) as extauth:
        extauth.current = mesh.loaded()
        with front(envoy_binary, Authorization(extauth.grpc, timeout=5), mesh.folder) as running:
            let_through = [vector for vector in _vectors() if _status(mesh, running, vector) == 200]
    assert let_through
    assert [vector for vector in let_through if f"{vector.normalised}/".startswith("/admin/")] == []


def _status(mesh: Mesh, running: Front, vector: Vector) -> int:
    return mesh.get(running, vector.sent.encode("utf-8")).status
