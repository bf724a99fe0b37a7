"""Who may speak for others is written down, or nobody does."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import ConfigurationError
from runtime.hops import NO_HOPS, TrustedHops, address_from_text
from runtime.limits import MAX_FORWARDED_ADDRESSES

HOPS = TrustedHops.parse(("10.0.0.0/8", "2001:db8:1::/48"))


def test_by_default_nobody_is_trusted() -> None:
    assert not NO_HOPS
    assert not NO_HOPS.has(ip_address("127.0.0.1"))


@pytest.mark.parametrize("address", ["10.255.0.1", "2001:db8:1::5"])
def test_an_address_within_a_network_is_trusted(address: str) -> None:
    assert HOPS.has(ip_address(address))


@pytest.mark.parametrize("address", ["11.0.0.1", "2001:db8:2::5", "::a00:1"])
def test_an_address_outside_is_not(address: str) -> None:
    assert not HOPS.has(ip_address(address))


def test_unix_trusts_no_network() -> None:
    hops = TrustedHops.parse(("unix",))
    assert hops
    assert hops.unix
    assert not hops.has(ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write a CIDR"),
        ("10.0.0.1/8", "host bits set"),
        ("localhost", "write a CIDR"),
        ("10.0.0.0/33", "write a CIDR"),
        ("Unix", "write a CIDR"),
        ("0.0.0.0/0", "trusts everybody"),
        ("::/0", "trusts everybody"),
        ("10.0.0.0/8,spiffe=spiffe://acme.internal/envoy", "--tls-client-ca"),
    ],
)
def test_what_is_no_network_is_refused_with_a_way_out(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        TrustedHops.parse((text,))


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("6.6.6.6,192.0.2.1,10.0.0.1,10.0.0.2", "192.0.2.1"),
        ("2001:db8:9::1", "2001:db8:9::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
    ],
)
def test_the_client_is_the_right_most_address_that_is_no_hop(forwarded: str, address: str) -> None:
    assert HOPS.client_address(forwarded) == ip_address(address)


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        ",",
        "192.0.2.1,",
        "192.0.2.1, unknown",
        "192.0.2.1:4711",
        "192.0.2.1, _hidden, 10.0.0.1",
        "10.0.0.1, 10.0.0.2",
        "\udcff",
    ],
)
def test_what_cannot_be_known_is_unknown_and_nothing_further_left_is_believed(forwarded: str) -> None:
    assert HOPS.client_address(forwarded) is None


def test_only_so_many_addresses_are_looked_at() -> None:
    assert HOPS.client_address("192.0.2.1" + ",10.0.0.1" * MAX_FORWARDED_ADDRESSES) is None
    assert HOPS.client_address("192.0.2.1" + ",10.0.0.1" * (MAX_FORWARDED_ADDRESSES - 1)) is not None


def test_an_ipv4_mapped_address_is_ipv4() -> None:
    assert address_from_text("::ffff:10.0.0.1") == ip_address("10.0.0.1")


def test_a_scope_is_not_part_of_an_address() -> None:
    assert address_from_text("fe80::1%eth0") == ip_address("fe80::1")


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    address_from_text(text)
    HOPS.client_address(text)
