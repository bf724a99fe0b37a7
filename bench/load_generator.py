"""A process of its own that loads one server and tells how many answers came, and how busy it was itself.

It is told to load for a while, again and again, over connections that stay: so rounds of several servers alternate.

A generator may be restless: it asks for answers again and again, and never sleeps until one comes. Whoever answers a
process that sleeps pays for waking it, in a virtual machine some five microseconds; a slow server would pay that for
every answer, and a fast one, whose client never gets to sleep, for none.
"""

import os
import selectors
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter, process_time

from bench.http1 import Http1Connection
from bench.http2 import Http2Connection, Http2Request
from runtime.address import Address, UnixAddress

_SPAWN = get_context("spawn")
#: Seconds to connect, and for the last answers of a round.
_PATIENCE_SECONDS = 10.0
#: Seconds for which it sleeps at most until an answer comes.
_SLEEP_SECONDS = 0.01

LoadConnection = Http1Connection | Http2Connection


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Paths of PEM files: the client's chain and key, and the CA of the server."""

    chain: str
    key: str
    server_ca: str


@dataclass(frozen=True, slots=True)
class Http2Load:
    """One connection with `streams` requests under way. `accepted`: as in `Http2Connection`."""

    address: Address
    requests: tuple[Http2Request, ...]
    streams: int
    accepted: bytes = b""
    tls: ClientTls | None = None

    def connect(self) -> LoadConnection:
        """Open the connection. Raises OSError."""
        return Http2Connection(_connected(self.address, self.tls, "h2"), self.requests, self.streams, self.accepted)


@dataclass(frozen=True, slots=True)
class Http1Load:
    """One connection with one request under way."""

    address: Address
    requests: tuple[bytes, ...]
    tls: ClientTls | None = None

    def connect(self) -> LoadConnection:
        """Open the connection. Raises OSError."""
        return Http1Connection(_connected(self.address, self.tls, "http/1.1"), self.requests)


@dataclass(frozen=True, slots=True)
class Tally:
    """One round. `late`: answers after its end. `busy`: the share of a core that the generator took (restless: all)."""

    wanted: int
    late: int
    seconds: float
    busy: float

    @property
    def rate(self) -> float:
        """Wanted answers per second."""
        return self.wanted / self.seconds


class LoadGenerator:
    """The process of the load generator, from outside. `answered`: all answers so far."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.answered = 0

    def run(self, seconds: float) -> Tally:
        """Load for `seconds`. Raises ConnectionError if an answer is not the wanted one, or does not come."""
        self._pipe.send(seconds)
        told = self._pipe.recv()
        if not isinstance(told, Tally):
            raise ConnectionError(told)
        self.answered += told.wanted + told.late
        return told


@contextmanager
def load_generator(
    loads: Sequence[Http1Load | Http2Load], cores: frozenset[int], *, restless: bool = False
) -> Iterator[LoadGenerator]:
    """A generator over one connection for each of `loads`, on `cores`; `restless`: see above."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(theirs, tuple(loads), cores, restless), daemon=True)
    process.start()
    theirs.close()
    try:
        yield LoadGenerator(ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, loads: Sequence[Http1Load | Http2Load], cores: frozenset[int], restless: bool) -> None:
    """The main function of the process: one round for each number of seconds that arrives."""
    os.sched_setaffinity(0, cores)
    connections: list[LoadConnection] = []
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        try:
            connections = connections or [load.connect() for load in loads]
            pipe.send(_round(connections, seconds, 0 if restless else _SLEEP_SECONDS))
        except OSError as error:
            pipe.send(f"the load failed: {error}")


def _round(connections: Sequence[LoadConnection], seconds: float, sleep: float) -> Tally:
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        before = _wanted(connections)
        started, busy = perf_counter(), process_time()
        for connection in connections:
            connection.fill()
        while (now := perf_counter()) < started + seconds:
            _step(selector, sleep, refill=True)
        busy, wanted = process_time() - busy, _wanted(connections) - before
        while not all(connection.is_idle for connection in connections):
            if perf_counter() > now + _PATIENCE_SECONDS:
                raise ConnectionError(f"no answer within {_PATIENCE_SECONDS:g} s")
            _step(selector, 0.1, refill=False)
    if unwanted := sum(connection.unwanted for connection in connections):
        raise ConnectionError(f"{unwanted} answers are not what was asked for")
    late = _wanted(connections) - before - wanted
    return Tally(wanted, late, now - started, busy / (now - started))


def _wanted(connections: Sequence[LoadConnection]) -> int:
    return sum(connection.wanted for connection in connections)


def _step(selector: selectors.BaseSelector, timeout: float, *, refill: bool) -> None:
    for key, _ in selector.select(timeout):
        connection: LoadConnection = key.data
        connection.read()
        if refill:
            connection.fill()


def _connected(address: Address, tls: ClientTls | None, protocol: str) -> socket.socket:
    if isinstance(address, UnixAddress):
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(_PATIENCE_SECONDS)
        plain.connect(address.path)
    else:
        plain = socket.create_connection((address.host, address.port), _PATIENCE_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return plain
    context = ssl.create_default_context(cafile=tls.server_ca)
    context.check_hostname = False
    context.load_cert_chain(tls.chain, tls.key)
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(plain)
