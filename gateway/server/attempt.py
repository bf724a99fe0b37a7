"""One connection from the moment it is accepted: who it is from, and how its handshake ended.

The TLS machinery below asyncio knows nothing of our objects. It runs in the context of the task that accepted the
connection, so the attempt is found there (`CURRENT`), and later on the TLS object that took it.
"""

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

#: The attempt whose handshake is made by the running task.
CURRENT: ContextVar["Attempt"] = ContextVar("attempt")

#: SO_LINGER on with no time, and off.
RESET = struct.pack("ii", 1, 0)
_PEACE = struct.pack("ii", 0, 0)

#: As ASGI's `scope["client"]`: host and port, None on a Unix socket.
Source = tuple[str, int] | None


class Attempt:
    """A connection and what is known of it so far. `received`: what the client sent, if its certificate is refused.

    `ends_in_reset`: whether its end, whatever it comes from, is to look like none that was meant.
    """

    __slots__ = ("_gone", "_socket", "ends_in_reset", "error", "received", "sni", "source")

    def __init__(self, connection: socket.socket, source: Source) -> None:
        self._socket = connection
        self._gone: Callable[[Attempt], None] | None = None
        self.source = source
        self.sni: str | None = None
        self.error: ssl.SSLError | None = None
        self.received = b""
        self.ends_in_reset = False

    def counted(self, gone: Callable[["Attempt"], None]) -> None:
        """`gone` is called once, when the connection is no more."""
        self._gone = gone

    def failed(self, error: ssl.SSLError, alert: bytes) -> None:
        """Remember why, and send the alert, which asyncio and uvloop would drop."""
        self.error = error
        if alert:
            # The client may be gone, or read nothing; then nobody is there to be told.
            with suppress(OSError):
                self._socket.send(alert)

    def end_in_reset(self, wanted: bool) -> None:
        """Whether the kernel ends the connection with a reset, even if the process dies; Unix sockets have none."""
        self.ends_in_reset = wanted
        # The client may be gone.
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET if wanted else _PEACE)

    def ended(self) -> None:
        """The connection is no more. A second call does nothing."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone(self)
