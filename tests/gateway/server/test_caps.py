"""Connections are counted in all and by address."""

import pytest

from gateway.server.bounds import Bounds
from gateway.server.caps import ConnectionCaps, Excess, address_key
from gateway.server.server import GatewayServer
from tests.gateway.server.world import QUESTION, Recorder, caller, eventually, everything, is_cut, serving


def test_an_address_has_a_bound_of_its_own() -> None:
    caps = ConnectionCaps(10, 2)
    assert [caps.taken(("10.0.0.1", port)) for port in range(3)] == [None, None, Excess.ADDRESS]
    assert caps.taken(("10.0.0.2", 1)) is None
    caps.left(("10.0.0.1", 0))
    assert caps.taken(("10.0.0.1", 9)) is None
    assert caps.count == 3


def test_there_is_a_bound_on_all() -> None:
    caps = ConnectionCaps(1, 10)
    assert caps.excess() is None
    caps.taken(None)
    assert caps.excess() is Excess.TOTAL


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_an_ipv6_client_is_its_network(one: str, other: str, *, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


def turned_away(server: GatewayServer) -> bool:
    try:
        with caller().raw(server) as connection:
            return is_cut(connection)
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("bounds", [Bounds(max_connections=1), Bounds(max_address_connections=1)])
def test_one_connection_too_many_is_closed_and_the_next_after_an_end_is_served(bounds: Bounds) -> None:
    with serving(Recorder(), bounds) as server:
        with caller().connected(server) as first:
            assert turned_away(server)
            first.sendall(QUESTION)
            assert everything(first).startswith(b"HTTP/1.1 200")
        assert eventually(lambda: server.caps.count == 0)
        assert caller().answer(server).startswith(b"HTTP/1.1 200")
    assert server.caps.count == 0
