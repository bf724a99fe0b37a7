"""A real SPIFFE Workload API on a Unix socket: gRPC, the standard's protocol, and whatever a test wants it to tell.

Messages are written here by hand, so that what our reader reads was not made by our own description of the message.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

import grpc

from pki.authority import Authority


def message(bundles: Mapping[str, bytes], crls: Sequence[bytes] = ()) -> bytes:
    """X509BundlesResponse: field 1 holds CRLs, field 2 the entries of a map."""
    entries = [_field(2, _field(1, key.encode()) + _field(2, value)) for key, value in bundles.items()]
    return b"".join([*(_field(1, crl) for crl in crls), *entries])


def bundle_of(*authorities: Authority) -> bytes:
    """The certificates of CAs, DER, one after the other."""
    return b"".join(authority.issued.der for authority in authorities)


class WorkloadApiServer:
    """What it tells changes at any time: every open stream gets it. `streams`: how many were opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.streams = 0
        self.refusal: grpc.StatusCode | None = None
        self._changed = Condition()
        self._message: bytes | None = None
        self._told = 0
        self._ending = False
        self._server: grpc.Server | None = None

    @property
    def url(self) -> str:
        """As the standard writes it, and policies too."""
        return f"unix://{self.path}"

    def tell(self, **bundles: bytes) -> None:
        """Tell these bundles, by trust domain with `_` for `.`."""
        self.tell_raw(message({f"spiffe://{name.replace('_', '.')}": value for name, value in bundles.items()}))

    def tell_raw(self, raw: bytes | None) -> None:
        """Send these bytes as a message; None: keep silent."""
        with self._changed:
            self._message, self._told = raw, self._told + 1
            self._changed.notify_all()

    def start(self) -> None:
        """Listen on the socket."""
        self._ending = False
        handler = grpc.unary_stream_rpc_method_handler(self._fetch_x509_bundles)
        options = [("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)]
        self._server = grpc.server(ThreadPoolExecutor(8), options=options)
        service = grpc.method_handlers_generic_handler("SpiffeWorkloadAPI", {"FetchX509Bundles": handler})
        self._server.add_generic_rpc_handlers((service,))
        self._server.add_insecure_port(f"unix:{self.path}")
        self._server.start()

    def stop(self) -> None:
        """Be gone, as an agent that is killed."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def _fetch_x509_bundles(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self.streams += 1
        if ("workload.spiffe.io", "true") not in list(map(tuple, context.invocation_metadata())):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        if request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "an X509BundlesRequest has no fields")
        if self.refusal is not None:
            context.abort(self.refusal, "no identity issued")
        told = -1
        while not self._ending and context.is_active():
            with self._changed:
                if self._told == told:
                    self._changed.wait(timeout=0.2)
                    continue
                told, raw = self._told, self._message
            if raw is not None:
                yield raw


@contextmanager
def workload_api(path: Path) -> Iterator[WorkloadApiServer]:
    """A server that is there until the end of the block."""
    server = WorkloadApiServer(path)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field (protobuf's wire type 2)."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    octets = []
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])
