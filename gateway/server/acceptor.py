"""Accepts connections: counts them, reads the PROXY header of a trusted balancer, and makes the TLS handshake, if any.

uvicorn takes it for one of its servers (`close`, `wait_closed`). Nothing waits here for a stranger without a deadline.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from gateway.server import limits
from gateway.server.attempt import CURRENT, RESET, Attempt, Source
from gateway.server.caps import ConnectionCaps, Excess
from gateway.server.errors import ConnectionRefused, ProxyHeaderError
from gateway.server.failure import facts_from_attempt
from gateway.server.proxy_header import FIXED_BYTES, rest_length_from_fixed, source_from_header
from gateway.server.tls_context import GatewayContext
from runtime.complaint import Complaint
from runtime.handshake_failure import FailureLog
from runtime.service_log import service_logger

_LOGGER = service_logger("gateway")
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """One listening socket, which it closes. For the thread of its loop."""

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], GatewayContext | None],
        caps: ConnectionCaps,
        *,
        is_balancer: Callable[[Source], bool] = lambda _: False,
        count: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`context`: asked for each connection; None speaks plain HTTP.

        `is_balancer`: whether a peer begins with a PROXY header. `count`: told of each handshake whether it was done;
        a connection that is turned away is one that was not.
        """
        self._count = count
        self._listener = listener
        self._context = context
        self._caps = caps
        self._is_balancer = is_balancer
        self._failures = FailureLog()
        self._complaint = Complaint()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Accept from now on, each connection with a `protocol` of its own."""
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._listen()

    def close(self) -> None:
        """Accept nothing more, and end the handshakes that are under way."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when no handshake is left."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(limits.ACCEPT_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(error)
                return
            connection.setblocking(False)
            excess = Excess.HANDSHAKES if len(self._tasks) >= limits.MAX_HANDSHAKES else self._caps.excess()
            if excess is not None:
                attempt = Attempt(connection, _source(address))
                self._failures.say(partial(facts_from_attempt, attempt, ConnectionRefused(excess)))
                self._count(False)
                _reset(connection)
                continue
            task = self._loop.create_task(self._attempted(connection, _source(address)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _rest(self, error: OSError) -> None:
        """Without descriptors the listener stays readable: accepting again at once would only burn time."""
        if times := self._complaint.due():
            facts = {"error": error.strerror or error, "times": times, "fix": "raise the limit (ulimit -n)"}
            _LOGGER.error("accepting failed", extra={"facts": facts})
        if error.errno in _NO_DESCRIPTORS:
            self._loop.remove_reader(self._listener)
            self._loop.call_later(limits.ACCEPT_REST_SECONDS, self._listen)

    async def _attempted(self, connection: socket.socket, peer: Source) -> None:
        attempt = Attempt(connection, peer)
        try:
            if self._is_balancer(peer):
                async with asyncio.timeout(limits.HANDSHAKE_SECONDS):
                    attempt.source = await self._announced(connection, peer)
            await self._connect(connection, attempt)
            self._count(True)
        except (OSError, ConnectionRefused) as error:
            self._end(connection, attempt, error)
        except asyncio.CancelledError as error:
            self._end(connection, attempt, error)
            raise
        except Exception:
            _forget(connection, attempt)
            self._count(False)
            _LOGGER.exception("a connection could not be served")

    def _end(self, connection: socket.socket, attempt: Attempt, error: BaseException) -> None:
        """A handshake has failed."""
        # Closed first: what is said of a stranger's certificate must not keep its connection.
        _forget(connection, attempt)
        self._count(False)
        self._failures.say(partial(facts_from_attempt, attempt, error))

    async def _connect(self, connection: socket.socket, attempt: Attempt) -> None:
        excess = self._caps.excess() or self._caps.taken(attempt.source)
        if excess is not None:
            raise ConnectionRefused(excess)
        attempt.counted(self._left)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        CURRENT.set(attempt)
        context = self._context()
        if context is None:
            await self._loop.connect_accepted_socket(self._protocol, connection)
            return
        await self._loop.connect_accepted_socket(
            self._protocol,
            connection,
            ssl=context,
            ssl_handshake_timeout=limits.HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=limits.CLOSE_SECONDS,
        )

    async def _announced(self, connection: socket.socket, balancer: Source) -> Source:
        fixed = await self._read(connection, FIXED_BYTES)
        return source_from_header(fixed, await self._read(connection, rest_length_from_fixed(fixed)), balancer)

    async def _read(self, connection: socket.socket, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = await self._loop.sock_recv(connection, length - len(data))
            if not more:
                raise ProxyHeaderError("the balancer ended the connection within its PROXY header")
            data += more
        return data

    def _left(self, attempt: Attempt) -> None:
        self._caps.left(attempt.source)


def _source(address: object) -> Source:
    """From what `accept` says."""
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None


def _forget(connection: socket.socket, attempt: Attempt) -> None:
    attempt.ended()
    with suppress(OSError):
        connection.close()


def _reset(connection: socket.socket) -> None:
    """Close without keeping anything of it in the kernel."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
