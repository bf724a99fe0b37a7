"""The HTTP client of the proxy: aiohttp, told to change nothing.

A target is given to it as an encoded path as a whole: every other way rewrites some of them (`/a/%2e%2e/b`, `/a?`).
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from gateway.proxy import limits
from gateway.proxy.connector import OwnAnswersConnector
from gateway.proxy.destination import Destination
from gateway.proxy.errors import (
    LostError,
    ProxyError,
    SlowError,
    UnforwardableError,
    UnreachableError,
    UntrustedUpstreamError,
)
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.upstream_tls import UpstreamTls
from gateway.proxy.written_request import WrittenRequest, headers_from_outgoing

#: aiohttp would add them of its own; a request has what its client sent.
_NOT_ADDED = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})
#: Statuses of an answer (RFC 9110 §15). aiohttp has read away interim ones but 101, which nobody asked for here.
_FINAL = range(200, 600)


class UpstreamClient:
    """Connections to upstreams, of one event loop."""

    def __init__(self, tls: UpstreamTls, *, read_seconds: float = limits.READ_SECONDS) -> None:
        self._tls = tls
        self.read_seconds = read_seconds
        self._session = aiohttp.ClientSession(
            connector=OwnAnswersConnector(
                # A client's connection needs one at most, and those are bounded. With a bound here one client could
                # take them all, and the others would wait.
                limit=0,
                keepalive_timeout=limits.IDLE_SECONDS,
            ),
            request_class=WrittenRequest,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=limits.CONNECT_SECONDS,
                sock_connect=limits.CONNECT_SECONDS,
                sock_read=read_seconds,
            ),
            read_bufsize=limits.READ_AHEAD_BYTES,
            max_line_size=limits.MAX_HEADER_BYTES,
            max_field_size=limits.MAX_HEADER_BYTES,
            trust_env=False,
        )
        # It would send PUT and DELETE again; what is repeated, and to whom, is decided in `exchange`. There is no
        # public switch, so a test sees to it.
        self._session._retry_connection = False

    async def ask(
        self, destination: Destination, outgoing: Outgoing, body: AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its answer. Raises ProxyError."""
        try:
            response = await self._session.request(
                outgoing.method,
                self._url(destination, outgoing),
                headers=headers_from_outgoing(outgoing),
                data=body,
                allow_redirects=False,
                ssl=self._ssl(destination),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _proxy_error(error, destination) from error
        if response.status not in _FINAL:
            response.close()
            raise ProxyError(f"{destination}: the status of its answer is {response.status}, not 200 to 599")
        return response

    async def websocket(
        self, destination: Destination, outgoing: Outgoing, protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket. Raises ProxyError, or WSServerHandshakeError with the upstream's own answer."""
        try:
            return await self._session.ws_connect(
                self._url(destination, outgoing),
                headers=CIMultiDict(outgoing.texts()),
                protocols=protocols,
                # aiohttp refuses what is as long.
                max_msg_size=limits.MAX_MESSAGE_BYTES + 1,
                compress=0,
                ssl=self._ssl(destination),
            )
        except aiohttp.WSServerHandshakeError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _proxy_error(error, destination) from error

    async def close(self) -> None:
        """End every connection."""
        await self._session.close()

    @staticmethod
    def _url(destination: Destination, outgoing: Outgoing) -> URL:
        scheme = "https" if destination.secure else "http"
        return URL.build(
            scheme=scheme, host=destination.address, port=destination.port, path=outgoing.target, encoded=True
        )

    def _ssl(self, destination: Destination) -> Any:
        return self._tls.context(destination.peer) if destination.secure else True


def _proxy_error(error: Exception, destination: Destination) -> ProxyError:
    """What went wrong, in our words."""
    told = f"{destination}: {error or type(error).__name__}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return UntrustedUpstreamError(told)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UnreachableError(f"{told} (within {limits.CONNECT_SECONDS:g} s)")
    if isinstance(error, TimeoutError):
        return SlowError(told)
    if isinstance(error, aiohttp.ClientConnectorError):
        return UnreachableError(told)
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return UnforwardableError(told)
    return LostError(told)
