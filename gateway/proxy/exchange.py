"""One request and its answer, streamed both ways: neither side is read faster than the other takes it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import aiohttp

from gateway.proxy.client import UpstreamClient
from gateway.proxy.errors import LostError, ProxyError, SlowError, UnreachableError
from gateway.proxy.forwarded_headers import client_headers
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.upstream import Endpoint, Upstream

#: Statuses of answers without a body (RFC 9112 §6.3).
_WITHOUT_BODY = (204, 304)


class ClientBody:
    """What the client sends after the head. `is_stuck`: the upstream has not taken a part of it within its time."""

    def __init__(self, receive: Any, ends: asyncio.Timeout, take_seconds: float) -> None:
        """`ends`: the exchange, which is interrupted if the upstream takes longer than `take_seconds` for a part."""
        self._receive = receive
        self._ends = ends
        self._take_seconds = take_seconds
        self.is_begun = False
        self.is_gone = False
        self.is_stuck = False
        self._is_whole = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises ConnectionError if the client went away within it, so that the upstream sees no end."""
        self.is_begun = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise ConnectionError("the client went away within the request")
            if message.get("body"):
                late = asyncio.get_running_loop().call_later(self._take_seconds, self._stick)
                try:
                    yield message["body"]
                finally:
                    late.cancel()
            if not message.get("more_body"):
                self._is_whole.set()
                return

    def _stick(self) -> None:
        self.is_stuck = True
        _interrupt(self._ends)

    async def client_gone(self, *, has_body: bool) -> None:
        """Return when the client has gone away, seen only once its body is whole."""
        if has_body:
            await self._is_whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True


async def exchange(client: UpstreamClient, upstream: Upstream, outgoing: Outgoing, receive: Any, send: Any) -> None:
    """Forward, and answer. Raises ProxyError as long as nothing was answered.

    An answer that breaks off stays incomplete: the server then closes the connection, and the client knows.
    """
    gone = asyncio.timeout(None)
    body = ClientBody(receive, gone, client.read_seconds)
    is_answered = False
    watch = asyncio.ensure_future(body.client_gone(has_body=outgoing.has_body))
    watch.add_done_callback(_ending(gone))
    try:
        async with gone:
            response = await _answer(client, upstream, outgoing, body)
            is_answered = True
            async with response:
                await _send_back(response, client.read_seconds, send)
    except TimeoutError:
        if body.is_stuck and not is_answered:
            raise SlowError(f"the upstream took nothing of the body for {client.read_seconds:g} s") from None
        if not body.is_gone and not body.is_stuck:
            raise
    except ProxyError:
        if not body.is_gone:
            raise
    finally:
        watch.cancel()


def _ending(gone: asyncio.Timeout) -> Callable[[asyncio.Future[None]], None]:
    """Interrupts the block of `gone` when the client has gone away."""

    def end(done: asyncio.Future[None]) -> None:
        if not done.cancelled():
            done.exception()
            _interrupt(gone)

    return end


def _interrupt(exchanging: asyncio.Timeout) -> None:
    # It may be over at the same moment.
    with suppress(RuntimeError):
        exchanging.reschedule(asyncio.get_running_loop().time())


async def _answer(
    client: UpstreamClient, upstream: Upstream, outgoing: Outgoing, body: ClientBody
) -> aiohttp.ClientResponse:
    """The head of the answer, of the first endpoint that gives one."""
    last: ProxyError | None = None
    asked: Endpoint | None = None
    for endpoint in upstream.attempts():
        if endpoint is asked and isinstance(last, UnreachableError):
            break
        asked = endpoint
        try:
            return await client.ask(endpoint.destination, outgoing, body.chunks() if outgoing.has_body else None)
        except UnreachableError as error:
            # Nothing was sent, so another endpoint may have it, whatever it is.
            endpoint.failed()
            last = error
        except LostError as error:
            if not outgoing.is_repeatable:
                raise
            last = error
        if body.is_begun:
            break
    raise last or UnreachableError("the upstream has no endpoint")


async def _send_back(response: aiohttp.ClientResponse, read_seconds: float, send: Any) -> None:
    headers = client_headers(response.raw_headers)
    if response.status in _WITHOUT_BODY:
        # Of a 304 it may tell the length of what is not sent; the server would wait for it.
        headers = [(name, value) for name, value in headers if name != b"content-length"]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    content = response.content
    try:
        while not content.at_eof():
            # aiohttp's own deadline ends with the connection, and it forgets to tell the reader of a broken chunk.
            async with asyncio.timeout(read_seconds):
                chunk = await content.readany()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (aiohttp.ClientError, OSError):
        # The head is out: leaving the answer incomplete is the one way to say so.
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
