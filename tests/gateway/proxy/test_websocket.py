"""A WebSocket goes both ways through the gateway once it is allowed, and ends when it no longer is."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.server.server import GatewayServer
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from runtime.address import TcpAddress
from tests.extauth.world import Files
from tests.gateway.proxy.world import POLICY, policy, proxying
from tests.gateway.server.world import BILLING, Client, billing, mesh
from tests.support.connections import connections_closed


class EchoServer:
    """A WebSocket server of aiohttp in a thread. `requests`: what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.closed_with: list[int | None] = []
        self.port = 0
        self._talking: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "EchoServer":
        self._thread.start()
        while not self.port:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/v1/refused", self._refuse)
        app.router.add_route("*", "/{rest:.*}", self._echo)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        await self._stop.wait()
        await runner.cleanup()
        await connections_closed()

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=418, headers={"x-why": "tea"})

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        self.requests.append(request)
        socket = web.WebSocketResponse(protocols=("chat",), max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                if message.data == "bye":
                    await socket.close(code=4001)
                elif message.data == "talk":
                    self._talking.add(asyncio.ensure_future(_talk(socket)))
                elif message.data == "talk, and hear nothing":
                    await _talk(socket)
                    break
                else:
                    await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        self.closed_with.append(socket.close_code)
        return socket


async def _talk(socket: web.WebSocketResponse) -> None:
    """Say something until the other side is gone."""
    with suppress(ConnectionError):
        while True:
            await socket.send_str("and then")
            await asyncio.sleep(0)


@contextmanager
def world(**settings: Any) -> Iterator[tuple[EchoServer, GatewayServer]]:
    with EchoServer() as upstream, proxying(f"http://127.0.0.1:{upstream.port}", **settings) as server:
        yield upstream, server


@asynccontextmanager
async def opened(
    server: GatewayServer, path: str = "/v1/chat?x=1", more: Mapping[str, str] = MappingProxyType({}), **options: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    assert isinstance(server.address, TcpAddress)
    url = f"https://localhost:{server.address.port}{path}"
    async with aiohttp.ClientSession() as session:
        headers = {"Host": "h.example", "X-Peergate-Identity": "evil-claim", **more}
        async with session.ws_connect(url, ssl=Client(billing()).context(), headers=headers, **options) as connection:
            yield connection


def run(scene: Any) -> Any:
    async def whole() -> Any:
        found = await asyncio.wait_for(scene, 20)
        await connections_closed()
        return found

    return asyncio.run(whole())


def test_messages_go_both_ways() -> None:
    async def scene(server: GatewayServer) -> None:
        async with opened(server, protocols=("chat",)) as connection:
            assert connection.protocol == "chat"
            await connection.send_str("hellö")
            assert await connection.receive_str() == "hellö"
            await connection.send_bytes(bytes(100_000))
            assert await connection.receive_bytes() == bytes(100_000)

    with world() as (upstream, server):
        run(scene(server))
        (request,) = upstream.requests
        assert request.path_qs == "/v1/chat?x=1"
        assert request.headers.getall("x-peergate-identity") == ["billing"]
        assert request.headers["x-peergate-spiffe-id"] == BILLING
        assert request.headers["host"] == "h.example"


def test_a_header_that_a_client_calls_head_is_a_header() -> None:
    evil = "GET /evil HTTP/1.1"

    async def scene(server: GatewayServer) -> None:
        async with opened(server, more={"Head": evil}) as connection:
            await connection.send_str("hello")
            assert await connection.receive_str() == "hello"

    with world() as (upstream, server):
        run(scene(server))
        (request,) = upstream.requests
        assert (request.path_qs, request.headers["head"]) == ("/v1/chat?x=1", evil)


def test_the_code_of_the_upstream_reaches_the_client() -> None:
    async def scene(server: GatewayServer) -> int | None:
        async with opened(server) as connection:
            await connection.send_str("bye")
            await connection.receive()
            return connection.close_code

    with world() as (_, server):
        assert run(scene(server)) == 4001


def test_the_code_of_the_client_reaches_the_upstream() -> None:
    async def scene(server: GatewayServer, upstream: EchoServer) -> None:
        async with opened(server) as connection:
            await connection.close(code=4002)
        for _ in range(100):
            if upstream.closed_with:
                return
            await asyncio.sleep(0.02)

    with world() as (upstream, server):
        run(scene(server, upstream))
        assert upstream.closed_with == [4002]


def test_the_code_of_the_client_reaches_an_upstream_that_goes_on_talking(monkeypatch: pytest.MonkeyPatch) -> None:
    # A machine with other work needs its time to hear it; the bound itself is the next test's.
    monkeypatch.setattr("gateway.proxy.websocket.CLOSE_SECONDS", 10.0)

    async def scene(server: GatewayServer, upstream: EchoServer) -> None:
        for _ in range(10):
            async with opened(server) as connection:
                await connection.send_str("talk")
                await connection.receive_str()
                await connection.close(code=4002)
        for _ in range(100):
            if len(upstream.closed_with) == 10:
                return
            await asyncio.sleep(0.02)

    with world() as (upstream, server):
        run(scene(server, upstream))
        assert upstream.closed_with == [4002] * 10


def test_an_upstream_that_hears_no_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.proxy.websocket.CLOSE_SECONDS", 0.2)

    async def scene(server: GatewayServer, upstream: EchoServer) -> None:
        async with opened(server) as connection:
            await connection.send_str("talk, and hear nothing")
            await connection.receive_str()
        while not upstream.closed_with:
            await asyncio.sleep(0.02)

    with world() as (upstream, server):
        began = time.monotonic()
        run(scene(server, upstream))
        assert time.monotonic() - began < 3


def refusal(server: GatewayServer, path: str) -> aiohttp.WSServerHandshakeError:
    async def scene() -> None:
        async with opened(server, path):
            pass

    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        run(scene())
    return error.value


def test_what_is_denied_is_not_opened() -> None:
    with world() as (upstream, server):
        assert refusal(server, "/other").status == 403
        assert upstream.requests == []


def test_the_refusal_of_the_upstream_is_passed_on() -> None:
    with world() as (_, server):
        error = refusal(server, "/v1/refused")
        assert error.status in {403, 418}


def test_an_upstream_that_cannot_be_reached_refuses() -> None:
    with proxying("http://127.0.0.1:1") as server:
        assert refusal(server, "/v1/a").status in {403, 500, 502}


class Switch:
    def __init__(self) -> None:
        self.current: PolicySet = policy()


def other_policy() -> PolicySet:
    text = POLICY.replace("sa/billing", "sa/somebody-else")
    loaded = load_policy({"policy.yaml": text.encode()}, Files({"root.pem": mesh().pem}))
    assert loaded.policy is not None
    return loaded.policy


def test_it_is_closed_within_five_seconds_when_the_policy_no_longer_allows_it() -> None:
    """Law 9, with the interval of the product."""
    switch = Switch()

    async def scene(server: GatewayServer) -> tuple[int | None, float]:
        async with opened(server) as connection:
            await connection.send_str("a")
            await connection.receive_str()
            switch.current = other_policy()
            began = time.monotonic()
            await connection.receive()
            return connection.close_code, time.monotonic() - began

    with world(live=switch) as (_, server):
        code, seconds = run(scene(server))
    assert code == 1008
    assert seconds < 5
