"""Clients of an Envoy that stay what they are: on new connections, on resumed sessions, on one connection kept open."""

import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

from peergate.demo.client import Credentials, answer_from_socket, client_context, request_bytes

HOST = "h.example"
#: Seconds for one answer.
ANSWER_SECONDS = 10.0


class Place(NamedTuple):
    """An Envoy: its address, and whom to trust for its certificate."""

    address: tuple[str, int]
    server_ca: Path


class Told(NamedTuple):
    """What a caller was told: the status, and peergate's reason, empty if it let the request pass."""

    status: int
    reason: str


class Caller(Protocol):
    """Somebody with one certificate who makes one request after the other."""

    def ask(self, path: str = "/v1/invoices") -> Told:
        """GET `path`."""
        ...


@dataclass(frozen=True)
class Fresh:
    """Every request on a connection and a session of its own."""

    place: Place
    credentials: Credentials
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3

    def ask(self, path: str = "/v1/invoices") -> Told:
        with connected(self.place, context_of(self)) as connection:
            assert connection.session_reused is False
            return _told(connection, path)


class Resumed:
    """Every request on a connection of its own that resumes the session of the first one (RFC 5077, RFC 8446 §2.2)."""

    def __init__(self, place: Place, credentials: Credentials, version: ssl.TLSVersion) -> None:
        first = Fresh(place, credentials, version)
        self._place = place
        self._context = context_of(first)
        with connected(place, self._context) as connection:
            # With TLS 1.3 the ticket comes after the handshake, with the first answer at the latest.
            _told(connection, "/v1/invoices")
            session = connection.session
        assert session is not None, "Envoy offered no session"
        self._session = session

    def ask(self, path: str = "/v1/invoices") -> Told:
        with connected(self._place, self._context, self._session) as connection:
            assert connection.session_reused, "Envoy did not resume the session"
            return _told(connection, path)


class OpenHttp1:
    """Every request on one HTTP/1.1 connection. A context manager."""

    def __init__(self, place: Place, credentials: Credentials) -> None:
        self._connection = connected(place, context_of(Fresh(place, credentials)))

    def ask(self, path: str = "/v1/invoices") -> Told:
        return _told(self._connection, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


class OpenHttp2:
    """Every request as a stream of one HTTP/2 connection. A context manager."""

    def __init__(self, place: Place, credentials: Credentials) -> None:
        context = context_of(Fresh(place, credentials))
        context.set_alpn_protocols(["h2"])
        self._connection = connected(place, context)
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._h2.initiate_connection()

    def ask(self, path: str = "/v1/invoices") -> Told:
        stream = self._h2.get_next_available_stream_id()
        head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", HOST.encode()), (b":path", path.encode())]
        self._h2.send_headers(stream, head, end_stream=True)
        self._connection.sendall(self._h2.data_to_send())
        told = None
        while received := self._connection.recv(65_536):
            ended = False
            for event in self._h2.receive_data(received):
                assert not isinstance(event, (StreamReset, ConnectionTerminated)), event
                if isinstance(event, ResponseReceived):
                    headers = dict(event.headers)
                    told = Told(int(headers[b":status"]), headers.get(b"x-peergate-reason", b"").decode())
                if isinstance(event, DataReceived):
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                ended |= isinstance(event, StreamEnded)
            self._connection.sendall(self._h2.data_to_send())
            if ended and told is not None:
                return told
        raise ConnectionError("Envoy closed the connection")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def every_kind(place: Place, credentials: Credentials, running: ExitStack) -> dict[str, Caller]:
    """One caller of each kind, by its name in a report. The open connections are open, and close with `running`."""
    tls12, tls13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    return {
        "fresh, TLS 1.2": Fresh(place, credentials, tls12),
        "fresh, TLS 1.3": Fresh(place, credentials, tls13),
        "resumed, TLS 1.2": Resumed(place, credentials, tls12),
        "resumed, TLS 1.3": Resumed(place, credentials, tls13),
        "open, HTTP/1.1": running.enter_context(OpenHttp1(place, credentials)),
        "open, HTTP/2": running.enter_context(OpenHttp2(place, credentials)),
    }


def context_of(caller: Fresh) -> ssl.SSLContext:
    context = client_context(caller.place.server_ca, caller.credentials)
    context.minimum_version = context.maximum_version = caller.version
    return context


def connected(place: Place, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    raw = socket.create_connection(place.address, ANSWER_SECONDS)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, session=session)


def _told(connection: ssl.SSLSocket, path: str) -> Told:
    connection.sendall(request_bytes("GET", path.encode(), [("Host", HOST.encode())]))
    answer = answer_from_socket(connection, method="GET")
    return Told(answer.status, answer.reason)
