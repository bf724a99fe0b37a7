"""The server: uvicorn with httptools and uvloop in a thread of its own, over our acceptor.

uvicorn is told to believe nothing and to accept nothing itself: `startup` of its `Server` is replaced. It is pinned,
and the replacement is tested.
"""

import asyncio
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, cast

import uvicorn
import uvloop

from gateway.server import limits
from gateway.server.acceptor import Acceptor
from gateway.server.attempt import CURRENT, Source
from gateway.server.bounds import Bounds
from gateway.server.caps import ConnectionCaps
from gateway.server.protocol import GatewayHttp, protocols
from gateway.server.tls_context import GatewayContext
from runtime.address import Address, UnixAddress
from runtime.errors import ServiceError
from runtime.listener import address_of


class GatewayServer:
    """Serves an ASGI application on a listening socket, which it closes. `address`: where that is."""

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        context: Callable[[], GatewayContext | None],
        bounds: Bounds | None = None,
        *,
        is_balancer: Callable[[Source], bool] = lambda _: False,
        count: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """As `Acceptor` has them: `context`, `is_balancer`, `count`."""
        bounds = bounds or Bounds()
        self.address: Address = address_of(listener)
        http, websocket = protocols(bounds)
        config = uvicorn.Config(
            app,
            http=http,
            ws=websocket,
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            log_config=None,
            log_level="error",
            access_log=False,
            ws_max_size=limits.MAX_MESSAGE_BYTES,
            # A compressed part is unpacked whole before its size is known.
            ws_per_message_deflate=False,
            # Ours are in `look`, which knows every phase.
            timeout_keep_alive=cast("int", bounds.idle_seconds),
        )
        config.load()
        self.caps = ConnectionCaps(_within_descriptors(bounds.max_connections), bounds.max_address_connections)
        self._server = _Server(config, Acceptor(listener, context, self.caps, is_balancer=is_balancer, count=count))
        self._thread = Thread(target=self._run, name="gateway", daemon=True)

    def start(self) -> None:
        """Answer from now on. Raises ServiceError if the thread ends at once."""
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                raise ServiceError("the gateway's application did not start")

    def stop(self, grace: float) -> None:
        """Take no more requests, give those in flight `grace` seconds, and end."""
        if isinstance(self.address, UnixAddress):
            Path(self.address.path).unlink(missing_ok=True)
        self._server.config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace + limits.CLOSE_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve())


class _Server(uvicorn.Server):
    """uvicorn's server, accepting with `acceptor`."""

    def __init__(self, config: uvicorn.Config, acceptor: Acceptor) -> None:
        super().__init__(config)
        self._acceptor = acceptor
        self._looking: asyncio.TimerHandle | None = None
        self._to_look_at: list[Any] = []
        self._share = 1

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        self.servers = [cast("asyncio.base_events.Server", self._acceptor)]
        self._acceptor.start(self._protocol)
        self._look()
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; the deadlines hold until the end."""
        await super().shutdown(sockets)
        if self._looking is not None:
            self._looking.cancel()

    def _protocol(self) -> asyncio.Protocol:
        """Made in the context of the task that accepted the connection."""
        make: Any = self.config.http_protocol_class
        protocol: GatewayHttp = make(self.config, self.server_state, self.lifespan.state)
        protocol.attempt = CURRENT.get()
        return protocol

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(limits.LOOK_SECONDS / limits.LOOK_SHARES, self._look)
        now = loop.time()
        if not self._to_look_at:
            self._to_look_at = list(self.server_state.connections)
            self._share = 1 + len(self._to_look_at) // limits.LOOK_SHARES
        self._to_look_at, share = self._to_look_at[self._share :], self._to_look_at[: self._share]
        for connection in share:
            cast("GatewayHttp", connection).look(now)


def _within_descriptors(wanted: int) -> int:
    """As many connections as leave descriptors for upstreams and files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, int(soft * limits.CLIENT_DESCRIPTOR_SHARE)))
