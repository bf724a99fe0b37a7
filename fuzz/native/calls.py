"""Raw requests over TLS, and what comes back."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fuzz.native.cases import Call
from fuzz.native.fleet import ARRIVED, Fleet
from fuzz.native.world import Caller, World

_SECONDS = 30.0
#: What is no request ends its connection, whether or not the answer says so.
_ENDING = frozenset({400, 404})
_ENDING_METHODS = frozenset({"CONNECT", "TRACE"})
#: To a gRPC client Envoy says 200, and what it means as `grpc-status`.
_STATUS_OF_GRPC = {"7": 403, "12": 404, "13": 400}


@dataclass(frozen=True, slots=True)
class Answer:
    """`arrived`: it was let through. `last`: the connection ends."""

    status: int
    arrived: bool
    last: bool


class Clients:
    """The TLS settings of each caller, made once."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._contexts: dict[Caller | None, ssl.SSLContext] = {}

    def context(self, caller: Caller | None) -> ssl.SSLContext:
        """What `caller` shows, whatever it is worth. The server is not looked at."""
        if caller not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if caller is not None:
                issued = self._world.issued(caller)
                file = self._folder / "caller.pem"
                file.write_bytes(issued.key_pem + issued.chain_pem)
                context.load_cert_chain(file)
            self._contexts[caller] = context
        return self._contexts[caller]


class Calling:
    """One call on its way. HTTP/1 connections are asked in turn: Envoy ends one on which many answers are due."""

    def __init__(self, clients: Clients, fleet: Fleet, policy: int, call: Call, first: int) -> None:
        """The questions get the numbers from `first` on."""
        self._clients, self._fleet, self._policy, self._first = clients, fleet, policy, first
        self._connection: ssl.SSLSocket | None = None
        self.call = call
        self.answers: list[Answer] = []
        self.shut_out = False

    @property
    def is_open(self) -> bool:
        """Whether there is something to ask."""
        return len(self.answers) < len(self.call.questions) and not self.shut_out

    def ask(self) -> None:
        """Write the next question. Raises OSError."""
        if self._connection is None:
            raw = socket.create_connection(self._fleet.address, _SECONDS, source_address=(self.call.source, 0))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self._clients.context(self.call.caller)
            self._connection = context.wrap_socket(raw, server_hostname=Fleet.name(self._policy))
        number = len(self.answers)
        with suppress(ssl.SSLError, ConnectionError):  # it may have ended already: what is read tells
            self._connection.sendall(self.call.questions[number].raw(self._first + number))

    def hear(self) -> None:
        """Read its answer; without one, the certificate was refused. Raises OSError."""
        if self._connection is None:
            return
        answer = None
        with suppress(ssl.SSLError, ConnectionError):
            answer = _answer(self._connection, self.call.questions[len(self.answers)].method)
        if answer is None and self.answers:
            raise ConnectionError(f"no answer to {self.call.questions[len(self.answers)]}")
        if answer is not None:
            self.answers.append(answer)
        self.shut_out = answer is None
        if answer is None or answer.last or not self.is_open:
            self._connection.close()
            self._connection = None


def _answer(connection: ssl.SSLSocket, method: str) -> Answer | None:
    """One answer; None where the connection ends. Raises OSError."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        more = connection.recv(65_536)
        if not more:
            return None
        buffer += more
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
    while len(body) < length:
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError("the answer is not whole")
        body += more
    status = _STATUS_OF_GRPC.get(headers.get("grpc-status", ""), int(first.split(" ")[1]))
    last = headers.get("connection") == "close" or status in _ENDING or method in _ENDING_METHODS
    return Answer(status, ARRIVED in headers, last)
