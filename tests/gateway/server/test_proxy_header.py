"""PROXY protocol version 2: exact, required from balancers, and read from nobody else."""

import ipaddress
import logging
import struct

import pytest

from gateway.server import limits
from gateway.server.errors import ProxyHeaderError
from gateway.server.proxy_header import FIXED_BYTES, rest_length_from_fixed, source_from_header
from tests.gateway.server.world import QUESTION, Recorder, caller, everything, is_cut, serving

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
BALANCER = ("127.0.0.1", 1)


def header(command: int = 0x21, family: int = 0x11, addresses: bytes | None = None) -> bytes:
    if addresses is None:
        addresses = bytes([203, 0, 113, 7, 127, 0, 0, 1]) + struct.pack("!HH", 4711, 443)
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(addresses)) + addresses


def source(data: bytes) -> object:
    fixed = data[:FIXED_BYTES]
    length = rest_length_from_fixed(fixed)
    assert length == len(data) - FIXED_BYTES
    return source_from_header(fixed, data[FIXED_BYTES:], BALANCER)


def test_tcp_over_ipv4_names_the_client() -> None:
    assert source(header()) == ("203.0.113.7", 4711)


@pytest.mark.parametrize(("address", "host"), [("2001:db8::7", "2001:db8::7"), ("::ffff:10.1.2.3", "10.1.2.3")])
def test_tcp_over_ipv6_names_the_client_and_a_mapped_address_is_ipv4(address: str, host: str) -> None:
    packed = ipaddress.IPv6Address(address).packed
    assert source(header(family=0x21, addresses=packed * 2 + struct.pack("!HH", 9, 443))) == (host, 9)


def test_what_follows_the_addresses_is_passed_over() -> None:
    assert source(header(addresses=bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 9, 1, 187]) + b"\x04\x00\x01x")) == (
        "10.0.0.1",
        9,
    )


def test_the_connection_of_the_balancer_itself_is_its_own() -> None:
    assert source(header(command=0x20, family=0, addresses=b"")) == BALANCER


def test_an_unspecified_source_is_nobody() -> None:
    """An unknown address makes a zone unknown, never a match."""
    assert source(header(family=0, addresses=b"")) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        SIGNATURE[:-1] + b"\x00" + header()[12:],
        header(command=0x11),
        header(command=0x22),
        header(family=0x12),
        header(family=0x11, addresses=b"\x00" * 11),
        header(family=0x21, addresses=b"\x00" * 35),
        header(addresses=b"\x00" * (limits.MAX_PROXY_BYTES + 1)),
    ],
)
def test_any_other_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        source(data)


def test_a_connection_through_a_balancer_is_that_of_its_client() -> None:
    app = Recorder()
    with serving(app, is_balancer=lambda _: True) as server, caller().connected(server, header()) as connection:
        connection.sendall(QUESTION)
        assert everything(connection).startswith(b"HTTP/1.1 200")
    assert app.scopes[0]["client"] == ("203.0.113.7", 4711)
    assert app.scopes[0]["extensions"]["peergate.connection"]["source"] == ("203.0.113.7", 4711)


@pytest.mark.parametrize("slices", [1, 7, FIXED_BYTES])
def test_the_header_may_come_in_pieces(slices: int) -> None:
    with serving(Recorder(), is_balancer=lambda _: True) as server, caller().raw(server) as raw:
        data = header()
        for start in range(0, len(data), slices):
            raw.sendall(data[start : start + slices])
        with caller().context().wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(QUESTION)
            assert everything(connection).startswith(b"HTTP/1.1 200")


def test_a_balancer_without_a_header_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    recording, balanced = caplog.at_level(logging.WARNING), serving(Recorder(), is_balancer=lambda _: True)
    with recording, balanced as server, caller().raw(server) as raw:
        raw.sendall(b"\x16\x03\x01" + bytes(40))
        assert is_cut(raw)
    assert caplog.records[0].__dict__["facts"]["cause"] == "the balancer sent no PROXY protocol version 2 header"


def test_a_header_of_anybody_else_is_not_believed() -> None:
    app = Recorder()
    with serving(app) as server, caller().raw(server) as raw:
        raw.sendall(header() + bytes(40))
        assert not everything(raw).startswith(b"HTTP")
    assert app.scopes == []
