"""What many tests share: the Envoy binary, and a small mesh."""

import os
import signal
from pathlib import Path

import pytest

from runtime.envoy.binary import find_envoy
from tests.support.mesh import Mesh, mesh_in


def pytest_configure() -> None:
    """Ctrl-C counts, also for what tests start: a shell has what it starts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    """The Envoy that peergate itself would run. A test that needs it fails without it: it is never skipped."""
    return find_envoy(os.environ)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """One authority, one caller, one policy on disk."""
    return mesh_in(tmp_path)
