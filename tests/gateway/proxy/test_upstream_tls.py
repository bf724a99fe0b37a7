"""Nothing is sent to an upstream that does not prove to be the one that was named."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.proxy import limits
from gateway.proxy.upstream_tls import UpstreamTls, UpstreamTlsFiles
from pki.authority import Authority, Issued
from policies.peer.certificate import certificate_from_der
from runtime.errors import ConfigurationError
from tests.gateway.proxy.test_failures import told
from tests.gateway.proxy.upstream import RecordingUpstream
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.gateway.server.world import mesh

API = "spiffe://acme.internal/ns/prod/sa/api"
OTHER = "spiffe://acme.internal/ns/prod/sa/other"


def server_context(folder: Path, issued: Issued, client_ca: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "chain.pem").write_bytes(issued.chain_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())
    return context


def served_as(uri: str) -> Issued:
    return mesh().issue(uri=[uri], server=True)


def pin_of(issued: Issued) -> str:
    return f"sha256:{base64.b64encode(certificate_from_der(issued.der).spki_sha256).decode()}"


@contextmanager
def upstream(folder: Path, issued: Issued, client_ca: Authority | None = None) -> Iterator[RecordingUpstream]:
    with RecordingUpstream(tls=server_context(folder, issued, client_ca)) as running:
        yield running


@pytest.fixture
def ca(tmp_path: Path) -> str:
    (tmp_path / "ca.pem").write_bytes(mesh().pem)
    return str(tmp_path / "ca.pem")


def test_an_upstream_with_the_spiffe_id_that_was_named_is_asked(tmp_path: Path, ca: str) -> None:
    with (
        upstream(tmp_path, served_as(API)) as running,
        proxying(f"{running.url}#{API}", tls=UpstreamTlsFiles(ca)) as server,
    ):
        assert status_of(answered(server, request())) == 200


@pytest.mark.parametrize("uri", [OTHER, API + "x", API.replace("acme", "acne")])
def test_an_upstream_with_another_spiffe_id_gets_not_a_byte(tmp_path: Path, ca: str, uri: str) -> None:
    with upstream(tmp_path, served_as(uri)) as running:
        with proxying(f"{running.url}#{API}", tls=UpstreamTlsFiles(ca)) as server:
            assert told(answered(server, request())) == (502, "upstream_untrusted")
        assert running.heads == []


def test_the_same_spiffe_id_of_another_ca_proves_nothing(tmp_path: Path, ca: str) -> None:
    stranger = Authority.root("stranger").issue(uri=[API], server=True)
    with upstream(tmp_path, stranger) as running:
        with proxying(f"{running.url}#{API}", tls=UpstreamTlsFiles(ca)) as server:
            assert told(answered(server, request())) == (502, "upstream_untrusted")
        assert running.heads == []


def test_a_pin_needs_no_ca(tmp_path: Path) -> None:
    issued = Authority.root("stranger").issue(dns=["whatever.example"], server=True)
    with upstream(tmp_path, issued) as running, proxying(f"{running.url}#{pin_of(issued)}") as server:
        assert status_of(answered(server, request())) == 200


def test_another_key_than_the_pinned_gets_not_a_byte(tmp_path: Path) -> None:
    pinned = served_as(API)
    with upstream(tmp_path, served_as(API)) as running, proxying(f"{running.url}#{pin_of(pinned)}") as server:
        assert told(answered(server, request())) == (502, "upstream_untrusted")
        assert running.heads == []


def test_without_either_the_name_in_the_url_counts(tmp_path: Path, ca: str) -> None:
    with (
        upstream(tmp_path, mesh().issue(ip=["127.0.0.1"], server=True)) as running,
        proxying(running.url, tls=UpstreamTlsFiles(ca)) as server,
    ):
        assert status_of(answered(server, request())) == 200


def test_another_name_than_the_one_in_the_url_gets_not_a_byte(tmp_path: Path, ca: str) -> None:
    with upstream(tmp_path, mesh().issue(ip=["127.0.0.9"], server=True)) as running:
        with proxying(running.url, tls=UpstreamTlsFiles(ca)) as server:
            assert told(answered(server, request())) == (502, "upstream_untrusted")
        assert running.heads == []


def test_the_upstream_is_shown_our_certificate(tmp_path: Path, ca: str) -> None:
    ours = mesh().issue(uri=["spiffe://acme.internal/gateway"])
    (tmp_path / "our.pem").write_bytes(ours.chain_pem)
    (tmp_path / "our.key").write_bytes(ours.key_pem)
    files = UpstreamTlsFiles(ca, str(tmp_path / "our.pem"), str(tmp_path / "our.key"))
    with upstream(tmp_path, served_as(API), mesh()) as running, proxying(f"{running.url}#{API}", tls=files) as server:
        assert status_of(answered(server, request())) == 200


def test_new_files_are_used_and_bad_ones_are_not(tmp_path: Path, ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_LOOK_SECONDS", 0.0)
    tls = UpstreamTls(UpstreamTlsFiles(ca), frozenset({API}))
    first = tls.context(API)
    assert tls.context(API) is first
    Path(ca).write_bytes(b"no certificate")
    assert tls.context(API) is first
    Path(ca).write_bytes(Authority.root("new").pem)
    assert tls.context(API) is not first


@pytest.mark.parametrize(
    ("files", "peer", "hint"),
    [
        (UpstreamTlsFiles(), API, "--upstream-ca"),
        (UpstreamTlsFiles("/nowhere"), "", "--upstream-ca"),
        (UpstreamTlsFiles(certificate="/nowhere"), "", "go together"),
        (UpstreamTlsFiles(certificate="/nowhere", key="/nowhere"), "", "--upstream-cert"),
    ],
)
def test_files_that_cannot_be_used_end_the_start(files: UpstreamTlsFiles, peer: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        UpstreamTls(files, frozenset({peer}))
