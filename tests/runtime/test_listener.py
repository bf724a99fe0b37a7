"""Listening sockets: refused in one line, shared only on request, never blocked by a dead predecessor."""

import contextlib
import socket
import stat
from pathlib import Path

import pytest

from runtime.address import TcpAddress, UnixAddress
from runtime.errors import ListenError
from runtime.listener import address_of, listener_from_address

LOOPBACK = TcpAddress("127.0.0.1", 0)


def test_port_zero_listens_on_a_port_that_the_system_chose() -> None:
    with listener_from_address(LOOPBACK) as listener:
        address = address_of(listener)
        assert isinstance(address, TcpAddress)
        socket.create_connection((address.host, address.port)).close()


def test_a_port_in_use_is_refused_by_name() -> None:
    with listener_from_address(LOOPBACK) as listener:
        address = address_of(listener)
        with pytest.raises(ListenError, match=f"cannot listen on {address}: Address already in use"):
            listener_from_address(address)


def test_a_port_is_shared_only_if_every_process_says_so() -> None:
    with listener_from_address(LOOPBACK, share_port=True) as first:
        address = address_of(first)
        with listener_from_address(address, share_port=True) as second:
            assert address_of(second) == address
        with pytest.raises(ListenError):
            listener_from_address(address)


def test_an_unknown_host_is_a_listen_error() -> None:
    with pytest.raises(ListenError, match="the host is unknown"):
        listener_from_address(TcpAddress("no-such-host.invalid", 1))


def test_an_address_of_another_machine_is_a_listen_error() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:1"):
        listener_from_address(TcpAddress("192.0.2.1", 1))


def test_ipv6_loopback_is_bound_without_ipv4() -> None:
    with contextlib.suppress(ListenError), listener_from_address(TcpAddress("::1", 0)) as listener:
        address = address_of(listener)
        assert isinstance(address, TcpAddress)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", address.port))


def test_a_unix_socket_answers_and_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "peergate.sock"
    with listener_from_address(UnixAddress(str(path))), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO == 0


def test_a_unix_socket_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "peergate.sock"))
    listener_from_address(address).close()
    assert Path(address.path).exists()
    listener_from_address(address).close()


def test_a_unix_socket_that_still_answers_is_not_taken_over(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "peergate.sock"))
    with listener_from_address(address), pytest.raises(ListenError, match="Address already in use"):
        listener_from_address(address)


def test_a_file_in_the_place_of_a_unix_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError):
        listener_from_address(UnixAddress(str(path)))
    assert path.read_text() == "data"


def test_a_unix_socket_in_a_missing_folder_is_a_listen_error(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="No such file or directory"):
        listener_from_address(UnixAddress(str(tmp_path / "missing/peergate.sock")))
