"""One proxy of each kind for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.deploy.forward_auth.world import CONFIGURE, Setting, running


@pytest.fixture(scope="module", params=CONFIGURE)
def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made
