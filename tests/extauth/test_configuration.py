"""Settings that do not fit together end the start, each with the flag to change."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest

from extauth.configuration import ExtauthConfiguration, ExtauthSettings, settings_from_configuration
from runtime.address import TcpAddress, UnixAddress
from runtime.errors import ConfigurationError
from runtime.settings import Given, configured
from tests.extauth.world import mesh

BASE: Mapping[str, Given] = {"policy": "p.yaml", "listen": "127.0.0.1:0"}


def settings(**flags: Given) -> ExtauthSettings:
    return settings_from_configuration(configured(ExtauthConfiguration, {**BASE, **flags}, {}).value)


def test_listen_is_all_that_is_needed() -> None:
    assert settings().addresses == (TcpAddress("127.0.0.1", 0),)


def test_http_has_an_address_of_its_own() -> None:
    both = settings(http="unix:/run/h.sock", trusted_hop=["unix"])
    assert both.addresses == (TcpAddress("127.0.0.1", 0), UnixAddress("/run/h.sock"))


def test_http_without_a_trusted_hop_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"--http needs --trusted-hop: .*127\.0\.0\.1/32"):
        settings(http="127.0.0.1:1")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"trusted_hop": ["everybody"]}, "write a CIDR"),
        ({"trusted_hop": ["10.0.0.0/8,spiffe=spiffe://a/b"]}, "--tls-client-ca"),
        ({"balancer": ["unix"]}, "--balancer unix"),
        ({"balancer": ["0.0.0.0/0"]}, "--balancer 0.0.0.0/0 trusts everybody"),
        ({"seen_headers": ["x-a"]}, "--seen-headers is about --http"),
        ({"http": "127.0.0.1:1", "trusted_hop": ["unix"], "seen_headers": ["x a"]}, "no header name"),
        ({"http": "127.0.0.1:1", "trusted_hop": ["unix"], "seen_headers": ["x-a,,x-b"]}, "no header name"),
        ({"listen": "127.0.0.1:9", "http": "0.0.0.0:9", "trusted_hop": ["unix"]}, "different ports"),
        ({"listen": "unix:/run/a", "http": "unix:/run/a", "trusted_hop": ["unix"]}, "different ports"),
        ({"tls_cert": "c"}, "--tls-cert and --tls-key go together"),
        ({"tls_key": "k"}, "--tls-cert and --tls-key go together"),
        ({"tls_client_ca": "c"}, "--tls-client-ca needs"),
        ({"tls_cert": "/nowhere/c", "tls_key": "/nowhere/k"}, "--tls-cert /nowhere/c: No such file"),
    ],
)
def test_settings_that_do_not_fit_are_refused(flags: Mapping[str, Given], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings(**flags)


def test_several_hops_and_header_lists_are_taken_together() -> None:
    both = settings(http="127.0.0.1:1", trusted_hop=["unix", "10.0.0.0/8"], seen_headers=["X-A,x-b", "x-c"])
    assert both.hops.unix
    assert len(both.hops.networks) == 1
    assert both.seen_headers == frozenset({"x-a", "x-b", "x-c"})


def test_tls_files_are_checked_before_anything_listens(tmp_path: Path) -> None:
    server = mesh().issue(dns=["localhost"], server=True)
    (tmp_path / "c").write_bytes(server.pem)
    (tmp_path / "k").write_bytes(mesh().issue().key_pem)
    with pytest.raises(ConfigurationError, match="does not belong to the certificate"):
        settings(tls_cert=str(tmp_path / "c"), tls_key=str(tmp_path / "k"))


def test_variables_and_file_set_the_same(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("listen: 127.0.0.1:7\nhttp: 127.0.0.1:8\ntrusted-hop: [unix, 10.0.0.0/8]\n")
    found = configured(ExtauthConfiguration, {"policy": "p"}, {"PEERGATE_SEEN_HEADERS": "x-a,x-b x-c"}, str(file)).value
    assert found.trusted_hop == ("unix", "10.0.0.0/8")
    assert settings_from_configuration(found).seen_headers == frozenset({"x-a", "x-b", "x-c"})


def test_settings_travel_to_worker_processes() -> None:
    both = settings(http="127.0.0.1:1", trusted_hop=["unix", "10.0.0.0/8"])
    assert pickle.loads(pickle.dumps(both)) == both


# --proxy-verified.


def test_proxy_verified_is_taken_on_unix_sockets_and_where_clients_are_verified(tmp_path: Path) -> None:
    sockets = settings(listen="unix:/run/g.sock", http="unix:/run/h.sock", trusted_hop=["unix"], proxy_verified="mesh")
    assert sockets.proxy_verified == "mesh"
    issued = mesh().issue(dns=["localhost"], server=True)
    for name, content in {"cert": issued.pem, "key": issued.key_pem, "ca": mesh().pem}.items():
        (tmp_path / name).write_bytes(content)
    tls = {"tls_cert": str(tmp_path / "cert"), "tls_key": str(tmp_path / "key")}
    assert settings(**tls, tls_client_ca=str(tmp_path / "ca"), proxy_verified="mesh").proxy_verified == "mesh"
    with pytest.raises(ConfigurationError, match=r"--proxy-verified mesh: on 127\.0\.0\.1:0 anybody .*--tls-client-ca"):
        settings(**tls, proxy_verified="mesh")


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"http": "unix:/run/h.sock", "trusted_hop": ["unix"]},
        {"listen": "unix:/run/g.sock", "http": "127.0.0.1:0", "trusted_hop": ["127.0.0.1/32"]},
    ],
)
def test_proxy_verified_is_refused_where_anybody_may_ask(flags: Mapping[str, Given]) -> None:
    with pytest.raises(ConfigurationError, match="anybody could say who calls"):
        settings(**{**flags, "proxy_verified": "mesh"})


@pytest.mark.parametrize("name", ["", "a b", "-mesh", "m\u00e9sh", "x" * 129])
def test_proxy_verified_is_the_name_of_a_trust_entry(name: str) -> None:
    with pytest.raises(ConfigurationError, match="proxy-verified"):
        settings(listen="unix:/run/g.sock", proxy_verified=name)
