"""Who was never seen before waits for the first OCSP answer, for a bounded time, and nobody else waits with him."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import grpc
import pytest

from extauth import grpc_check
from extauth.wire.messages import CheckResponse
from pki.authority import Issued
from runtime import check
from runtime.address import TcpAddress
from runtime.hops import TrustedHops
from tests.extauth.ocsp_world import OcspWorld, ocsp_world
from tests.extauth.service_process import eventually
from tests.extauth.test_grpc_server import ask
from tests.extauth.test_grpc_server import serving as grpc_serving
from tests.extauth.test_http_server import LOCAL
from tests.extauth.test_http_server import serving as http_serving
from tests.extauth.test_serve import reason_of
from tests.extauth.world import BILLING, billing, mesh, question, xfcc
from tests.support.ocsp import REVOKED, UNKNOWN

#: What a request waits at most in these tests, seconds.
PATIENCE = 1.5


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[OcspWorld]:
    for module in (grpc_check, check):
        monkeypatch.setattr(module, "FIRST_ANSWER_SECONDS", PATIENCE)
    with ocsp_world() as world:
        yield world


def caller() -> Issued:
    return mesh().issue(uri=[BILLING])


def reason(world: OcspWorld, issued: Issued) -> str:
    return reason_of(world.service.answer(question(issued=issued)))


def test_the_first_request_of_a_good_caller_is_let_in(world: OcspWorld) -> None:
    assert reason(world, caller()) == "allowed_by_rule"


def test_the_first_request_of_a_revoked_caller_is_refused_as_revoked(world: OcspWorld) -> None:
    stolen = caller()
    world.statuses[stolen.certificate.serial_number] = REVOKED
    assert reason(world, stolen) == "certificate_revoked"


def test_who_is_unknown_to_the_responder_is_refused(world: OcspWorld) -> None:
    stranger = caller()
    world.statuses[stranger.certificate.serial_number] = UNKNOWN
    assert reason(world, stranger) == "revocation_unknown"


def test_the_wait_is_bounded_and_the_answer_counts_when_it_comes(world: OcspWorld) -> None:
    world.server.held.clear()
    issued, began = caller(), monotonic()
    assert reason(world, issued) == "revocation_unknown"
    assert PATIENCE <= monotonic() - began < PATIENCE + 2
    world.server.held.set()
    eventually(lambda: reason(world, issued) == "allowed_by_rule", 5)


def test_under_if_available_nobody_waits() -> None:
    with ocsp_world("if-available") as world:
        world.server.held.clear()
        stolen = caller()
        world.statuses[stolen.certificate.serial_number] = REVOKED
        began = monotonic()
        assert reason(world, stolen) == "allowed_by_rule"
        assert monotonic() - began < PATIENCE
        world.server.held.set()
        eventually(lambda: reason(world, stolen) == "certificate_revoked", 5)


def test_what_changes_counts_for_the_next_request(world: OcspWorld) -> None:
    issued = caller()
    assert reason(world, issued) == "allowed_by_rule"
    world.statuses[issued.certificate.serial_number] = REVOKED
    world.client.refresh()
    eventually(lambda: reason(world, issued) == "certificate_revoked", 2)
    assert {reason(world, issued) for _ in range(5)} == {"certificate_revoked"}


def test_over_grpc_twenty_who_wait_hold_up_nobody_else(world: OcspWorld) -> None:
    assert reason(world, billing()) == "allowed_by_rule"
    world.server.held.clear()
    with (
        grpc_serving(world.service.grpc) as server,
        grpc.insecure_channel(str(server.address)) as channel,
        ThreadPoolExecutor(20) as others,
    ):
        known = question(issued=billing()).SerializeToString()
        assert reason_of(CheckResponse.FromString(ask(channel, known))) == "allowed_by_rule"
        questions = [question(issued=caller()).SerializeToString() for _ in range(20)]
        answers = [others.submit(ask, channel, one) for one in questions]
        sleep(0.1)
        began = monotonic()
        assert reason_of(CheckResponse.FromString(ask(channel, known))) == "allowed_by_rule"
        assert monotonic() - began < PATIENCE / 2
        assert not any(answer.done() for answer in answers)
        assert {reason_of(CheckResponse.FromString(answer.result())) for answer in answers} == {"revocation_unknown"}


def http_question(issued: Issued, host: bytes = b"invoices.example") -> bytes:
    return b"\r\n".join(
        (b"GET /v1/invoices HTTP/1.1", b"host: " + host, b"x-forwarded-client-cert: " + xfcc(issued).encode(), b"", b"")
    )


def http_reasons(connection: socket.socket, count: int) -> list[str]:
    """Of so many answers on one connection; empty for one that permits."""
    received = b""
    while received.count(b"HTTP/1.1 ") < count or not received.endswith((b"}", b"\r\n\r\n")):
        received += connection.recv(65536)
    heads = received.split(b"HTTP/1.1 ")[1:]
    return [head.partition(b"x-peergate-reason: ")[2].partition(b"\r\n")[0].decode() for head in heads]


def test_over_http_they_wait_without_holding_up_the_loop_and_are_answered_in_order(world: OcspWorld) -> None:
    world.service.hops = LOCAL
    assert reason(world, billing()) == "allowed_by_rule"
    world.server.held.clear()
    with http_serving(world.service.http) as server:
        assert isinstance(server.address, TcpAddress)
        place = server.address.host, server.address.port
        with socket.create_connection(place, 5) as waiting, socket.create_connection(place, 5) as other:
            # Three in one packet: the first has to wait, and the others come after it.
            began = monotonic()
            waiting.sendall(http_question(caller()) + http_question(billing()) + http_question(billing(), b"elsewhere"))
            sleep(0.1)
            other.sendall(http_question(billing()))
            assert http_reasons(other, 1) == [""]
            assert monotonic() - began < PATIENCE
            assert http_reasons(waiting, 3) == ["revocation_unknown", "", "no_matching_rule"]
            assert monotonic() - began >= PATIENCE
            waiting.sendall(http_question(billing()))
            assert http_reasons(waiting, 1) == [""]


def test_over_http_the_answer_ends_the_wait(world: OcspWorld) -> None:
    world.service.hops = TrustedHops.parse(("127.0.0.1/32",))
    with http_serving(world.service.http) as server:
        assert isinstance(server.address, TcpAddress)
        with socket.create_connection((server.address.host, server.address.port), 5) as connection:
            connection.sendall(http_question(caller()))
            assert http_reasons(connection, 1) == [""]


def test_a_connection_that_is_gone_meanwhile_harms_nobody(world: OcspWorld) -> None:
    world.service.hops = LOCAL
    assert reason(world, billing()) == "allowed_by_rule"
    world.server.held.clear()
    with http_serving(world.service.http) as server:
        assert isinstance(server.address, TcpAddress)
        place = server.address.host, server.address.port
        for _ in range(5):
            with socket.create_connection(place, 5) as connection:
                connection.sendall(http_question(caller()))
        sleep(PATIENCE + 0.2)
        with socket.create_connection(place, 5) as connection:
            connection.sendall(http_question(billing()))
            assert http_reasons(connection, 1) == [""]
