"""One request to one URL that a policy names or lets through, within bounds of time, size and address.

Laws: a connection goes to the very address that was checked, so a name that changes its address changes nothing. No
redirect is followed, no proxy of the environment is used, and nothing is kept of an answer that is not whole.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Event, Timer

from policies.peer.fetch_url import FetchUrl
from runtime.errors import DownloadError
from runtime.limits import FETCH_SECONDS, MAX_FETCHED_CRL_BYTES, MAX_TRIED_ADDRESSES, RECEIVE_BYTES

# Addresses that lead to an IPv4 address which they carry: 6to4 and Teredo.
_TRANSLATED = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
# Where clouds answer their machines beside 169.254.169.254: AWS and Google over IPv6, Alibaba, Azure, Oracle.
_METADATA = frozenset(
    map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What was received, and by what the next request asks whether it has changed (RFC 9110 §13.1)."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None


def _any_size(size: int) -> bool:
    """For what is bounded by its own limit alone."""
    return True


def download(
    url: FetchUrl,
    known: Downloaded | None = None,
    *,
    allow_private: bool = False,
    seconds: float = FETCH_SECONDS,
    has_room: Callable[[int], bool] = _any_size,
) -> Downloaded | None:
    """Fetch `url`; None if the server says that `known` is still what it has. Raises DownloadError only.

    `has_room`: whether so many bytes in all may be received; asked before each piece is kept.
    """
    try:
        with _connected(url, allow_private, seconds) as connection:
            connection.request("GET", url.target, headers=_headers(url, known))
            with connection.getresponse() as response:
                if response.status == 304 and known is not None:
                    return None
                return _received(response, MAX_FETCHED_CRL_BYTES, has_room)
    except DownloadError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise DownloadError(str(error) or type(error).__name__) from error


def exchange(url: FetchUrl, *, body: bytes | None, limit: int, allow_private: bool, seconds: float) -> bytes:
    """Ask an OCSP responder (RFC 6960 appendix A): POST `body`, or GET. At most `limit` bytes. Raises DownloadError."""
    headers = {"User-Agent": "peergate", "Connection": "close", "Accept": "application/ocsp-response"}
    if body is not None:
        headers["Content-Type"] = "application/ocsp-request"
    try:
        with _connected(url, allow_private, seconds) as connection:
            connection.request("GET" if body is None else "POST", url.target, body, headers)
            with connection.getresponse() as response:
                return _received(response, limit).content
    except DownloadError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise DownloadError(str(error) or type(error).__name__) from error


def may_connect(address: str, *, allow_private: bool) -> bool:
    """Whether an address may be fetched from. Link-local, multicast, translated and cloud metadata ones never may."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or IPv6Address(int(ip))
    if (
        ip in _METADATA
        or ip.is_link_local
        or ip.is_multicast
        or ip.is_unspecified
        or (ip.is_reserved and not ip.is_loopback)
    ):
        return False
    if isinstance(ip, IPv6Address) and (ip.is_site_local or any(ip in network for network in _TRANSLATED)):
        return False
    return allow_private or ip.is_global


@contextmanager
def _connected(url: FetchUrl, allow_private: bool, seconds: float) -> Iterator[HTTPConnection]:
    """A connection that is cut after `seconds`, however slowly the server sends."""
    connection = HTTPConnection(url.host, url.port)
    plain = _open(_addresses(url, allow_private), url.port, seconds)
    cut = Event()
    watched = plain.dup()

    def end() -> None:
        cut.set()
        with suppress(OSError):
            watched.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    connection.sock = plain
    try:
        if url.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=url.host)
        yield connection
        if cut.is_set():
            raise DownloadError(f"it took longer than {seconds:g} s")
    except (OSError, HTTPException, ValueError) as error:
        raise DownloadError(f"it took longer than {seconds:g} s" if cut.is_set() else str(error)) from error
    finally:
        timer.cancel()
        timer.join()
        connection.close()
        plain.close()
        watched.close()


def _addresses(url: FetchUrl, allow_private: bool) -> tuple[str, ...]:
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    allowed = tuple(address for address in addresses if may_connect(address, allow_private=allow_private))
    if not allowed:
        hint = "" if allow_private else "; `allow_private: true` beside the URL allows private and loopback ones"
        raise DownloadError(f"no address of {url.host} may be connected to: {', '.join(addresses)}{hint}")
    return allowed[:MAX_TRIED_ADDRESSES]


def _open(addresses: Iterable[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first address that takes one."""
    refused = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            refused = error
    raise refused


def _headers(url: FetchUrl, known: Downloaded | None) -> dict[str, str]:
    headers = {"User-Agent": "peergate", "Connection": "close"}
    if known is not None and known.etag is not None:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified is not None:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _received(response: HTTPResponse, limit: int, has_room: Callable[[int], bool] = _any_size) -> Downloaded:
    if response.status != 200:
        redirect = ", and redirects are not followed" if 300 <= response.status < 400 else ""
        raise DownloadError(f"the server answered {response.status}{redirect}")
    length = response.length
    content = bytearray()
    while piece := response.read(min(RECEIVE_BYTES, limit + 1 - len(content))):
        content += piece
        if len(content) > limit:
            raise DownloadError(f"the answer has more than {limit} bytes")
        if not has_room(len(content)):
            raise DownloadError("there is no room for it beside the other CRLs that certificates name")
    if length is not None and len(content) < length:
        raise DownloadError("the answer ended early")
    return Downloaded(bytes(content), response.headers.get("ETag"), response.headers.get("Last-Modified"))
