"""A complete service with the smallest possible adapter, started as a program of its own by the tests.

`python -m tests.runtime.serving_program LISTEN POLICY [KEY=VALUE …]`: plain HTTP without certificates. It answers with
200 or 403 and a JSON body; `/slow` takes a second first.
"""

import json
import os
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep, time

from policies.engine.record import Enforcement
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import NO_CERTIFICATE
from runtime.address import Address, address_from_text
from runtime.configuration import ServeConfiguration
from runtime.errors import ConfigurationError
from runtime.judge import Judge
from runtime.listener import listener_from_address
from runtime.process_status import FrontReport
from runtime.run import run_service
from runtime.service import Serving
from runtime.settings import configured


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    judge: Judge


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/slow":
            sleep(1)
        judge = self.server.judge
        host = self.headers.get("host", "")
        asked = Request(NO_CERTIFICATE, "GET", self.path, host, EMPTY_HEADERS, None, None, None, time())
        verdict = judge.decide(judge.policy, asked, read_again=lambda _: asked)
        body = json.dumps({"pid": os.getpid(), "reason": verdict.decision.reason}).encode()
        self.send_response(200 if verdict.permitted else 403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        return


class HttpFront:
    """Serves from threads."""

    def __init__(self, address: Address, serving: Serving) -> None:
        self._address = address
        self._serving = serving

    def start(self) -> None:
        listener = listener_from_address(self._address, share_port=self._serving.share_port)
        listener.setblocking(True)
        self._server = _Server(("", 0), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._server.judge = self._serving.judge(Enforcement.EXTAUTH)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(seconds)

    def report(self) -> FrontReport:
        return FrontReport(notices=("a notice of the adapter",))


def main(arguments: list[str]) -> None:
    listen, policy, *others = arguments
    flags = dict(item.split("=", 1) for item in others)
    try:
        address = address_from_text(listen)
        configuration = configured(ServeConfiguration, {"policy": policy, **flags}, {}).value
        run_service(configuration, partial(HttpFront, address), [address])
    except ConfigurationError as error:
        print(f"serving_program: {error}", file=sys.stderr)
        sys.exit(78)


if __name__ == "__main__":
    main(sys.argv[1:])
