"""Connections to upstreams that are used again only if nothing came over them in between.

aiohttp reads on while a connection rests in its pool, and takes what it finds for the answer to whoever asks next: one
upstream that says more than its answer would answer somebody else. There is no public hook, so tests see to these.
"""

from functools import partial
from typing import Any, cast

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler


class RestingHandler(ResponseHandler):
    """One connection. `is_resting`: nobody waits for an answer."""

    is_resting = False

    def data_received(self, data: bytes) -> None:
        """Part of an answer, or the end of a connection on which nobody asked; nothing where aiohttp reads on."""
        if self.is_resting and data:
            self.abort()
            return
        super().data_received(data)

    def close(self) -> None:
        """End the connection, at once if the upstream has left something: it might never take it."""
        transport = self.transport
        if transport is not None and transport.get_write_buffer_size():
            self.abort()
        else:
            super().close()


class OwnAnswersConnector(TCPConnector):
    """aiohttp's, with handlers that know when they rest; that which began to rest last is used again first.

    aiohttp takes the one that has rested longest, so that all of them stay open for a load that one of them could bear.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = cast("partial[ResponseHandler]", partial(RestingHandler, loop=self._loop))

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.is_resting = True
        super()._release(key, protocol, should_close=should_close)
        resting = self._conns.get(key)
        if resting and resting[-1][0] is protocol:
            resting.rotate(1)

    async def _get(self, key: Any, traces: Any) -> Any:
        """A connection that rests, but none whose last answer was followed by more in one piece."""
        while (connection := await super()._get(key, traces)) is not None:
            protocol: Any = connection.protocol
            if not protocol.should_close:
                protocol.is_resting = False
                return connection
            connection.close()
        return None
