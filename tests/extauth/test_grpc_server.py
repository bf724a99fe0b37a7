"""The gRPC listener over real sockets: it answers, refuses what is too much, and never takes another's address."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extauth import limits
from extauth.grpc_check import GrpcCheck
from extauth.grpc_server import GrpcServer
from extauth.wire.messages import CheckResponse
from pki.authority import Authority
from runtime.address import Address, TcpAddress, UnixAddress
from runtime.errors import ListenError
from runtime.listener_tls import LiveTls, TlsFiles
from tests.extauth.world import Service, billing, mesh, question
from tests.runtime.test_listener_tls import server as server_certificate
from tests.runtime.test_listener_tls import write

ANYWHERE = TcpAddress("127.0.0.1", 0)
CHECK = "/envoy.service.auth.v3.Authorization/Check"


class Stub:
    """Answers what a test wants."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def answer(self, message: bytes, aside: object) -> bytes:
        return self._answer(message)


@contextmanager
def serving(
    check: GrpcCheck | Stub | None = None,
    address: Address = ANYWHERE,
    *,
    is_serving: Callable[[], bool] = lambda: True,
    tls: LiveTls | None = None,
    share_port: bool = False,
) -> Iterator[GrpcServer]:
    answering = check or Service().grpc
    server = GrpcServer(answering, is_serving, address, tls=tls, share_port=share_port)  # type: ignore[arg-type]  # a stub
    server.start()
    try:
        yield server
    finally:
        server.stop(0)


def call_of(channel: grpc.Channel, method: str = CHECK) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(method, bytes, bytes)


def ask(channel: grpc.Channel, message: bytes, method: str = CHECK) -> bytes:
    return call_of(channel, method)(message, timeout=5, wait_for_ready=True)


def code_of(channel: grpc.Channel, message: bytes, method: str = CHECK) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, message, method)
    code = caught.value.code()
    assert isinstance(code, grpc.StatusCode)
    return code


def test_a_question_is_answered() -> None:
    with serving() as server, grpc.insecure_channel(str(server.address)) as channel:
        answer = CheckResponse.FromString(ask(channel, question(issued=billing()).SerializeToString()))
    assert answer.status.code == 0


def test_a_broken_message_is_answered_with_a_denial() -> None:
    with serving() as server, grpc.insecure_channel(str(server.address)) as channel:
        answer = CheckResponse.FromString(ask(channel, b"\xff\xff"))
    assert (answer.status.code, answer.denied_response.status.code) == (7, 403)


def test_an_exception_is_an_error_which_envoy_denies() -> None:
    def broken(_: bytes) -> bytes:
        raise RuntimeError("bug")

    with serving(Stub(broken)) as server, grpc.insecure_channel(str(server.address)) as channel:
        assert code_of(channel, b"") is grpc.StatusCode.UNKNOWN


def test_a_message_above_the_limit_is_refused() -> None:
    with serving() as server, grpc.insecure_channel(str(server.address)) as channel:
        assert code_of(channel, b"\0" * (limits.MAX_CHECK_BYTES + 1)) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_above_the_limit_is_refused() -> None:
    with serving() as server, grpc.insecure_channel(str(server.address)) as channel:
        call = call_of(channel)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=5, metadata=(("x", "a" * (limits.MAX_METADATA_BYTES + 1)),))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_too_many_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CONCURRENT_CALLS", 1)
    held, release = threading.Event(), threading.Event()

    def hold(_: bytes) -> bytes:
        held.set()
        release.wait(5)
        return b""

    with serving(Stub(hold)) as server, grpc.insecure_channel(str(server.address)) as channel:
        first = call_of(channel).future(b"", timeout=5)
        assert held.wait(5)
        assert code_of(channel, b"") is grpc.StatusCode.RESOURCE_EXHAUSTED
        release.set()
        assert first.result() == b""


@pytest.mark.parametrize(
    "method", ["/envoy.service.auth.v3.Authorization/Other", "/acme.Other/Check", "/grpc.health.v1.Health/Watch"]
)
def test_other_methods_are_not_implemented(method: str) -> None:
    """A health stream that stays open would count against the limit on concurrent calls."""
    with serving() as server, grpc.insecure_channel(str(server.address)) as channel:
        assert code_of(channel, b"", method) is grpc.StatusCode.UNIMPLEMENTED


# --- health


def health(server: GrpcServer, service: str = "") -> int:
    with grpc.insecure_channel(str(server.address)) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=5, wait_for_ready=True)
    status = answer.status
    assert isinstance(status, int)
    return status


def test_health_is_serving_while_there_is_a_policy() -> None:
    ready = threading.Event()
    with serving(is_serving=ready.is_set) as server:
        assert health(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        ready.set()
        assert health(server, "envoy.service.auth.v3.Authorization") == health_pb2.HealthCheckResponse.SERVING


def test_health_of_another_service_is_not_found() -> None:
    with serving() as server, pytest.raises(grpc.RpcError) as caught:
        health(server, "acme.Other")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


# --- addresses


def test_an_address_in_use_is_one_error_and_takes_nothing_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = TcpAddress("127.0.0.1", other.getsockname()[1])
        with pytest.raises(ListenError, match=f"cannot listen on {place}"):
            GrpcServer(Service().grpc, lambda: True, place)


def test_a_port_is_not_shared_unless_it_is_said() -> None:
    with serving() as server, pytest.raises(ListenError):
        GrpcServer(Service().grpc, lambda: True, server.address)


def test_workers_share_a_port() -> None:
    with serving(share_port=True) as first, serving(address=first.address, share_port=True) as second:
        assert second.address == first.address


def test_a_unix_socket_answers_its_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "check.sock"
    with serving(address=UnixAddress(str(path))), grpc.insecure_channel(f"unix:{path}") as channel:
        assert ask(channel, question().SerializeToString())
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


@pytest.mark.parametrize("name", ["a b", "50%25", "what?", "#1", "é"])
def test_any_path_may_be_a_socket(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with serving(address=UnixAddress(str(path))), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_the_umask_of_the_process_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with serving(address=UnixAddress(str(tmp_path / "check.sock"))):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_the_socket_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "check.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(address=UnixAddress(str(path))), grpc.insecure_channel(f"unix:{path}") as channel:
        assert ask(channel, question().SerializeToString())


def test_the_socket_of_a_living_process_is_not_taken_away(tmp_path: Path) -> None:
    """gRPC alone would unlink it and bind anew."""
    place = UnixAddress(str(tmp_path / "check.sock"))
    with serving(address=place):
        with pytest.raises(ListenError):
            GrpcServer(Service().grpc, lambda: True, place)
        with grpc.insecure_channel(str(place)) as channel:
            assert ask(channel, question().SerializeToString())


# --- end


def test_stopping_lets_a_call_in_flight_finish() -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_: bytes) -> bytes:
        held.set()
        release.wait(5)
        return b"done"

    with serving(Stub(hold)) as server, grpc.insecure_channel(str(server.address)) as channel:
        call = call_of(channel).future(b"", timeout=5)
        assert held.wait(5)
        stopping = threading.Thread(target=server.stop, args=(5,))
        stopping.start()
        release.set()
        assert call.result() == b"done"
        stopping.join(5)
        assert not stopping.is_alive()


def test_stopping_does_not_wait_longer_than_it_may() -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_: bytes) -> bytes:
        held.set()
        release.wait(20)
        return b""

    with serving(Stub(hold)) as server, grpc.insecure_channel(str(server.address)) as channel:
        call = call_of(channel).future(b"", timeout=10)
        assert held.wait(5)
        server.stop(0.05)
        assert isinstance(call.exception(), grpc.RpcError)
        release.set()


# --- TLS


def credentials(ca: bytes, client: tuple[bytes, bytes] | None = None) -> grpc.ChannelCredentials:
    key, chain = client or (None, None)
    return grpc.ssl_channel_credentials(ca, key, chain)


def secure(server: GrpcServer, offered: grpc.ChannelCredentials) -> grpc.Channel:
    """A channel of its own, with its own connection."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.secure_channel(str(server.address), offered, options=options)


def test_with_a_client_ca_a_caller_of_that_ca_is_answered(tmp_path: Path) -> None:
    envoy = mesh().issue(dns=["envoy"])
    offered = credentials(mesh().pem, (envoy.key_pem, envoy.chain_pem))
    with serving(tls=LiveTls(write(tmp_path, server_certificate()))) as server, secure(server, offered) as channel:
        assert ask(channel, question().SerializeToString())


@pytest.mark.parametrize("stranger", [False, True], ids=["without a certificate", "of another CA"])
def test_with_a_client_ca_nobody_else_is_answered(tmp_path: Path, *, stranger: bool) -> None:
    other = Authority.root("other").issue(dns=["envoy"])
    offered = credentials(mesh().pem, (other.key_pem, other.chain_pem) if stranger else None)
    live = LiveTls(write(tmp_path, server_certificate()))
    with serving(tls=live) as server, secure(server, offered) as channel, pytest.raises(grpc.RpcError) as caught:
        call_of(channel)(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    new_ca = Authority.root("new server CA")
    files = write(tmp_path, server_certificate())
    live = LiveTls(TlsFiles(files.certificate, files.key))
    message = question().SerializeToString()
    with serving(tls=live) as server, secure(server, credentials(mesh().pem)) as old:
        assert ask(old, message)
        write(tmp_path, new_ca.issue(dns=["localhost"], ip=["127.0.0.1"], server=True))
        with secure(server, credentials(new_ca.pem)) as new:
            assert ask(new, message)
        assert ask(old, message)


def test_a_broken_renewal_keeps_the_certificate(tmp_path: Path) -> None:
    files = write(tmp_path, server_certificate())
    message = question().SerializeToString()
    with serving(tls=LiveTls(TlsFiles(files.certificate, files.key))) as server:
        Path(files.certificate).write_bytes(b"junk")
        with secure(server, credentials(mesh().pem)) as channel:
            assert ask(channel, message)
