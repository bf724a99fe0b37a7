"""Why Envoy's SPIFFE certificate validator is not used for several trust entries: what it binds, and lets in."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from peergate.demo.client import Credentials, client_context
from pki.authority import Authority, Issued
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.proto_json import Json, any_of
from runtime.envoy.tls import DownstreamTls

OURS, THEIRS = "spiffe://acme.internal/web", "spiffe://partner.example/orders"
ACME, PARTNER = Authority.root("acme"), Authority.root("partner")
ISSUING = PARTNER.intermediate("issuing")
REVOKED = ACME.issue(uri=[OURS])


def validation_context(bundles: dict[str, Authority]) -> Json:
    validator = any_of(
        "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
        trust_domains=[
            {"name": name, "trust_bundle": {"inline_string": authority.pem.decode()}}
            for name, authority in bundles.items()
        ],
    )
    revoking = ACME.crl([REVOKED.certificate]).decode()
    return {
        "custom_validator_config": {"name": "envoy.tls.cert_validator.spiffe", "typed_config": validator},
        "crl": {"inline_string": revoking},
        "max_verify_depth": 1,
    }


@dataclass
class Listener:
    """Two trust domains, each with its bundle."""

    address: TcpAddress
    folder: Path

    def admits(self, issued: Issued | None) -> bool:
        credentials = None
        if issued is not None:
            credentials = Credentials(self.folder / "c.pem", self.folder / "c.key")
            credentials.chain.write_bytes(issued.chain_pem)
            credentials.key.write_bytes(issued.key_pem)
        context = client_context(self.folder / "ca.pem", credentials)
        try:
            with (
                socket.create_connection((self.address.host, self.address.port), 5) as raw,
                context.wrap_socket(raw, server_hostname="h.example") as tls,
            ):
                tls.sendall(b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n")
                return tls.recv(1) != b""
        except OSError:  # ssl.SSLError is one; TLS 1.3 tells only when something is read
            return False


@pytest.fixture(scope="module")
def listen(envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Authority], Listener]]:
    running: list[EnvoyProcess] = []

    def started(partner: Authority) -> Listener:
        folder = tmp_path_factory.mktemp("spiffe")
        authority = Authority.root("front")
        server = authority.issue(dns=["h.example"], server=True, client=False)
        for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": authority.pem}.items():
            (folder / name).write_bytes(content)
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(folder / "s.pem", folder / "s.key", folder / "ca.pem", require_client_certificate=False),
            authorization=Authorization(UnixAddress(str(folder / "nobody.sock"))),
            upstream=TcpAddress("127.0.0.1", 1),
            admin=UnixAddress(str(folder / "admin.sock")),
        )
        bootstrap: Any = bootstrap_from_settings(settings)
        (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
        secrets = chain["transport_socket"]["typed_config"]["common_tls_context"]
        secrets["validation_context"] = validation_context({"acme.internal": ACME, "partner.example": partner})
        process = EnvoyProcess.run(envoy_binary, bootstrap, settings.admin, folder)
        running.append(process)
        return Listener(process.address, folder)

    yield started
    for process in running:
        process.stop()


@pytest.fixture(scope="module")
def listener(listen: Callable[[Authority], Listener]) -> Listener:
    return listen(PARTNER)


def test_a_name_is_verified_by_the_bundle_of_its_trust_domain_alone(listener: Listener) -> None:
    assert listener.admits(ACME.issue(uri=[OURS]))
    assert listener.admits(PARTNER.issue(uri=[THEIRS]))
    assert listener.admits(ISSUING.issue(uri=[THEIRS]))
    assert not listener.admits(PARTNER.issue(uri=[OURS]))
    assert not listener.admits(ISSUING.issue(uri=[OURS]))
    assert not listener.admits(ACME.issue(uri=[THEIRS]))


def test_a_date_that_has_passed_counts(listener: Listener) -> None:
    now = datetime.now(UTC)
    assert not listener.admits(
        ACME.issue(uri=[OURS], not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))
    )


def test_a_certificate_for_servers_only_gets_in_though_peergate_refuses_it(listener: Listener) -> None:
    assert listener.admits(ACME.issue(uri=[OURS], client=False, server=True))


def test_what_a_crl_lists_gets_in(listener: Listener) -> None:
    assert listener.admits(REVOKED)


def test_a_chain_may_be_longer_than_the_depth_that_is_set(listener: Listener) -> None:
    below = ACME
    for level in range(4):
        below = below.intermediate(f"level {level}", path_length=None)
    assert listener.admits(below.issue(uri=[OURS]))


def test_the_first_of_two_names_picks_the_bundle(listener: Listener) -> None:
    assert listener.admits(ACME.issue(uri=[OURS, THEIRS]))
    assert not listener.admits(ACME.issue(uri=[THEIRS, OURS]))


def test_nobody_without_a_spiffe_id_gets_in_even_where_no_certificate_is_required(listener: Listener) -> None:
    assert not listener.admits(ACME.issue(dns=["web.acme.example"]))
    assert not listener.admits(None)


def test_an_anchor_that_is_an_intermediate_ca_vouches_for_nobody(listen: Callable[[Authority], Listener]) -> None:
    assert not listen(ISSUING).admits(ISSUING.issue(uri=[THEIRS]))
