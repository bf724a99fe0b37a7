"""What the tests of the command share."""

import pytest

from tests.peergate.commands import Peergate


@pytest.fixture
def peergate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Peergate:
    """The command, in this process."""
    return Peergate(capsys, monkeypatch)
