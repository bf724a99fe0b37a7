"""The ops listener: `/healthz`, `/readyz`, `/metrics`, a service's own pages. Served by a thread with its own loop.

It shows problems of the policy and the state of the service: bind it where only operators and probes reach it. A
connection that is one too many, or asks nothing, is closed: it holds a descriptor that serving and reloading need.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from threading import Thread
from time import time

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.errors import ServiceError
from runtime.expiry_status import json_from_ends, near_ends
from runtime.limits import MAX_OPS_CONNECTIONS, OPS_STOP_SECONDS
from runtime.process_status import ServiceStatus
from runtime.status_metrics import StatusCollector

#: Seconds in which a connection gets a request answered: from its beginning, and from each answer.
OPS_ANSWER_SECONDS = 10.0
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

#: What a service shows beside its health: path -> a function that gives the page, to be written as JSON.
Pages = Mapping[str, Callable[[], object]]
NO_PAGES: Pages = {}

_Endpoint = Callable[[Request], Awaitable[Response]]


def ops_app(
    status: Callable[[], ServiceStatus],
    registry: CollectorRegistry,
    pages: Pages = NO_PAGES,
    clock: Callable[[], float] = time,
) -> Starlette:
    """The application. `registry`: what is counted beside the status. `clock`: epoch seconds, UTC."""
    app = Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", _readiness(status, clock)),
            Route("/metrics", _metrics(status, registry)),
            *(Route(path, _page(read)) for path, read in pages.items()),
        ]
    )
    app.router.redirect_slashes = False
    return app


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive\n")


def _readiness(status: Callable[[], ServiceStatus], clock: Callable[[], float]) -> _Endpoint:
    async def ready(_: Request) -> Response:
        now = status()
        body = now.json() | json_from_ends(near_ends(now), clock())
        return JSONResponse(body, status_code=200 if now.is_ready else 503)

    return ready


def _metrics(status: Callable[[], ServiceStatus], registry: CollectorRegistry) -> _Endpoint:
    states = CollectorRegistry()
    states.register(StatusCollector(status))

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(states) + generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


def _page(read: Callable[[], object]) -> _Endpoint:
    async def page(_: Request) -> Response:
        return JSONResponse(read())

    return page


class OpsProtocol(HttpToolsProtocol):
    """One connection, within the bounds on connections and time; uvicorn has none before a head is complete."""

    _deadline: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        """Begin, or refuse what is beyond the bound."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(OPS_ANSWER_SECONDS, transport.abort)
        if len(self.connections) > MAX_OPS_CONNECTIONS:
            transport.write(_BUSY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless the connection was refused."""
        if not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        """Time begins anew with every answer."""
        self._deadline.cancel()
        self._deadline = self.loop.call_later(OPS_ANSWER_SECONDS, self.transport.abort)
        super().on_response_complete()


class OpsServer:
    """Serves an application on a listening socket, in a thread."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        self._listener = listener
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=OpsProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=OPS_STOP_SECONDS,
            )
        )
        self._thread = Thread(target=self._run, name="ops", daemon=True)

    def start(self) -> None:
        """Serve; the socket already accepts. Raises ServiceError if the thread ends at once."""
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                raise ServiceError("the ops listener did not start")

    def stop(self) -> None:
        """Close the listener and wait for the thread."""
        self._server.should_exit = True
        self._thread.join(OPS_STOP_SECONDS + 1)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))
