"""Addresses of connections: plain, and IPv4 wherever they are."""

from ipaddress import ip_address

import pytest

from policies.authoring.address import address_from_text


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::1"), ("::ffff:10.0.0.1", "10.0.0.1")],
)
def test_an_address_is_read_and_ipv4_mapped_is_ipv4(text: str, address: str) -> None:
    assert address_from_text(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "10.0.0.1:80", "10.0.0.0/8", "[::1]", "fe80::1%eth0", "010.0.0.1", "10.1", "a"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        address_from_text(text)
