"""A responder on loopback that answers what a test wants, when it wants, and remembers what it was asked."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote

from policies.peer.fetch_url import FetchUrl
from policies.peer.ocsp import OcspMethod, OcspSource


class OcspServer:
    """`answer`: from the request, DER, to the response. `held`: cleared, it answers nobody until it is set."""

    def __init__(self) -> None:
        self.answer: Callable[[bytes], bytes] = lambda request: b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.held = Event()
        self.held.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ocsp"

    def source(self, method: OcspMethod = OcspMethod.POST, *, nonce: bool = False) -> OcspSource:
        return OcspSource(FetchUrl.parse(self.url), True, method, nonce)


@contextmanager
def ocsp_server() -> Iterator[OcspServer]:
    """A responder that is there until the end of the block."""
    state = OcspServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.told("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self.told("GET", b64decode(unquote(self.path.removeprefix("/ocsp/"))))

        def told(self, method: str, request: bytes) -> None:
            state.asked.append((method, request))
            state.held.wait(60)
            body = state.answer(request)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever hung up is not told of."""

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
