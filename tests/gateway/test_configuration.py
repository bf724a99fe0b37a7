"""What `gateway serve` is told: every mistake before anything listens, in words that say what to write."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.configuration import GatewayConfiguration, GatewaySettings, settings_from_configuration
from gateway.listener import is_balancer
from runtime.errors import ConfigurationError
from runtime.hops import TrustedHops
from runtime.settings import configured
from tests.gateway.gateway import files_in


def settings(folder: Path, **flags: Any) -> GatewaySettings:
    files_in(folder)
    given = {
        "policy": "p",
        "listen": "127.0.0.1:0",
        "cert": str(folder / "served.pem"),
        "key": str(folder / "served.key"),
        "upstream": ["http://127.0.0.1:1"],
    } | flags
    return settings_from_configuration(configured(GatewayConfiguration, given, {}).value)


def test_flags_become_settings(tmp_path: Path) -> None:
    made = settings(tmp_path, tls_min="1.3", max_connections="7", idle_seconds="9", proxy_protocol=["10.0.0.0/8"])
    assert made.listener.minimum is ssl.TLSVersion.TLSv1_3
    assert (made.listener.bounds.max_connections, made.listener.bounds.idle_seconds) == (7, 9)
    assert made.listener.balancers == TrustedHops.of_proxy_protocol(("10.0.0.0/8",))
    assert [str(upstream) for upstream in made.upstreams] == ["http://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"upstream": None}, "upstream is missing"),
        ({"upstream": ["nonsense"]}, "is no upstream"),
        ({"cert": None}, "--cert and --key go together"),
        ({"cert": "/nowhere"}, "--cert /nowhere: No such file"),
        ({"key": "/nowhere"}, "--key /nowhere: No such file"),
        ({"tls_min": "1.1"}, "'1.1' is none of 1.2, 1.3"),
        ({"max_connections": "0"}, "is no number from 1"),
        ({"max_body_bytes": "1e9"}, "is no number from 1"),
        ({"proxy_protocol": ["0.0.0.0/0"]}, "trusts everybody"),
        ({"proxy_protocol": ["balancer.example"]}, "write a CIDR such as 10.1.0.0/16, or unix"),
        ({"upstream_cert": "/nowhere"}, "--upstream-cert and --upstream-key go together"),
        ({"upstream": ["https://a#spiffe://td/x"]}, "--upstream-ca"),
    ],
)
def test_a_mistake_is_refused_in_words(tmp_path: Path, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, **flags)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_balancer_is_who_is_named_and_nobody_else() -> None:
    named = TrustedHops.of_proxy_protocol(("10.0.0.0/8", "unix"))
    assert is_balancer(named, ("10.1.2.3", 1))
    assert is_balancer(named, ("::ffff:10.1.2.3", 1))
    assert is_balancer(named, None)
    assert not is_balancer(named, ("192.0.2.1", 1))
    assert not is_balancer(TrustedHops.of_proxy_protocol(()), None)
    assert not is_balancer(TrustedHops.of_proxy_protocol(("10.0.0.0/8",)), None)


BEHIND = {"cert": None, "key": None, "certificate_header": "nginx", "trusted_hop": ["unix"]}


def test_behind_a_proxy_the_listener_may_speak_plain_http(tmp_path: Path) -> None:
    made = settings(tmp_path, **BEHIND, balancer=["10.0.0.0/8"])
    assert made.listener.tls is None
    assert made.header == "nginx"
    assert made.listener.hops is not None
    assert made.appenders == TrustedHops.of_balancers(("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"certificate_header": None, "trusted_hop": None}, "--cert and --key are missing"),
        ({"certificate_header": None}, "--trusted-hop is about --certificate-header"),
        ({"certificate_header": None, "trusted_hop": None, "balancer": ["10.0.0.0/8"]}, "--balancer is about"),
        ({"trusted_hop": None}, "--certificate-header needs --trusted-hop"),
        ({"certificate_header": "auto"}, "'auto' is none of nginx"),
        ({"trusted_hop": ["unix,spiffe=spiffe://td/a"]}, "needs --cert and --key"),
        ({"trusted_hop": ["0.0.0.0/0"]}, "trusts everybody"),
        ({"proxy_protocol": ["unix"]}, "hides the hop's address"),
        ({"key": "/nowhere"}, "--cert and --key go together"),
    ],
)
def test_a_mistake_about_a_proxy_in_front_is_refused_in_words(tmp_path: Path, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, **{**BEHIND, **flags})
    assert said in str(caught.value)


# --proxy-verified.

NAMED = "10.0.0.0/8,spiffe=spiffe://acme.internal/edge"
WORD = {"certificate_header": "nginx", "proxy_verified": "mesh"}


@pytest.mark.parametrize(
    "flags",
    [
        {"listen": "unix:/run/g.sock", "cert": None, "key": None, "trusted_hop": ["unix"]},
        {"trusted_hop": [NAMED]},
    ],
)
def test_a_proxys_word_is_taken_on_a_unix_socket_and_where_every_proxy_has_a_name(
    tmp_path: Path, flags: dict[str, Any]
) -> None:
    assert settings(tmp_path, **WORD, **flags).proxy_verified == "mesh"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"proxy_verified": "mesh"}, "is about --certificate-header"),
        ({**WORD, "trusted_hop": ["10.0.0.0/8"]}, "anybody could say who calls; name the certificate of each proxy"),
        ({**WORD, "trusted_hop": [NAMED, "10.1.0.0/16"]}, "anybody could say who calls"),
        ({**WORD, "cert": None, "key": None, "trusted_hop": ["127.0.0.1/32"]}, "anybody could say who calls"),
        ({**WORD, "trusted_hop": [NAMED], "proxy_verified": "a b"}, "no name of a trust entry"),
    ],
)
def test_a_proxys_word_is_not_taken_where_anybody_may_ask(tmp_path: Path, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings(tmp_path, **flags)
