"""The HTTP listener: uvicorn with httptools and uvloop, in a thread of its own.

uvicorn is told to believe nothing: no X-Forwarded-For, no WebSocket, no lifespan. A new certificate is taken over by a
new acceptor on the same socket: a connection keeps the one it began with. For that, `startup` of uvicorn's `Server` is
used once more: it is pinned, and tested.
"""

import asyncio
import socket
import ssl
from pathlib import Path
from threading import Thread

import uvicorn
import uvloop

from extauth import limits
from extauth.http_app import HttpCheck
from extauth.http_protocol import CheckProtocol
from runtime.address import Address, UnixAddress
from runtime.errors import ServiceError
from runtime.listener import address_of
from runtime.listener_tls import LiveTls, context_from_material


class HttpServer:
    """Serves `app` on a listening socket, which it closes. `address`: where that is."""

    def __init__(self, app: HttpCheck, listener: socket.socket, *, tls: LiveTls | None = None) -> None:
        self.address: Address = address_of(listener)
        self._listener = listener
        self._tls = tls
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=CheckProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                proxy_headers=False,
                server_header=False,
                date_header=False,
                log_config=None,
                log_level="error",
                access_log=False,
                backlog=limits.HTTP_BACKLOG,
            )
        )
        self._server.config.load()
        self._thread = Thread(target=self._run, name="http-check", daemon=True)

    def start(self) -> None:
        """Answer from now on. Raises ServiceError if the thread ends at once."""
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                raise ServiceError("the HTTP listener did not start")

    def stop(self, grace: float) -> None:
        """Take no more requests, give those in flight `grace` seconds, and end."""
        if isinstance(self.address, UnixAddress):
            Path(self.address.path).unlink(missing_ok=True)
        self._server.config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace + 1)
        self._listener.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        tls = self._tls
        if tls is None:
            await self._server.serve(sockets=[self._listener])
            return
        self._server.config.ssl = context_from_material(tls.material, tls.files)
        renewing = asyncio.create_task(self._renew(tls))
        try:
            await self._server.serve(sockets=[self._listener.dup()])
        finally:
            renewing.cancel()

    async def _renew(self, tls: LiveTls) -> None:
        """Look for new TLS files, and let new connections have them."""
        while True:
            await asyncio.sleep(limits.TLS_RELOAD_SECONDS)
            material = tls.renewed()
            if material is not None and self._server.started:
                await self._accept_with(context_from_material(material, tls.files))

    async def _accept_with(self, context: ssl.SSLContext) -> None:
        self._server.config.ssl = context
        before = self._server.servers
        await self._server.startup(sockets=[self._listener.dup()])
        for server in before:
            server.close()
