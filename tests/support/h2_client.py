"""One HTTP/2 request with exactly the header fields it is given, pseudo-headers included, valid or not."""

import socket
import ssl
from dataclasses import dataclass

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class H2Answer:
    """`status` is None if the stream or the connection was ended instead of answered."""

    status: int | None
    headers: dict[str, str]
    body: bytes


def h2_call(address: tuple[str, int], context: ssl.SSLContext, fields: Fields, *, sni: str | None = None) -> H2Answer:
    """Send one request without a body on a new connection. Raises OSError."""
    context.set_alpn_protocols(["h2"])
    raw = socket.create_connection(address, 10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with raw, context.wrap_socket(raw, server_hostname=sni) as connection:
        configuration = H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        h2 = H2Connection(configuration)
        h2.initiate_connection()
        h2.send_headers(1, fields, end_stream=True)
        connection.sendall(h2.data_to_send())
        return _answer(connection, h2)


def _answer(connection: ssl.SSLSocket, h2: H2Connection) -> H2Answer:
    headers: dict[str, str] = {}
    body = b""
    while received := connection.recv(65_536):
        for event in h2.receive_data(received):
            if isinstance(event, ResponseReceived):
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, DataReceived):
                body += event.data
            elif isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated)):
                status = headers.pop(":status", None)
                ended = isinstance(event, StreamEnded)
                return H2Answer(int(status) if status and ended else None, headers, body)
        connection.sendall(h2.data_to_send())
    return H2Answer(None, {}, b"")
