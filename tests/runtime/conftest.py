"""What loading a policy does to the whole process is undone after each test."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """What one test froze does not stay out of the collector's sight in the next."""
    yield
    gc.unfreeze()
