"""An HTTP/2 upstream without TLS that records what reached it: Envoy gives trailers to such an upstream only."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, TrailersReceived

Fields = list[tuple[bytes, bytes]]


@dataclass
class H2Received:
    """One request; `trailers` is empty if it came without."""

    headers: Fields
    trailers: Fields = field(default_factory=list)


class H2Upstream:
    """A context manager: a server on 127.0.0.1 that answers every request 200."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[H2Received] = []
        self._thread = threading.Thread(target=self._accept, name="h2 upstream", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), name="h2 connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False))
        open_requests: dict[int, H2Received] = {}
        with connection, contextlib.suppress(OSError):
            h2.initiate_connection()
            connection.sendall(h2.data_to_send())
            while received := connection.recv(65_536):
                for event in h2.receive_data(received):
                    self._take(h2, open_requests, event)
                connection.sendall(h2.data_to_send())

    def _take(self, h2: H2Connection, open_requests: dict[int, H2Received], event: Event) -> None:
        if isinstance(event, RequestReceived):
            open_requests[event.stream_id] = H2Received(list(event.headers))
        elif isinstance(event, TrailersReceived):
            open_requests[event.stream_id].trailers = list(event.headers)
        elif isinstance(event, DataReceived):
            h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.received.append(open_requests.pop(event.stream_id))
            h2.send_headers(event.stream_id, [(b":status", b"200")], end_stream=True)
