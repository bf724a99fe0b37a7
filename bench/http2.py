"""A client of HTTP/2 that is faster than the servers it loads: it sends prepared bytes and reads only frame heads.

RFC 9113 as far as a load generator needs it: no priority, no push, no header is decoded. Header blocks are literals
without indexing (RFC 7541 §6.2.2), so one block serves every request of a connection.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_HEAD_BYTES = 9
_READ_BYTES = 262_144
#: Compression and length before each gRPC message.
_GRPC_PREFIX_BYTES = 5
_INITIAL_WINDOW = 65_535
_MAX_FRAME_BYTES = 16_384
#: What the server may send before it waits for us: more than it will ever have to say.
_OUR_WINDOW = 2**31 - 1
#: SETTINGS_ENABLE_PUSH 0, SETTINGS_INITIAL_WINDOW_SIZE.
_OUR_SETTINGS: Final = b"\x00\x02" + bytes(4) + b"\x00\x04" + _OUR_WINDOW.to_bytes(4)
#: `:status: 200` in the static table (RFC 7541 appendix A), and what a change of the table's size begins with (§6.3).
_STATUS_200 = 0x88
_TABLE_SIZE, _TABLE_SIZE_MASK = 0x20, 0xE0


class Http2Error(ConnectionError):
    """The server ended the connection or a request, instead of answering."""


@dataclass(frozen=True, slots=True)
class Http2Request:
    """A prepared request: a header block, and the body, empty for none."""

    block: bytes
    body: bytes = b""


def grpc_request(path: str, message: bytes) -> Http2Request:
    """A unary gRPC call (PROTOCOL-HTTP2.md of gRPC) with a serialized message."""
    fields = [
        *((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "peergate")),
        *(("te", "trailers"), ("content-type", "application/grpc")),
    ]
    return Http2Request(header_block(fields), b"\0" + len(message).to_bytes(4) + message)


def header_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """The fields as literals without indexing; names in lower case, pseudo-fields first."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def _string(text: str) -> bytes:
    """RFC 7541 §5.2, not compressed."""
    data = text.encode("ascii")
    if len(data) < 0x7F:
        return bytes([len(data)]) + data
    rest, length = len(data) - 0x7F, b"\x7f"
    while rest >= 0x80:
        length += bytes([rest % 0x80 | 0x80])
        rest //= 0x80
    return length + bytes([rest]) + data


class Http2Connection:
    """One connection on a blocking socket, with up to `streams` requests under way.

    `accepted`: how the gRPC message of a wanted answer begins; empty: any answer with status 200 is wanted.
    """

    def __init__(
        self, connection: socket.socket, requests: Sequence[Http2Request], streams: int, accepted: bytes
    ) -> None:
        self._socket = connection
        self._requests = [_Prepared(request) for request in requests]
        self._streams = streams
        self._accepted = accepted
        self._next_stream = 1
        self._window = _INITIAL_WINDOW
        self._buffer = b""
        self._is_wanted: dict[int, bool] = {}
        self.wanted = 0
        self.unwanted = 0
        window = _frame(_WINDOW_UPDATE, 0, 0, (_OUR_WINDOW - _INITIAL_WINDOW).to_bytes(4))
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, _OUR_SETTINGS) + window)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """End it."""
        self._socket.close()

    @property
    def is_idle(self) -> bool:
        """Whether every request was answered."""
        return not self._is_wanted

    def fill(self) -> None:
        """Send requests until `streams` are under way, or the server's window is full."""
        out = []
        while len(self._is_wanted) < self._streams:
            stream = self._next_stream
            request = self._requests[stream // 2 % len(self._requests)]
            if request.size > self._window:
                break
            self._window -= request.size
            out.append(request.frames(stream))
            self._is_wanted[stream] = False
            self._next_stream += 2
        if out:
            self._socket.sendall(b"".join(out))

    def read(self) -> None:
        """Take in what has arrived, and count the answers. Raises Http2Error."""
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise Http2Error("the server closed the connection")
        # TLS hands out one record at a time, and nothing tells of those that it keeps.
        while isinstance(self._socket, ssl.SSLSocket) and (kept := self._socket.pending()):
            data += self._socket.recv(kept)
        self._buffer += data
        replies = []
        for kind, flags, stream, payload in self._frames():
            if kind in {_HEADERS, _DATA}:
                self._take(kind, flags, stream, payload)
            elif kind == _WINDOW_UPDATE and not stream:
                self._window += int.from_bytes(payload)
            elif kind in {_SETTINGS, _PING} and not flags & _ACK:
                replies.append(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            elif kind in {_RST_STREAM, _GOAWAY}:
                raise Http2Error(f"the server sent {'GOAWAY' if kind == _GOAWAY else 'RST_STREAM'} {payload!r}")
        if replies:
            self._socket.sendall(b"".join(replies))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            if self._accepted and payload.startswith(self._accepted, _GRPC_PREFIX_BYTES):
                self._is_wanted[stream] = True
        elif not self._accepted and _is_200(payload):
            self._is_wanted[stream] = True
        if flags & _END_STREAM:
            if self._is_wanted.pop(stream):
                self.wanted += 1
            else:
                self.unwanted += 1

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        buffer, position = self._buffer, 0
        while position + _HEAD_BYTES <= len(buffer):
            start = position + _HEAD_BYTES
            end = start + int.from_bytes(buffer[position : position + 3])
            if end > len(buffer):
                break
            stream = int.from_bytes(buffer[position + 5 : start])
            yield buffer[position + 3], buffer[position + 4], stream, buffer[start:end]
            position = end
        self._buffer = buffer[position:]


class _Prepared:
    """The frames of a request but for the stream's number. `size`: bytes that flow control counts."""

    __slots__ = ("_before", "_between", "_rest", "size")

    def __init__(self, request: Http2Request) -> None:
        if max(len(request.block), len(request.body)) > _MAX_FRAME_BYTES:
            raise ValueError(f"a prepared request fits into frames of {_MAX_FRAME_BYTES} bytes")
        flags = _END_HEADERS if request.body else _END_HEADERS | _END_STREAM
        head = _frame(_HEADERS, flags, 0, request.block)
        data = _frame(_DATA, _END_STREAM, 0, request.body) if request.body else b""
        self.size = len(request.body)
        self._before, self._between, self._rest = head[:5], head[9:] + data[:5], data[9:]

    def frames(self, stream: int) -> bytes:
        number = stream.to_bytes(4)
        if not self._rest:
            return self._before + number + self._between
        return self._before + number + self._between + number + self._rest


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _is_200(block: bytes) -> bool:
    start = 0
    while block[start] & _TABLE_SIZE_MASK == _TABLE_SIZE and start < len(block) - 1:
        start += 1
    return block[start] == _STATUS_200
