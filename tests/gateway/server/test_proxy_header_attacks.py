"""What a balancer, or somebody who plays one, may send over a real socket: nothing is believed that is not whole."""

import socket
import ssl
import struct

import pytest

from gateway.server import limits
from gateway.server.attempt import Source
from tests.gateway.server.test_proxy_header import SIGNATURE, header
from tests.gateway.server.world import QUESTION, Client, Recorder, caller, eventually, everything, is_cut, serving

#: CPython's wrap_socket forgets to close a socket that was reset before it began.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ADDRESSES = bytes([203, 0, 113, 7, 127, 0, 0, 1]) + struct.pack("!HH", 4711, 443)
V1 = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 443\r\n"


def told(before: bytes, client: Client | None = None, *, after: bytes = b"") -> list[Source]:
    """The source of each request that is answered after `before`; a list without any if the connection ends."""
    app = Recorder()
    with serving(app, is_balancer=lambda _: True) as server:
        try:
            with (client or caller()).connected(server, before) as connection:
                connection.sendall(after + QUESTION)
                everything(connection)
        except (ssl.SSLError, ConnectionError):
            pass
        assert eventually(lambda: server.caps.count == 0)
    return [scope["client"] for scope in app.scopes]


def lying(length: int, rest: bytes = ADDRESSES) -> bytes:
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", length) + rest


@pytest.mark.parametrize("tlvs", [b"", b"\x04\x00\x02xy", b"\x01\x00\xff" + bytes(255), b"\xee\xff\xff", bytes(2000)])
def test_whatever_follows_the_addresses_within_the_header_changes_nothing(tlvs: bytes) -> None:
    """No TLV is believed: what one says of TLS or of an authority is the balancer's own."""
    assert told(header(addresses=ADDRESSES + tlvs)) == [("203.0.113.7", 4711)]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lying(len(ADDRESSES) - 1), id="a length that ends within the addresses"),
        pytest.param(lying(0, b""), id="no addresses"),
        pytest.param(lying(0), id="a length of nothing before addresses"),
        pytest.param(lying(len(ADDRESSES), ADDRESSES + b"\x04\x00\x01x"), id="a TLV beyond the length"),
        pytest.param(lying(limits.MAX_PROXY_BYTES + 1, bytes(limits.MAX_PROXY_BYTES + 1)), id="too long"),
        pytest.param(header() + header(), id="repeated"),
        pytest.param(header(command=0x20) + header(), id="the balancer's own, then another"),
        pytest.param(V1, id="version 1"),
        pytest.param(V1 + header(), id="version 1, then 2"),
        pytest.param(header() + V1, id="version 2, then 1"),
        pytest.param(b"\r\n" + header(), id="a blank line before"),
        pytest.param(header(command=0x31), id="version 3"),
        pytest.param(header(command=0x2F), id="an unknown command"),
        pytest.param(header(family=0x12), id="UDP"),
        pytest.param(b"", id="none"),
    ],
)
def test_what_is_no_single_whole_header_ends_the_connection(before: bytes) -> None:
    assert told(before) == []


@pytest.mark.parametrize("sent", [header()[:cut] for cut in (1, 12, 15, 16, 17, 27)])
def test_a_header_that_breaks_off_is_waited_for_no_longer_than_a_handshake(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.3)
    with serving(Recorder(), is_balancer=lambda _: True) as server, caller().raw(server) as raw:
        raw.sendall(sent)
        assert is_cut(raw)
    with serving(Recorder(), is_balancer=lambda _: True) as server, caller().raw(server) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        assert is_cut(raw)


def test_a_length_that_swallows_the_handshake_never_makes_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.5)
    assert told(lying(limits.MAX_PROXY_BYTES)) == []


def test_the_balancers_own_connection_has_its_address_whatever_addresses_stand_there() -> None:
    (source,) = told(header(command=0x20))
    assert source is not None
    assert source[0] == "127.0.0.1"


@pytest.mark.parametrize("family", [0x00, 0x31])
def test_a_source_that_is_not_told_is_nobody_and_not_the_balancer(family: int) -> None:
    assert told(header(family=family, addresses=bytes(216))) == [None]


def test_a_header_within_tls_is_no_request() -> None:
    assert told(header(), after=header()) == []
    assert told(header(), after=V1) == []


def test_who_is_no_balancer_cannot_speak_for_others() -> None:
    app = Recorder()
    with serving(app, is_balancer=lambda source: source is not None and source[0] == "192.0.2.1") as server:
        for before in (header(), V1, header(command=0x20)):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                caller().connected(server, before).close()
        with caller().connected(server) as connection:
            connection.sendall(QUESTION)
            assert everything(connection).startswith(b"HTTP/1.1 200")
    assert [scope["client"][0] for scope in app.scopes] == ["127.0.0.1"]
