"""The worlds of the corpus, and an ext_authz service whose policy each case sets."""

from collections.abc import Callable, Iterator

import pytest

from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from runtime.envoy.ext_authz import HTTP_FACTS
from runtime.policy_source import PolicySource
from tests.decisions.corpus import corpus
from tests.decisions.world import World, world_from_file
from tests.support.local_extauth import LocalExtauth

#: What the HTTP form is shown: what the conditions of the corpus name.
SEEN_HEADERS = ("x-channel", "x-region", "x-debug", "x-a", "x-b")

Settings = Callable[[str], tuple[World, PolicySet]]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The world of a corpus file, and its policy."""
    folder = tmp_path_factory.mktemp("worlds")
    files = {file.name: file for file in corpus()}
    made: dict[str, tuple[World, PolicySet]] = {}

    def of_file(name: str) -> tuple[World, PolicySet]:
        if name not in made:
            world = world_from_file(files[name], folder / name)
            reading = PolicySource(str(world.policy)).reading()
            loaded = load_policy(reading.files, reading)
            assert loaded.policy is not None, [str(problem) for problem in (*reading.problems, *loaded.problems)]
            made[name] = world, loaded.policy
        return made[name]

    return of_file


@pytest.fixture(scope="module")
def extauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExtauth]:
    shown = tuple(name for name in HTTP_FACTS if name != "traceparent")
    with LocalExtauth(tmp_path_factory.mktemp("extauth"), seen_headers=(*shown, *SEEN_HEADERS)) as running:
        yield running


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExtauth]:
    """The same with `--proxy-verified mesh`."""
    with LocalExtauth(tmp_path_factory.mktemp("verified"), verified_for="mesh") as running:
        yield running
