"""The HTTP listener over real sockets: nothing of a request target is lost, changed or believed on the way."""

import asyncio
import http.client
import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from extauth import limits
from extauth.http_app import HttpCheck
from extauth.http_request import RAW_TARGET, Scope
from extauth.http_server import HttpServer
from pki.authority import Authority
from runtime.address import Address, TcpAddress, UnixAddress
from runtime.hops import TrustedHops
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls, TlsFiles
from tests.extauth.world import Service, billing, mesh, xfcc
from tests.runtime.test_listener_tls import server as server_certificate
from tests.runtime.test_listener_tls import write

ANYWHERE = TcpAddress("127.0.0.1", 0)
LOCAL = TrustedHops.parse(("127.0.0.1/32",))


class Recorder:
    """Remembers the targets and clients it is shown, and permits nothing."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.clients: list[tuple[str, int] | None] = []

    def answer(self, scope: Scope) -> bytes:
        self.targets.append(scope[RAW_TARGET])
        self.clients.append(scope["client"])
        return b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def serving(
    app: HttpCheck | Recorder | None = None, address: Address = ANYWHERE, *, tls: LiveTls | None = None
) -> Iterator[HttpServer]:
    answering = app or Service(hops=LOCAL).http
    server = HttpServer(answering, listener_from_address(address), tls=tls)  # type: ignore[arg-type]  # a recorder
    server.start()
    try:
        yield server
    finally:
        server.stop(1)


def connected(server: HttpServer) -> socket.socket:
    if isinstance(server.address, UnixAddress):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(server.address.path)
        return connection
    return socket.create_connection((server.address.host, server.address.port), timeout=5)


def sent(server: HttpServer, *requests: bytes) -> bytes:
    """What is answered to these bytes until the server, or its silence, ends it."""
    with connected(server) as connection:
        connection.settimeout(5)
        connection.sendall(b"".join(requests))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def request(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    head = b"\r\n".join(
        (method + b" " + target + b" HTTP/1.1", b"Host: invoices.example", b"Connection: close", *lines)
    )
    return head + b"\r\n\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_question_is_answered() -> None:
    line = b"x-forwarded-client-cert: " + xfcc(billing()).encode()
    with serving() as server:
        answer = sent(server, request(b"/v1/invoices", line))
    assert status_of(answer) == 200
    assert b"x-peergate-identity: billing" in answer


def test_a_denial_says_why() -> None:
    with serving() as server:
        answer = sent(server, request(b"/v1/invoices"))
    assert status_of(answer) == 403
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == "no_certificate"


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"//double//slash",
        b"/a/../b/./c",
        b"/a%2fb%2F%2e%2e/",
        b"/%",
        b"/a?b#c",
        b"/a#b",
        b"/a;b\\c",
        b"/a?b?c",
        b"http://other.example/a?b",
        b"http://u:p@other.example:80",
        b"/a%00",
        b"/a!",
    ],
)
def test_the_target_arrives_byte_for_byte(target: bytes) -> None:
    recorder = Recorder()
    with serving(recorder) as server:
        sent(server, request(target))
    assert recorder.targets == [target]


@pytest.mark.parametrize("target", [b"/\xff", b"/a\x00b", b"", b"a b"])
def test_a_target_that_the_server_cannot_read_is_never_permitted(target: bytes) -> None:
    with serving(Service(hops=LOCAL, observe=True).http) as server:
        answer = sent(server, request(target))
    assert status_of(answer) == 400


def test_a_tunnel_is_never_permitted() -> None:
    line = b"x-forwarded-client-cert: " + xfcc(billing()).encode()
    with serving() as server:
        assert status_of(sent(server, request(b"invoices.example:443", line, method=b"CONNECT"))) in {400, 403}


def test_x_forwarded_for_does_not_make_another_hop() -> None:
    """uvicorn would take the client from it; only the socket counts."""
    recorder = Recorder()
    with serving(recorder) as server:
        sent(server, request(b"/", b"x-forwarded-for: 10.0.0.1", b"x-forwarded-proto: https"))
    (client,) = recorder.clients
    assert client is not None
    assert client[0] == "127.0.0.1"


def test_an_upgrade_is_answered_like_any_request() -> None:
    lines = (b"Upgrade: websocket", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", b"Sec-WebSocket-Version: 13")
    with serving() as server:
        answer = sent(server, request(b"/v1/invoices", *lines).replace(b"close", b"Upgrade, close"))
    assert status_of(answer) == 403


def test_two_host_lines_are_denied() -> None:
    line = b"x-forwarded-client-cert: " + xfcc(billing()).encode()
    with serving() as server:
        answer = sent(server, request(b"/v1/invoices", b"Host: invoices.example", line))
    assert b'"reason":"host_invalid"' in answer


def test_content_length_with_transfer_encoding_is_refused() -> None:
    with serving() as server:
        answer = sent(server, request(b"/", b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n")
    assert status_of(answer) == 400


def test_a_body_is_taken_and_not_read() -> None:
    """Envoy sends one if its filter has `with_request_body`."""
    with serving() as server, connected(server) as connection:
        asking = http.client.HTTPConnection("ignored")
        asking.sock = connection
        statuses = []
        for _ in range(3):
            asking.request("POST", "/healthz", b"x" * 300_000)
            with asking.getresponse() as answer:
                statuses.append(answer.status)
    assert statuses == [200, 200, 200]


def test_a_head_request_is_answered_without_a_body() -> None:
    with serving() as server:
        answer = sent(server, request(b"/v1/invoices", method=b"HEAD"))
    assert status_of(answer) == 403
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 0" not in answer


def test_questions_in_one_packet_are_answered_in_their_order() -> None:
    open_one = request(b"/healthz").replace(b"Connection: close\r\n", b"")
    with serving() as server:
        answers = sent(server, open_one, open_one.replace(b"/healthz", b"/v1/a"), request(b"/healthz"))
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"403", b"200"]


def test_http_1_0_is_answered_and_closed() -> None:
    with serving() as server:
        answer = sent(server, b"GET /healthz HTTP/1.0\r\nHost: a.example\r\n\r\n")
    assert status_of(answer) == 200


def test_more_connections_than_may_be_are_answered_with_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HTTP_CONNECTIONS", 1)
    with serving() as server, connected(server) as first:
        first.sendall(request(b"/healthz").replace(b"Connection: close\r\n", b""))
        assert first.recv(65536).startswith(b"HTTP/1.1 200")
        assert status_of(sent(server, request(b"/healthz"))) == 503


@pytest.mark.parametrize(
    ("name", "begun"), [("HEAD_SECONDS", b"GET / HTTP/1.1\r\nHost:"), ("HTTP_IDLE_SECONDS", b"")], ids=["head", "idle"]
)
def test_what_does_not_go_on_is_closed(monkeypatch: pytest.MonkeyPatch, name: str, begun: bytes) -> None:
    monkeypatch.setattr(limits, "HTTP_WATCH_SECONDS", 0.02)
    monkeypatch.setattr(limits, name, 0.05)
    with serving() as server, connected(server) as connection:
        connection.settimeout(5)
        connection.sendall(begun)
        assert connection.recv(1) == b""


def test_a_head_that_drips_is_closed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_WATCH_SECONDS", 0.02)
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.1)
    with serving() as server, connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            dripped(connection)
        assert time.monotonic() - started < 3


def dripped(connection: socket.socket) -> None:
    for _ in range(300):
        connection.sendall(b"a")
        time.sleep(0.01)


def test_one_connection_asks_many_questions() -> None:
    with serving() as server, connected(server) as connection:
        asking = http.client.HTTPConnection("ignored")
        asking.sock = connection
        statuses = []
        for path in ("/healthz", "/v1/a", "/healthz"):
            asking.request("GET", path)
            answer = asking.getresponse()
            answer.read()
            statuses.append(answer.status)
    assert statuses == [200, 403, 200]


def test_a_head_that_does_not_end_is_cut() -> None:
    with serving() as server, connected(server) as connection:
        connection.settimeout(5)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert (
            pushed(connection, b"x-a: " + b"a" * 1000 + b"\r\n", 4 * limits.MAX_HEAD_BYTES) < 2 * limits.MAX_HEAD_BYTES
        )


def pushed(connection: socket.socket, line: bytes, most: int) -> int:
    """How many bytes of these lines are taken until the server answers or closes."""
    taken = 0
    connection.setblocking(False)
    while taken < most:
        try:
            connection.sendall(line)
            taken += len(line)
            connection.recv(1)
        except BlockingIOError:
            time.sleep(0.0005)
        except OSError:
            return taken
        else:
            return taken
    return taken


def test_junk_is_answered_with_400_and_not_logged_for_each(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        assert status_of(sent(server, b"\x16\x03\x01 junk\r\n\r\n")) == 400
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "http.sock"))
    with serving(Service(hops=TrustedHops.parse(("unix",))).http, address) as server:
        assert status_of(sent(server, request(b"/healthz"))) == 200


def test_stopping_ends_idle_connections() -> None:
    with serving() as server, connected(server) as connection:
        connection.settimeout(5)
        connection.sendall(request(b"/healthz").replace(b"Connection: close\r\n", b""))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        server.stop(5)
        assert connection.recv(1) == b""
        assert time.monotonic() - started < 4


def test_uvicorn_still_has_what_the_server_is_built_on() -> None:
    """Pinned: `startup` may be called once more, and gives the new acceptors in `servers`."""
    assert uvicorn.__version__.startswith("0.54.")
    assert asyncio.iscoroutinefunction(uvicorn.Server.startup)


# --- TLS


def shown_certificate(server: HttpServer, ca: bytes) -> bytes:
    context = ssl.create_default_context(cadata=ca.decode())
    with connected(server) as plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return der


def test_with_tls_a_question_is_answered(tmp_path: Path) -> None:
    files = write(tmp_path, server_certificate())
    context = ssl.create_default_context(cadata=mesh().pem.decode())
    with serving(tls=LiveTls(TlsFiles(files.certificate, files.key))) as server:
        assert answered_over_tls(server, context).startswith(b"HTTP/1.1 200")


def test_with_a_client_ca_nobody_else_is_answered(tmp_path: Path) -> None:
    context = ssl.create_default_context(cadata=mesh().pem.decode())
    with serving(tls=LiveTls(write(tmp_path, server_certificate()))) as server:
        assert answered_over_tls(server, context) == b""
        envoy = mesh().issue(dns=["envoy"])
        (tmp_path / "envoy.pem").write_bytes(envoy.chain_pem + envoy.key_pem)
        context.load_cert_chain(tmp_path / "envoy.pem")
        assert answered_over_tls(server, context).startswith(b"HTTP/1.1 200")


def answered_over_tls(server: HttpServer, context: ssl.SSLContext) -> bytes:
    """The answer to a question that is allowed; nothing if the server refuses the connection."""
    with connected(server) as plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
        try:
            secured.sendall(request(b"/healthz"))
            return secured.recv(65536)
        except OSError:
            return b""


def test_a_renewed_certificate_is_shown_to_new_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_RELOAD_SECONDS", 0.02)
    files = write(tmp_path, server_certificate())
    new_ca = Authority.root("new server CA")
    renewed = new_ca.issue(dns=["localhost"], ip=["127.0.0.1"], server=True)
    with serving(tls=LiveTls(TlsFiles(files.certificate, files.key))) as server:
        assert shown_certificate(server, mesh().pem)
        write(tmp_path, renewed)
        deadline = time.monotonic() + 5
        while not is_shown(server, renewed.der) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert shown_certificate(server, new_ca.pem) == renewed.der


def is_shown(server: HttpServer, der: bytes) -> bool:
    assert isinstance(server.address, TcpAddress)
    place = (server.address.host, server.address.port)
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(place)) == der


def test_connections_opened_while_the_certificate_is_renewed_are_all_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TLS_RELOAD_SECONDS", 0.01)
    files = write(tmp_path, server_certificate())
    with serving(tls=LiveTls(TlsFiles(files.certificate, files.key))) as server:
        for number in range(60):
            if number % 5 == 0:
                write(tmp_path, server_certificate())
            assert shown_certificate(server, mesh().pem)
