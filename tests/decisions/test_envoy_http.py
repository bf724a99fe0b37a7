"""The decision corpus through a real Envoy with mTLS that asks over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.envoy.ext_authz import Authorization, Protocol
from tests.decisions.conftest import SEEN_HEADERS, Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.enforced import assert_enforced
from tests.support.front import Front, front
from tests.support.local_extauth import LocalExtauth

#: What the answer may set: what the rules of the corpus set.
SET_HEADERS = ("x-tenant", "x-caller", "x-value", "x-shadow")


@pytest.fixture(scope="module")
def http_front(extauth: LocalExtauth, envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    authorization = Authorization(
        extauth.http, Protocol.HTTP, timeout=5, seen_headers=SEEN_HEADERS, set_headers=SET_HEADERS
    )
    with front(envoy_binary, authorization, tmp_path_factory.mktemp("envoy")) as running:
        yield running


@pytest.mark.parametrize("case", cases("http"), ids=str)
def test_an_envoy_that_asks_over_http_enforces(
    case: Case, setting: Settings, extauth: LocalExtauth, http_front: Front
) -> None:
    assert_enforced(case, *setting(case.file), extauth, http_front)
