"""The socket of a Workload API as a policy names it: a Unix socket, or a sentence for the author."""

import pytest

from policies.peer.bundle_source import WorkloadApi


@pytest.mark.parametrize("text", ["unix:///run/spire/agent.sock", "unix:/run/spire/agent.sock"])
def test_a_unix_socket_is_read(text: str) -> None:
    found = WorkloadApi.parse(text)
    assert found == WorkloadApi("/run/spire/agent.sock")
    assert str(found) == "unix:///run/spire/agent.sock"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix:",
        "unix://",
        "unix://host/agent.sock",
        "unix:////agent.sock",
        "unix:agent.sock",
        "/run/agent.sock",
        "tcp://127.0.0.1:8081",
        "UNIX:///run/agent.sock",
        "unix:///run/a\0b",
        "unix:///run/a\nb",
        "unix:///run/\ud800",
        "unix:///" + "a" * 107,
        "unix:///" + "é" * 54,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"socket|unix:///path"):
        WorkloadApi.parse(text)
