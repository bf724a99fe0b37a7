"""A download keeps its bounds of time, size and address, whatever the server does."""

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from policies.peer.fetch_url import FetchUrl
from runtime import download as module
from runtime.download import Downloaded, download, may_connect
from runtime.errors import DownloadError
from tests.runtime.crl_server import CrlServer, counting_listener, crl_server


@pytest.fixture
def server() -> Iterator[CrlServer]:
    with crl_server() as started:
        yield started


def fetched(server: CrlServer, known: Downloaded | None = None) -> Downloaded | None:
    return download(FetchUrl.parse(server.url), known, allow_private=True)


def refused(server: CrlServer) -> str:
    with pytest.raises(DownloadError) as error:
        fetched(server)
    return str(error.value)


def test_what_the_server_sends_is_what_is_had(server: CrlServer) -> None:
    server.body, server.headers = b"abc", {"ETag": '"1"', "Last-Modified": "Mon, 01 Mar 2027 00:00:00 GMT"}
    assert fetched(server) == Downloaded(b"abc", '"1"', "Mon, 01 Mar 2027 00:00:00 GMT")


def test_the_next_request_asks_whether_it_has_changed(server: CrlServer) -> None:
    server.status = 304
    assert fetched(server, Downloaded(b"abc", '"1"', "Mon, 01 Mar 2027 00:00:00 GMT")) is None
    assert server.asked[0]["If-None-Match"] == '"1"'
    assert server.asked[0]["If-Modified-Since"] == "Mon, 01 Mar 2027 00:00:00 GMT"


def test_unchanged_without_having_asked_is_refused(server: CrlServer) -> None:
    server.status = 304
    assert "304" in refused(server)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: CrlServer, status: int) -> None:
    with counting_listener() as (port, connections):
        server.status, server.headers = status, {"Location": f"http://127.0.0.1:{port}/"}
        assert "redirects are not followed" in refused(server)
    assert not connections


@pytest.mark.parametrize("status", [204, 206, 404, 500])
def test_another_status_is_refused(server: CrlServer, status: int) -> None:
    server.status = status
    assert str(status) in refused(server)


def test_an_answer_that_is_too_long_is_refused(server: CrlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FETCHED_CRL_BYTES", 10)
    server.body = b"x" * 11
    assert "more than 10 bytes" in refused(server)


def test_an_answer_that_ends_early_is_refused(server: CrlServer) -> None:
    server.body, server.headers = b"abc", {"Content-Length": "4"}
    assert refused(server) == "the answer ended early"


def test_a_server_that_sends_slowly_is_cut_off(server: CrlServer) -> None:
    server.trickle = True
    began = monotonic()
    with pytest.raises(DownloadError, match="longer than"):
        download(FetchUrl.parse(server.url), allow_private=True, seconds=0.5)
    assert monotonic() - began < 2


def test_a_server_that_says_nothing_is_cut_off() -> None:
    with counting_listener() as (port, _), pytest.raises(DownloadError, match=r"longer than|timed out"):
        download(FetchUrl.parse(f"http://127.0.0.1:{port}/"), allow_private=True, seconds=0.3)


def test_a_server_without_tls_is_refused_under_https(server: CrlServer) -> None:
    with pytest.raises(DownloadError):
        download(FetchUrl.parse(server.url.replace("http:", "https:")), allow_private=True, seconds=2)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1", "2130706433"]
)
def test_loopback_gets_no_connection_unless_allowed(host: str) -> None:
    with counting_listener() as (port, connections), pytest.raises(DownloadError):
        download(FetchUrl.parse(f"http://{host}:{port}/"))
    assert not connections


def test_a_proxy_of_the_environment_is_not_used(server: CrlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = b"abc"
    with counting_listener() as (port, connections):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        assert fetched(server) == Downloaded(b"abc")
    assert not connections


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"],
)
def test_a_private_address_must_be_allowed(address: str) -> None:
    assert not may_connect(address, allow_private=False)
    assert may_connect(address, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1", "fec0::1", "::ffff:169.254.169.254", "::169.254.169.254"),
        *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1"),
        *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *("fd00:ec2::254", "fd00:ec2::254%1", "fd20:ce::254", "100.100.100.200", "::ffff:100.100.100.200"),
        *("168.63.129.16", "192.0.0.192"),
    ],
)
def test_what_leads_to_the_link_to_cloud_metadata_or_nowhere_is_never_allowed(address: str) -> None:
    assert not may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_needs_no_permission(address: str) -> None:
    assert may_connect(address, allow_private=False)


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    server: CrlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, []

    def resolve(host: str, port: int, *rest: object, **named: object) -> object:
        """A name that leads elsewhere from the second time on."""
        if host != "rebinding.example":
            return real(host, port, *rest, **named)  # type: ignore[arg-type]  # handed on as it came
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    server.body = b"list"
    url = FetchUrl.parse(server.url.replace("127.0.0.1", "rebinding.example"))
    found = download(url, allow_private=True)
    assert found is not None
    assert (found.content, asked) == (b"list", ["rebinding.example"])
    assert server.asked[0]["Host"] == f"rebinding.example:{server.port}"
    with pytest.raises(DownloadError, match="may be connected to"):
        download(url, allow_private=True)
