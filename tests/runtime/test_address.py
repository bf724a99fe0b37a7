"""Addresses are read in one place, and only in the forms that the flags document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.address import TcpAddress, UnixAddress, address_from_text
from runtime.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", TcpAddress("127.0.0.1", 8080)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("[::1]:65535", TcpAddress("::1", 65535)),
        ("[fe80::1%eth0]:1", TcpAddress("fe80::1%eth0", 1)),
        ("unix:/run/peergate.sock", UnixAddress("/run/peergate.sock")),
        ("unix:///run/peergate.sock", UnixAddress("/run/peergate.sock")),
    ],
)
def test_documented_forms_are_read(text: str, address: TcpAddress | UnixAddress) -> None:
    assert address_from_text(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "localhost", "localhost:", "localhost:x", "localhost:-1", "localhost:65536", "localhost:080808"),
        *(
            "localhost:\uff18\uff10",
            "::1:80",
            "[::1]",
            "[localhost]:80",
            "[]:80",
            "a b:80",
            "-a:80",
            "http://a:80",
            "a\n:80",
        ),
        *("unix:", "unix:relative", "unix://relative", "unix:/a\0b", "unix:/" + "x" * 107, "*:80", "http://a:80"),
    ],
)
def test_everything_else_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError):
        address_from_text(text)


def test_an_address_without_host_is_told_how_to_mean_every_interface() -> None:
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0:9090"):
        address_from_text(":9090")


def test_an_ipv6_address_without_brackets_is_told_to_use_them() -> None:
    with pytest.raises(ConfigurationError, match=r"\[fd00::1\]:80"):
        address_from_text("fd00::1:80")


@given(st.text())
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    try:
        address = address_from_text(text)
    except ConfigurationError:
        return
    assert address_from_text(str(address)) == address
