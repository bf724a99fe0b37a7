"""What was logged, without the facts."""

import pytest

from runtime.service_log import message_of


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The message of every event so far."""
    return [message_of(record) for record in caplog.records]
