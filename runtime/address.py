"""Where a process listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:/path`, read in one place."""

import re
from dataclasses import dataclass

from runtime.errors import ConfigurationError
from runtime.limits import MAX_SOCKET_PATH_BYTES

_PORT = re.compile(r"[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_FORMS = "write HOST:PORT, [IPV6]:PORT or unix:/path"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A TCP address. `host`: a name or an IP address without brackets; `port` 0 = any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in a flag."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket in the file system. `path`: absolute."""

    path: str

    def __str__(self) -> str:
        """As it is written in a flag."""
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


def address_from_text(text: str) -> Address:
    """Read an address as flags and configuration write it. Raises ConfigurationError."""
    if text.startswith("unix:"):
        return _unix_address(text)
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ConfigurationError(f"{text!r} has no port from 0 to 65535: {_FORMS}")
    if host.startswith("[") and host.endswith("]") and _IPV6.fullmatch(host[1:-1]):
        return TcpAddress(host[1:-1], int(port))
    if ":" in host:
        raise ConfigurationError(f"{text!r} names an IPv6 address without brackets: write [{host}]:{port}")
    if not host:
        raise ConfigurationError(f"{text!r} names no host: write 0.0.0.0:{port} or [::]:{port} for every interface")
    if not _NAME.fullmatch(host):
        raise ConfigurationError(f"{host!r} in {text!r} is no host name or IP address: {_FORMS}")
    return TcpAddress(host, int(port))


def _unix_address(text: str) -> UnixAddress:
    path = text.removeprefix("unix:")
    path = path.removeprefix("//") if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//") or "\0" in path:
        raise ConfigurationError(f"{text!r} is no absolute path: write unix:/path")
    if len(path.encode("utf-8", "surrogatepass")) > MAX_SOCKET_PATH_BYTES:
        most = MAX_SOCKET_PATH_BYTES
        raise ConfigurationError(f"{text!r} is longer than the {most} bytes that a Unix socket's path may have")
    return UnixAddress(path)
