"""Law 9 to the end of the socket: a client that answers nothing and reads nothing is off within five seconds."""

import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.authority import Issued
from tests.gateway.gateway import POLICY, Files, files_in, gateway
from tests.gateway.server.world import BILLING, Client, billing, caller, eventually, mesh

#: Law 9.
SECONDS = 5.0
HEAD = b"GET /stream HTTP/1.1\r\nHost: h.example\r\n"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Accepts a WebSocket and waits; streams over HTTP as fast as the client takes it."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})


def opened(client: Client, server: Any, *, websocket: bool) -> ssl.SSLSocket:
    connection = client.connected(server)
    connection.sendall(HEAD + (UPGRADE if websocket else b"\r\n"))
    assert connection.recv(12) in {b"HTTP/1.1 101", b"HTTP/1.1 200"}
    return connection


def seconds_until_gone(server: Any, *connections: socket.socket) -> float:
    """How long the server still has a connection; the client does nothing in the meantime."""
    began = time.monotonic()
    assert eventually(lambda: server.caps.count == 0, 20)
    for connection in connections:
        connection.close()
    return time.monotonic() - began


def revoked(files: Files) -> None:
    files.crl(billing().certificate.serial_number)


def denied(files: Files) -> None:
    files.policy(POLICY.replace("sa/billing", "sa/other"))


@pytest.mark.parametrize("websocket", [True, False])
@pytest.mark.parametrize("change", [revoked, denied])
def test_a_silent_client_whose_verdict_changes_is_off_within_the_bound(
    tmp_path: Path, change: Callable[[Files], None], websocket: bool
) -> None:
    files = files_in(tmp_path)
    with gateway(files, endless) as (server, _):
        connection = opened(caller(), server, websocket=websocket)
        change(files)
        assert seconds_until_gone(server, connection) < SECONDS


def short_lived(seconds: float) -> Issued:
    """A certificate of billing that ends `seconds` from now."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return mesh().issue(uri=[BILLING], not_after=until)


def test_a_stream_and_a_websocket_end_with_the_certificate_and_not_before(tmp_path: Path) -> None:
    with gateway(files_in(tmp_path), endless) as (server, _):
        issued = short_lived(4)
        ends = issued.certificate.not_valid_after_utc.timestamp()
        stream, messages = (opened(Client(issued), server, websocket=websocket) for websocket in (False, True))
        other = opened(caller(), server, websocket=True)
        assert eventually(lambda: server.caps.count < 3, 20)
        assert time.time() >= ends
        assert eventually(lambda: server.caps.count == 1, SECONDS)
        assert time.time() < ends + SECONDS
        for connection in (stream, messages, other):
            connection.close()
