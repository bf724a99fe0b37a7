"""Listening sockets: bound here, so that an address in use is one line of error and never a half-started process."""

import contextlib
import os
import socket
import stat
from pathlib import Path

from runtime.address import Address, TcpAddress, UnixAddress
from runtime.errors import ListenError
from runtime.limits import LISTEN_BACKLOG


def listener_from_address(address: Address, *, share_port: bool = False) -> socket.socket:
    """A non-blocking listening socket on `address`, its own close-on-exec descriptor. Raises ListenError.

    `share_port`: several processes of this user may listen on the port (SO_REUSEPORT, socket(7)); never set for a
    process alone, so that a second service on the same port is refused instead of taking half of the calls.
    """
    if isinstance(address, UnixAddress):
        return _listening(_bound_unix(address))
    return _listening(bound_from_address(address, share_port=share_port))


def bound_from_address(address: TcpAddress, *, share_port: bool) -> socket.socket:
    """A bound TCP socket that does not listen: it holds the port and receives nothing. Raises ListenError."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {address}: the host is unknown ({error})") from error
    family, kind, protocol, _, place = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.host == "::" else 1)
        listener.bind(place)
    except OSError as error:
        listener.close()
        raise _listen_error(address, error) from error
    return listener


def address_of(listener: socket.socket) -> Address:
    """Where a socket is bound: the port that the kernel chose, for port 0."""
    place = listener.getsockname()
    return UnixAddress(place) if listener.family == socket.AF_UNIX else TcpAddress(place[0], place[1])


def _bound_unix(address: UnixAddress) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(address.path)
        listener.bind(address.path)
        Path(address.path).chmod(0o660)
    except OSError as error:
        listener.close()
        raise _listen_error(address, error) from error
    return listener


def _remove_dead_socket(path: str) -> None:
    """Remove the socket that a process which was killed left behind; one that answers, or another file, stays."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
        except BlockingIOError:
            return


def _listening(listener: socket.socket) -> socket.socket:
    try:
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        address = address_of(listener)
        listener.close()
        raise _listen_error(address, error) from error
    listener.setblocking(False)
    return listener


def _listen_error(address: Address, error: OSError) -> ListenError:
    return ListenError(f"cannot listen on {address}: {error.strerror or error}")
