"""A gRPC client that speaks to the service as an Envoy does, over mutual TLS, or worse."""

import queue
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Any, Self

import grpc

from extauth.xds.opening import SERVICE
from peergate.demo.client import Credentials
from runtime.address import TcpAddress
from tests.extauth.xds.world import SERVER_NAME, World

SOTW, DELTA = "StreamAggregatedResources", "DeltaAggregatedResources"


def channel(world: World, address: TcpAddress, who: Credentials, **options: Any) -> grpc.Channel:
    """A connection of its own."""
    credentials = grpc.ssl_channel_credentials(
        (world.folder / "mesh.pem").read_bytes(), who.key.read_bytes(), who.chain.read_bytes()
    )
    chosen = {"grpc.ssl_target_name_override": SERVER_NAME, "grpc.use_local_subchannel_pool": 1, **options}
    return grpc.secure_channel(str(address), credentials, list(chosen.items()))


@dataclass
class Stream:
    """One stream. What comes is read by a thread of its own; `ended` is the error that ended it."""

    channel: grpc.Channel
    method: str = SOTW
    answers: "queue.SimpleQueue[bytes | None]" = field(default_factory=queue.SimpleQueue)
    ended: grpc.RpcError | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def __enter__(self) -> Self:
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        call = self.channel.stream_stream(f"/{SERVICE}/{self.method}", bytes, bytes)
        self.call = call(iter(self._requests.get, None), metadata=self.metadata)
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.put(None)
        self.call.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        self._thread.join(10)

    def send(self, request: bytes) -> None:
        self._requests.put(request)

    def read(self, seconds: float = 10) -> bytes:
        """The next answer. Raises queue.Empty if none comes."""
        answer = self.answers.get(timeout=seconds)
        assert answer is not None, self.ended
        return answer

    def status(self, seconds: float = 10) -> tuple[str, str]:
        """How the stream was ended."""
        while self.answers.get(timeout=seconds) is not None:
            pass
        assert self.ended is not None
        return self.ended.code().name, self.ended.details() or ""

    def _read(self) -> None:
        try:
            for answer in self.call:
                self.answers.put(answer)
        except grpc.RpcError as error:
            self.ended = error
        self.answers.put(None)


def envoy_certificate(world: World, name: str = "0", **leaf: Any) -> Credentials:
    """The certificate of an Envoy of the fleet."""
    return world.issue(f"client-{name}", uri=[f"spiffe://acme.internal/envoy/{name}"], **leaf)
