"""What a CRL proves by its dates, through a real Envoy, on every kind of connection.

The service is in this process, so that the test sets policy and clock.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from pki.authority import Authority
from runtime.envoy.ext_authz import Authorization
from tests.envoy.callers import Place, Told, every_kind
from tests.envoy.revocation_world import RevocationWorld, replace_file, this_second, told_to_all
from tests.support.front import front
from tests.support.local_extauth import LocalExtauth

LET_IN = Told(200, "")
REVOKED = Told(403, "certificate_revoked")
UNKNOWN = Told(403, "revocation_unknown")
UNAVAILABLE = Told(403, "policy_unavailable")
#: Days from today to thisUpdate and nextUpdate; what it says of a certificate that it does not list, under `require`.
DATES = {"current": (-1, 1, LET_IN), "expired": (-9, -1, UNKNOWN), "future": (1, 9, UNKNOWN)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> RevocationWorld:
    return RevocationWorld(tmp_path_factory.mktemp("dated"))


@pytest.fixture(scope="module")
def extauth(world: RevocationWorld) -> Iterator[LocalExtauth]:
    with LocalExtauth(world.folder) as started:
        yield started


@pytest.fixture(scope="module")
def place(world: RevocationWorld, extauth: LocalExtauth, envoy_binary: Path) -> Iterator[Place]:
    with front(envoy_binary, Authorization(extauth.grpc, timeout=5), world.folder) as started:
        yield Place(started.address, started.server_ca)


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """What stays open until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("revocation", ["require", "if-available"])
@pytest.mark.parametrize("dates", DATES)
def test_a_crl_of_any_date_revokes_what_it_lists_and_only_a_current_one_proves_good(
    dates: str, revocation: str, world: RevocationWorld, extauth: LocalExtauth, place: Place, kept: ExitStack
) -> None:
    begins, ends, required = DATES[dates]
    stolen, stolen_files = world.client("stolen")
    _, other_files = world.client("other")
    today = this_second()
    crl = world.crl(stolen, this_update=today + timedelta(days=begins), next_update=today + timedelta(days=ends))
    replace_file(world.crl_file, crl)
    world.write_policy(revocation)
    extauth.current, extauth.now = world.load().policy, None
    assert set(told_to_all(every_kind(place, stolen_files, kept)).values()) == {REVOKED}
    expected = required if revocation == "require" else LET_IN
    assert set(told_to_all(every_kind(place, other_files, kept)).values()) == {expected}


@pytest.mark.parametrize(("revocation", "expected"), [("require", UNKNOWN), ("if-available", LET_IN)])
def test_without_a_crl_of_the_issuer_only_if_available_lets_in(
    revocation: str,
    expected: Told,
    world: RevocationWorld,
    extauth: LocalExtauth,
    place: Place,
    kept: ExitStack,
) -> None:
    other_ca = Authority.root("other")
    (world.policy / "pki/mesh.pem").write_bytes(world.authority.pem + other_ca.pem)
    replace_file(world.crl_file, other_ca.crl())
    world.write_policy(revocation)
    extauth.current, extauth.now = world.load().policy, None
    _, files = world.client("of-the-mesh")
    assert set(told_to_all(every_kind(place, files, kept)).values()) == {expected}


@pytest.mark.parametrize("revocation", ["require", "if-available"])
def test_a_crl_that_is_missing_at_the_first_start_denies_everything(
    revocation: str, world: RevocationWorld, extauth: LocalExtauth, place: Place, kept: ExitStack
) -> None:
    world.crl_file.unlink(missing_ok=True)
    world.write_policy(revocation)
    loaded = world.load()
    assert [problem.code for problem in loaded.problems] == ["file_unreadable"]
    extauth.current = loaded.policy
    _, files = world.client("early-bird")
    assert set(told_to_all(every_kind(place, files, kept)).values()) == {UNAVAILABLE}


def test_a_crl_that_goes_stale_refuses_on_open_connections_without_any_reload(
    world: RevocationWorld, extauth: LocalExtauth, place: Place, kept: ExitStack
) -> None:
    (world.policy / "pki/mesh.pem").write_bytes(world.authority.pem)
    ends = this_second() + timedelta(hours=2)
    replace_file(world.crl_file, world.crl(next_update=ends))
    world.write_policy("require")
    extauth.current = world.load().policy
    _, files = world.client("unlisted")
    extauth.now = ends.timestamp()
    callers = every_kind(place, files, kept)
    assert set(told_to_all(callers).values()) == {LET_IN}
    extauth.now = ends.timestamp() + 0.001
    assert set(told_to_all(callers).values()) == {UNKNOWN}
