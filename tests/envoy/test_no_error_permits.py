"""Law 2 through a real Envoy: a service that is killed, stopped, gone, mute or talks nonsense denies with 403.

Each test sees an allowed request first, so that its denial has no other cause.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from runtime.address import UnixAddress
from runtime.envoy.ext_authz import Authorization, Protocol
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import Front, front
from tests.support.mesh import Mesh

#: Seconds by which Envoy must have given up on a service that hangs: its timeout of 0.2 s, and a busy machine.
GIVEN_UP = 3.0


@pytest.fixture
def service(mesh: Mesh) -> Iterator[ExtauthProcess]:
    with ExtauthProcess.start(mesh.policy, mesh.folder) as running:
        yield running


@pytest.fixture
def served(service: ExtauthProcess, mesh: Mesh, envoy_binary: Path) -> Iterator[Front]:
    with front(envoy_binary, Authorization(service.listen), mesh.folder) as running:
        for _ in range(50):  # the first question parses the certificate and may be later than 200 ms
            if mesh.get(running).status == 200:
                break
        assert mesh.get(running).status == 200
        running.upstream.received.clear()
        yield running


def _is_denied(mesh: Mesh, served: Front) -> bool:
    answer = mesh.get(served)
    return answer.status == 403 and served.upstream.received == []


def test_a_killed_service_denies(service: ExtauthProcess, served: Front, mesh: Mesh) -> None:
    os.kill(service.pid, signal.SIGKILL)
    assert _is_denied(mesh, served)


def test_a_stopped_service_denies_in_time_and_allows_when_it_goes_on(
    service: ExtauthProcess, served: Front, mesh: Mesh
) -> None:
    os.kill(service.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert _is_denied(mesh, served)
        assert time.monotonic() - began < GIVEN_UP
    finally:
        os.kill(service.pid, signal.SIGCONT)
    assert any(mesh.get(served).status == 200 for _ in range(50))


def test_a_service_that_ended_in_order_denies(service: ExtauthProcess, served: Front, mesh: Mesh) -> None:
    service.stop()
    assert _is_denied(mesh, served)


def test_a_service_that_came_back_is_asked_again(service: ExtauthProcess, served: Front, mesh: Mesh) -> None:
    service.stop()
    assert _is_denied(mesh, served)
    with ExtauthProcess.start(mesh.policy, mesh.folder):
        assert any(mesh.get(served).status == 200 for _ in range(100))


@pytest.mark.parametrize("protocol", Protocol)
def test_a_service_that_was_never_there_denies(protocol: Protocol, mesh: Mesh, envoy_binary: Path) -> None:
    nobody = UnixAddress(str(mesh.folder / "nobody.sock"))
    with front(envoy_binary, Authorization(nobody, protocol), mesh.folder) as running:
        assert _is_denied(mesh, running)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("said", [b"", b"\0" * 64, b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"], ids=repr)
def test_a_service_that_says_nothing_or_nonsense_denies(
    said: bytes, protocol: Protocol, mesh: Mesh, envoy_binary: Path
) -> None:
    place = mesh.folder / "odd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        threading.Thread(target=_say_to_everyone, args=(listener, said), daemon=True).start()
        with front(envoy_binary, Authorization(UnixAddress(str(place)), protocol), mesh.folder) as running:
            assert _is_denied(mesh, running)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("answer", [b"\xff", b"\x0a\x00" * 3 + b"\x07"], ids=repr)
def test_an_answer_that_is_no_check_response_denies(answer: bytes, mesh: Mesh, envoy_binary: Path) -> None:
    place = UnixAddress(str(mesh.folder / "odd.sock"))
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(lambda _message, _context: answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {"Check": handler}),)
    )
    server.add_insecure_port(str(place))
    server.start()
    try:
        with front(envoy_binary, Authorization(place, timeout=5), mesh.folder) as running:
            assert _is_denied(mesh, running)
    finally:
        server.stop(0).wait()


def _say_to_everyone(listener: socket.socket, said: bytes) -> None:
    held = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        connection.sendall(said)
        held.append(connection)
    for connection in held:
        connection.close()
