"""The gRPC listener: `envoy.service.auth.v3.Authorization/Check` and `grpc.health.v1.Health/Check`.

grpcio's threaded server, which is the fast one. Messages pass as bytes and are read by our own classes, so that a
broken one is answered with a denial like every other. What gRPC itself answers (too large, too many, an exception) is
an error status, and Envoy denies on every error.

gRPC binds both IP versions for a wildcard: `0.0.0.0` listens on `::` too.
"""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import grpc

from extauth import limits
from extauth.answering_threads import AnsweringThreads
from extauth.grpc_check import GrpcCheck
from extauth.health import AUTHORIZATION, SERVICE, health_answer
from runtime.address import Address, UnixAddress
from runtime.errors import ListenError
from runtime.listener import address_of, bound_from_address, listener_from_address
from runtime.listener_tls import LiveTls, TlsMaterial

_SOCKET_MODE = 0o660


class GrpcServer:
    """A listener that has not started yet. `address`: where it will listen, with the port that was chosen for port 0.

    `share_port`: several processes listen on the port (SO_REUSEPORT); never on a Unix socket. Raises ListenError if the
    address cannot be had.
    """

    def __init__(
        self,
        check: GrpcCheck,
        is_serving: Callable[[], bool],
        address: Address,
        *,
        tls: LiveTls | None = None,
        share_port: bool = False,
    ) -> None:
        self._draining = False
        self._is_serving = is_serving
        self._threads = AnsweringThreads(limits.ANSWERING_THREADS)
        self._server = grpc.server(
            self._threads,  # type: ignore[arg-type]  # gRPC uses `submit`, as documented of Executor
            options=_options(share_port=share_port),
            maximum_concurrent_rpcs=limits.MAX_CONCURRENT_CALLS,
        )
        self._server.add_generic_rpc_handlers(
            (
                _unary(AUTHORIZATION, lambda message, _: check.answer(message, self._threads.aside)),
                _unary(SERVICE, self._answer_health),
            )
        )
        self.address = self._listening(address, None if tls is None else _credentials(tls), share_port=share_port)

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        self._server.start()

    def stop(self, grace: float) -> None:
        """Take no more calls, give those in flight `grace` seconds, and end."""
        self._draining = True
        if isinstance(self.address, UnixAddress):
            # gRPC removes the socket too, but not of a server that never started.
            Path(self.address.path).unlink(missing_ok=True)
        self._server.stop(grace).wait()
        self._threads.shutdown(wait=False)

    def _answer_health(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        answer = health_answer(message, lambda: self._is_serving() and not self._draining)
        if answer is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return answer

    def _listening(self, address: Address, credentials: grpc.ServerCredentials | None, *, share_port: bool) -> Address:
        if isinstance(address, UnixAddress):
            # gRPC would take the socket away from a process that lives; this refuses, and removes a dead one.
            listener_from_address(address).close()
            before = os.umask(0o777 & ~_SOCKET_MODE)
            try:
                self._bind(f"unix:{quote(address.path)}", credentials)
            finally:
                os.umask(before)
            return address
        with bound_from_address(address, share_port=share_port) as held:
            place = address_of(held)
            if share_port:
                self._bind(str(place), credentials)
        if not share_port:
            self._bind(str(place), credentials)
        return place

    def _bind(self, place: str, credentials: grpc.ServerCredentials | None) -> None:
        try:
            if credentials is None:
                self._server.add_insecure_port(place)
            else:
                self._server.add_secure_port(place, credentials)
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {place}: {error}") from None


def _unary(
    service: str, answer: Callable[[bytes, grpc.ServicerContext], bytes]
) -> "grpc.GenericRpcHandler[bytes, bytes]":
    """The one method of a service, `Check`; without (de)serializers gRPC hands over bytes."""
    return grpc.method_handlers_generic_handler(service, {"Check": grpc.unary_unary_rpc_method_handler(answer)})


def _options(*, share_port: bool) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", int(share_port)),
        ("grpc.max_receive_message_length", limits.MAX_CHECK_BYTES),
        ("grpc.max_concurrent_streams", limits.MAX_CONCURRENT_STREAMS),
        ("grpc.max_metadata_size", limits.MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", limits.MAX_METADATA_BYTES),
        ("grpc.keepalive_time_ms", limits.KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", limits.KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", limits.MIN_PING_INTERVAL_MS),
        ("grpc.http2.max_ping_strikes", limits.MAX_PING_STRIKES),
    ]


def _credentials(tls: LiveTls) -> grpc.ServerCredentials:
    """The files in force; gRPC asks at each handshake whether there are new ones."""
    require = tls.material.client_ca is not None

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        material = tls.renewed()
        return None if material is None else _configuration(material)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(tls.material),
        renewed,  # type: ignore[arg-type]  # the stubs miss that None means unchanged
        require_client_authentication=require,
    )


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.client_ca)
