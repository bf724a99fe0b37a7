"""A TLS client that sends exactly the bytes it is given. Every HTTP library would rewrite `/a/%2e%2e/b` first."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peergate.demo.upstream import Received

#: Seconds for one call.
CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client certificate with its chain, and its key: paths of PEM files."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` have lower-case names; a repeated one keeps its last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        """The reason that peergate gave for a denial, empty if the answer is not from peergate."""
        return self.headers.get("x-peergate-reason", "")

    def echoed(self) -> Received:
        """What the upstream says it received. Raises ValueError if the answer is not the upstream's."""
        told = json.loads(self.body)
        try:
            return Received(told["line"], tuple((name, value) for name, value in told["headers"]))
        except KeyError as error:
            raise ValueError(f"not an answer of the upstream: {self.body[:200]!r}") from error


def client_context(server_ca: Path, credentials: Credentials | None) -> ssl.SSLContext:
    """TLS settings that trust `server_ca` for the server, and show `credentials`, whatever they are worth."""
    context = ssl.create_default_context(cafile=server_ca)
    # What a hostile client shows is for the server to refuse: a weak or expired certificate must leave this side.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    if credentials is not None:
        context.load_cert_chain(credentials.chain, credentials.key)
    return context


def request_bytes(method: str, target: bytes, headers: Sequence[tuple[str, bytes]]) -> bytes:
    """One HTTP/1.1 request without a body, byte for byte."""
    fields = b"".join(name.encode("latin-1") + b": " + value + b"\r\n" for name, value in headers)
    return method.encode("latin-1") + b" " + target + b" HTTP/1.1\r\n" + fields + b"\r\n"


def call(
    address: tuple[str, int],
    context: ssl.SSLContext,
    request: bytes,
    *,
    sni: str | None,
    source: str = "127.0.0.1",
) -> Answer:
    """Send `request` on a new connection from the address `source`, and read the answer. Raises OSError.

    That is an `ssl.SSLError` with the alert, where the server has said by one why it wants no request.
    """
    raw = socket.create_connection(address, CALL_SECONDS, source_address=(source, 0))
    # The request follows the last message of the handshake at once, instead of waiting 40 ms for its acknowledgement.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with raw, context.wrap_socket(raw, server_hostname=sni) as connection:
        unsent: OSError | None = None
        try:
            connection.sendall(request)
        except OSError as error:
            # With TLS 1.3 a server refuses a client after that one's handshake: its alert may be waiting to be read.
            unsent = error
        try:
            return answer_from_socket(connection, method=request.split(b" ", 1)[0].decode("latin-1"))
        except ssl.SSLError:
            raise
        except OSError as error:
            raise unsent or error from None


def answer_from_socket(connection: socket.socket, *, method: str) -> Answer:
    """Read one HTTP/1.1 answer to a `method` request. Raises OSError."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP answer: {error!r}") from error
    finally:
        response.close()
