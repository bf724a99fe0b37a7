"""The ops listener: `/healthz`, `/readyz`, `/metrics`, and nothing else. Served by a thread with its own loop.

It shows problems of the policy and the state of the service: bind it where only operators and probes reach it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from threading import Thread
from time import time

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runtime.errors import ServiceError
from runtime.expiry_status import json_from_ends, near_ends
from runtime.limits import MAX_OPS_CONNECTIONS, OPS_STOP_SECONDS
from runtime.process_status import ServiceStatus
from runtime.status_metrics import StatusCollector

_Endpoint = Callable[[Request], Awaitable[Response]]


def ops_app(
    status: Callable[[], ServiceStatus], registry: CollectorRegistry, clock: Callable[[], float] = time
) -> Starlette:
    """The application. `registry`: what is counted beside the status. `clock`: epoch seconds, UTC."""
    app = Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", _readiness(status, clock)),
            Route("/metrics", _metrics(status, registry)),
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


class OpsServer:
    """Serves an application on a listening socket, in a thread."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        self._listener = listener
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_OPS_CONNECTIONS,
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
