"""The decision corpus through a real Envoy with mTLS that asks over gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.envoy.ext_authz import Authorization
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.enforced import assert_enforced
from tests.support.front import Front, front
from tests.support.local_extauth import LocalExtauth


@pytest.fixture(scope="module")
def grpc_front(extauth: LocalExtauth, envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    # A busy machine may be slow; what a slow service comes to has tests of its own.
    with front(envoy_binary, Authorization(extauth.grpc, timeout=5), tmp_path_factory.mktemp("envoy")) as running:
        yield running


@pytest.mark.parametrize("case", cases("envoy"), ids=str)
def test_an_envoy_that_asks_over_grpc_enforces(
    case: Case, setting: Settings, extauth: LocalExtauth, grpc_front: Front
) -> None:
    assert_enforced(case, *setting(case.file), extauth, grpc_front)
