"""The gRPC listener: `envoy.service.discovery.v3.AggregatedDiscoveryService`, and nothing else, over mutual TLS.

grpcio's threaded server: each stream has one thread that sends and one that receives; neither decides anything, see
`Hub`. The handshake lets in whom an anchor of the policy vouches for; the policy judges the certificate (law 8).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Thread
from typing import NoReturn, cast
from urllib.parse import unquote

import grpc

from extauth.xds import limits
from extauth.xds.errors import StreamRefusedError
from extauth.xds.hub import STREAMS, Hub, Session
from extauth.xds.opening import SERVICE, Opening
from extauth.xds.stream import Outgoing
from policies.peer.presented import MalformedCertificate, Presented
from policies.peer.reader import PresentedReader
from runtime.address import Address, TcpAddress
from runtime.errors import ListenError
from runtime.hops import IpAddress, address_from_text
from runtime.listener import address_of, bound_from_address


class DiscoveryServer:
    """A listener that has not started yet. `address`: where it will listen, with the port that was chosen for port 0.

    Raises ListenError if the address cannot be had.
    """

    def __init__(self, hub: Hub, address: TcpAddress, credentials: grpc.ServerCredentials) -> None:
        self._hub = hub
        self._reader = PresentedReader()
        self._turns = BoundedSemaphore(limits.PARALLEL_SENDS)
        self._server = grpc.server(
            ThreadPoolExecutor(limits.MAX_STREAMS, "xds"),
            options=_OPTIONS,
            maximum_concurrent_rpcs=limits.MAX_STREAMS,
        )
        handlers = {name: grpc.stream_stream_rpc_method_handler(self._handler(name)) for name in STREAMS}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.address = self._listening(address, credentials)

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        self._server.start()

    def stop(self, grace: float) -> None:
        """Take no more streams, give those that are open `grace` seconds, and end."""
        self._server.stop(grace).wait()

    def _listening(self, address: TcpAddress, credentials: grpc.ServerCredentials) -> Address:
        with bound_from_address(address, share_port=False) as held:
            place = address_of(held)
        try:
            self._server.add_secure_port(str(place), credentials)
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {place}: {error}") from None
        return place

    def _handler(self, method: str) -> "Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]":
        def stream(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            try:
                session = self._hub.open(opening_from_context(method, context, self._reader), context.cancel)
            except StreamRefusedError as error:
                _abort(context, error)
            if not context.add_callback(lambda: self._hub.close(session)):
                self._hub.close(session)
            Thread(target=self._receive, args=(requests, session), name="xds-receive", daemon=True).start()
            yield from self._answers(session, context)

        return stream

    def _answers(self, session: Session, context: grpc.ServicerContext) -> Iterator[bytes]:
        while (item := session.outbox.get()) is not None:
            if not isinstance(item, Outgoing):
                _abort(context, item)
            in_turn = self._turns.acquire(timeout=limits.SEND_WAIT_SECONDS)
            try:
                # gRPC comes back for the next one when this one is on its way.
                yield item.message
            finally:
                if in_turn:
                    self._turns.release()
            del item

    def _receive(self, requests: Iterator[bytes], session: Session) -> None:
        try:
            for message in requests:
                self._hub.received(session, message)
        except Exception:  # noqa: BLE001, S110 - gRPC raises a bare Exception when a stream is cut off
            pass
        finally:
            self._hub.close(session)


_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", limits.MAX_REQUEST_BYTES),
    ("grpc.max_allowed_incoming_connections", limits.MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", limits.HANDSHAKE_MS),
    ("grpc.max_connection_idle_ms", limits.IDLE_MS),
    ("grpc.max_concurrent_streams", limits.MAX_CONNECTION_STREAMS),
    ("grpc.max_metadata_size", limits.MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", limits.MAX_METADATA_BYTES),
    ("grpc.keepalive_time_ms", limits.KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", limits.KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", limits.MIN_PING_INTERVAL_MS),
    ("grpc.http2.max_ping_strikes", limits.MAX_PING_STRIKES),
]


def opening_from_context(method: str, context: grpc.ServicerContext, reader: PresentedReader) -> Opening:
    """Who opens a stream. Nothing here is verified."""
    metadata: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for key, value in context.invocation_metadata():
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        metadata[key] = (*metadata[key], text)
    return Opening(
        method,
        presented_from_context(context, reader),
        host_from_context(context),
        dict(metadata),
        ip_from_peer(context.peer()),
    )


def presented_from_context(context: grpc.ServicerContext, reader: PresentedReader) -> Presented:
    """The certificate of the connection, and what came with it."""
    # The stubs say bytes, but each value is a list of them.
    auth = cast("Mapping[str, Sequence[bytes]]", context.auth_context())
    leaf = [_pem(item) for item in auth.get("x509_pem_cert", ())]
    if len(leaf) != 1:
        # The handshake has seen one: what it does not show is unreadable, never absent (law 7).
        return MalformedCertificate(f"the connection shows {len(leaf)} client certificates")
    chain = "".join(_pem(item) for item in auth.get("x509_pem_cert_chain", ()))
    return reader.from_percent_pem(leaf[0], chain)


def _pem(item: bytes) -> str:
    return item.decode("ascii", "replace")


def host_from_context(context: grpc.ServicerContext) -> str:
    """`:authority`. grpcio shows it in no public place; without it no host is known, and the stream is refused."""
    call = getattr(getattr(context, "_rpc_event", None), "call_details", None)
    host = getattr(call, "host", b"")
    return host.decode("utf-8", "surrogateescape") if isinstance(host, bytes) else ""


def ip_from_peer(peer: str) -> IpAddress | None:
    """`ipv4:192.0.2.1:99`, `ipv6:[2001:db8::1]:99` (the brackets may be percent-encoded); None for anything else."""
    kind, _, place = unquote(peer).partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return None
    return address_from_text(place.rpartition(":")[0].strip("[]"))


def _abort(context: grpc.ServicerContext, error: StreamRefusedError) -> NoReturn:
    context.abort(grpc.StatusCode[error.code], str(error))
    raise error  # not reached: `abort` raises
