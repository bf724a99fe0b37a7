"""PROXY protocol version 2: whom a balancer speaks for.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, §2.2. Laws: it is read only from addresses that the
operator named, and there it must stand: without it a client could write one itself. A header is read to its last byte
and not one further. `LOCAL` is the balancer's own connection.
"""

import ipaddress
import struct

from gateway.server.attempt import Source
from gateway.server.errors import ProxyHeaderError
from gateway.server.limits import MAX_PROXY_BYTES

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
#: Bytes of the fixed part: signature, version and command, family and transport, length of the rest.
FIXED_BYTES = 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6, _UNIX = 0x11, 0x21, 0x31
_UNSPECIFIED = 0x00


def rest_length_from_fixed(fixed: bytes) -> int:
    """How many bytes follow the fixed part. Raises ProxyHeaderError."""
    if len(fixed) != FIXED_BYTES or not fixed.startswith(_SIGNATURE):
        raise ProxyHeaderError("the balancer sent no PROXY protocol version 2 header")
    if fixed[12] not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"its PROXY header has version and command {fixed[12]:#04x}, not 0x20 or 0x21")
    (length,) = struct.unpack("!H", fixed[14:16])
    if length > MAX_PROXY_BYTES:
        raise ProxyHeaderError(f"its PROXY header has {length} bytes, at most {MAX_PROXY_BYTES} are read")
    return int(length)


def source_from_header(fixed: bytes, rest: bytes, balancer: Source) -> Source:
    """Whom the connection is from. `fixed`: as `rest_length_from_fixed` took it; `rest`: all that follows.

    Raises ProxyHeaderError.
    """
    if fixed[12] == _LOCAL:
        return balancer
    family = fixed[13]
    if family == _TCP4 and len(rest) >= 12:
        return str(ipaddress.IPv4Address(rest[0:4])), _port(rest[8:10])
    if family == _TCP6 and len(rest) >= 36:
        return _ipv6(rest[0:16]), _port(rest[32:34])
    if family in (_UNIX, _UNSPECIFIED):
        return None
    raise ProxyHeaderError(f"its PROXY header is not about TCP (family and transport {family:#04x}), or is too short")


def _ipv6(packed: bytes) -> str:
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _port(packed: bytes) -> int:
    return int.from_bytes(packed, "big")
