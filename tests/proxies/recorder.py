"""An upstream that remembers the headers of each request, as they came."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Headers = list[tuple[str, str]]


class Recorder(ThreadingHTTPServer):
    """Listens on a free port of the loopback; `received` has the headers of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.received: list[Headers] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_port

    def last(self, name: str) -> tuple[str, ...]:
        """The values of a header of the last request, in order of receipt."""
        return tuple(value for key, value in self.received[-1] if key.lower() == name.lower())


class _Recording(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        if isinstance(server, Recorder):
            server.received.append(list(self.headers.items()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        """Nothing is written to the console."""


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder that answers until the block ends."""
    with Recorder() as recorder:
        thread = Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()
