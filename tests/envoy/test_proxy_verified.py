"""`--proxy-verified` through a real Envoy over Unix sockets: names without a certificate, and certificates of its CAs.

Envoy is told as Istio is: XFCC with the names of the peer, no `Cert`, and no peer certificate in the CheckRequest.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from policies.authoring.replay import Replay
from policies.language.load import load_policy
from policies.reason import Reason
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from runtime.policy_source import PolicySource
from tests.envoy.revocation_world import written
from tests.runtime.world import eventually
from tests.support.extauth_process import ExtauthProcess

NS = "spiffe://acme.internal/ns/prod/sa"
NAMES = {"subject": True, "dns": True, "uri": True}
POLICY = f"""\
version: 1
trust:
  mesh: {{anchors: [mesh.pem], spiffe_trust_domain: acme.internal}}
identities:
  billing: {{uri: "{NS}/billing"}}
  admin: {{uri: "{NS}/admin"}}
rules:
  - {{id: billing-reads, allow: billing, to: {{paths: [/v1/a]}}}}
  - {{id: by-dns, allow: {{dns: billing.example}}, to: {{paths: [/v1/dns]}}}}
  - {{id: by-email, allow: {{email: "billing@acme.example"}}, to: {{paths: [/v1/email]}}}}
  - {{id: admins, allow: admin, to: {{paths: [/v1/admin]}}}}
  - {{id: not-this-key, deny: {{serial: a1}}, to: {{paths: [/v1/key]}}}}
  - {{id: all-by-key, allow: authenticated, to: {{paths: [/v1/key]}}}}
  - {{id: open, allow: unauthenticated, to: {{paths: [/open]}}}}
"""


@dataclass
class World:
    """An Envoy that knows `clients` as its CA, and a peergate whose policy knows another CA."""

    folder: Path
    front: tuple[str, int]
    upstream: EchoUpstream
    service: ExtauthProcess
    policy: Path
    credentials: dict[str, Credentials]

    def ask(self, who: str | None, path: str = "/v1/a", headers: list[tuple[str, bytes]] | None = None) -> Answer:
        context = client_context(self.folder / "ca.pem", None if who is None else self.credentials[who])
        sent = [("Host", b"h.example"), ("Connection", b"close"), *(headers or [])]
        return call(self.front, context, request_bytes("GET", path.encode(), sent), sni=None)

    def records(self, trace: str) -> list[dict[str, Any]]:
        """Those of one trace."""
        found = [json.loads(line) for line in self.service.records.read_text().splitlines()]
        return [record for record in found if record.get("trace.id") == trace]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENTS = Authority.root("clients")
NOW = datetime.now(UTC)
CALLERS: dict[str, Any] = {
    "billing": {"uri": [f"{NS}/billing"], "dns": ["billing.example"], "email": ["billing@acme.example"]},
    "other": {"uri": [f"{NS}/other"]},
    "elsewhere": {"uri": ["spiffe://other.example/ns/prod/sa/billing"]},
    "nameless": {"dns": ["billing.example"]},
    "writes-dns": {"uri": [f"{NS}/admin;DNS=billing.example"]},
    "writes-uri": {"uri": [f"{NS}/other;URI={NS}/admin"]},
    "writes-element": {"uri": [f"{NS}/other,URI={NS}/admin"]},
    "dns-writes-uri": {"dns": [f"x.example;URI={NS}/admin"]},
    "expired": {"uri": [f"{NS}/billing"], "not_before": NOW - timedelta(days=2), "not_after": NOW - timedelta(days=1)},
    "server": {"uri": [f"{NS}/billing"], "client": False, "server": True},
}


@contextmanager
def world(
    binary: Path, details: dict[str, Any], *, protocol: Protocol = Protocol.GRPC, flags: tuple[str, ...] = ()
) -> Iterator[World]:
    """`details`: of set_current_client_cert_details; without `cert` no certificate is shown by other ways either."""
    # The path of a socket is short.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy").mkdir()
        (folder / "policy/policy.yaml").write_text(POLICY)
        (folder / "policy/mesh.pem").write_bytes(Authority.root("another CA of the mesh").pem)
        credentials = {who: written(folder, who, CLIENTS.issue(**names)) for who, names in CALLERS.items()}
        front = Authority.root("front")
        server = front.issue(dns=["h.example"], server=True, client=False)
        for file, content in {"s.pem": server.pem, "s.key": server.key_pem, "clients.pem": CLIENTS.pem}.items():
            (folder / file).write_bytes(content)
        (folder / "ca.pem").write_bytes(front.pem)
        http = UnixAddress(str(folder / "http.sock"))
        flags = (*flags, "--http", str(http), "--trusted-hop", "unix")
        with ExtauthProcess.start(folder / "policy", folder, *flags) as service, EchoUpstream() as upstream:
            listen = service.listen if protocol is Protocol.GRPC else http
            bootstrap, admin = _bootstrap(folder, Authorization(listen, protocol), details, upstream.port)
            with EnvoyProcess.run(binary, bootstrap, admin, folder) as envoy:
                address = (envoy.address.host, envoy.address.port)
                yield World(folder, address, upstream, service, folder / "policy", credentials)


def _bootstrap(
    folder: Path, authorization: Authorization, details: dict[str, Any], upstream: int
) -> tuple[Any, UnixAddress]:
    admin = UnixAddress(str(folder / "admin.sock"))
    tls = DownstreamTls(folder / "s.pem", folder / "s.key", folder / "clients.pem", False, True)
    behind = TcpAddress("127.0.0.1", upstream)
    bootstrap: Any = bootstrap_from_settings(
        EnvoySettings(TcpAddress("127.0.0.1", 0), tls, authorization, behind, admin)
    )
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][-1]["typed_config"]
    manager["set_current_client_cert_details"] = details
    (asking,) = [each for each in manager["http_filters"] if each["name"] == "envoy.filters.http.ext_authz"]
    if not details.get("cert"):
        asking["typed_config"].pop("include_peer_certificate", None)
    return bootstrap, admin


FORMS = [(Protocol.GRPC, NAMES), (Protocol.GRPC, NAMES | {"format": "JSON"}), (Protocol.HTTP, NAMES)]
VERIFIED = ("--proxy-verified", "mesh")


@pytest.fixture(scope="module", params=FORMS, ids=["grpc text", "grpc JSON", "http text"])
def named(request: pytest.FixtureRequest, envoy_binary: Path) -> Iterator[tuple[World, str]]:
    """Envoy shows names only. The world, and its form."""
    protocol, details = request.param
    form = f"{protocol} {details.get('format', 'text')}"
    with world(envoy_binary, details, protocol=protocol, flags=VERIFIED) as started:
        yield started, form


def test_a_name_is_enough_for_a_rule_that_asks_for_it(named: tuple[World, str]) -> None:
    answer = named[0].ask("billing")
    assert answer.status == 200
    received = answer.echoed()
    assert received.values("x-peergate-spiffe-id") == [f"{NS}/billing"]
    assert len(received.values("x-forwarded-client-cert")) == 1
    assert named[0].ask("billing", "/v1/dns").status == 200


@pytest.mark.parametrize(
    ("who", "path", "reason"),
    [
        ("other", "/v1/a", Reason.NO_MATCHING_RULE),
        ("billing", "/v1/email", Reason.NO_MATCHING_RULE),
        ("billing", "/v1/key", Reason.DENIED_BY_RULE),
        ("elsewhere", "/v1/a", Reason.SVID_INVALID),
        ("nameless", "/v1/dns", Reason.SVID_INVALID),
        (None, "/v1/a", Reason.NO_CERTIFICATE),
    ],
)
def test_other_names_and_unknown_facts_get_nothing(
    named: tuple[World, str], who: str | None, path: str, reason: Reason
) -> None:
    answer = named[0].ask(who, path)
    assert (answer.status, answer.reason) == (403, reason)


def test_what_a_client_says_of_itself_counts_for_nothing(named: tuple[World, str]) -> None:
    claim = [("x-forwarded-client-cert", f"URI={NS}/billing".encode())]
    assert named[0].ask("other", headers=claim).reason == Reason.NO_MATCHING_RULE
    assert named[0].ask(None, headers=claim).reason == Reason.NO_CERTIFICATE
    assert named[0].ask(None, "/open", headers=claim).echoed().values("x-forwarded-client-cert") == []


@pytest.mark.parametrize("who", ["writes-uri", "writes-element", "dns-writes-uri"])
def test_a_san_that_writes_a_name_of_its_own_is_refused(named: tuple[World, str], who: str) -> None:
    answer = named[0].ask(who, "/v1/admin")
    assert (answer.status, answer.reason) == (
        403,
        Reason.SVID_INVALID if "JSON" in named[1] else Reason.CERTIFICATE_MALFORMED,
    )


def test_law_7_a_san_that_is_cut_in_text_is_seen_over_grpc_and_told_of_at_the_start(named: tuple[World, str]) -> None:
    world, form = named
    log = (world.folder / "extauth.log").read_text()
    assert "--proxy-verified: these laws do not hold" in log
    answer = world.ask("writes-dns", "/v1/admin")
    if "http" in form:
        # Over HTTP nothing tells the whole name.
        assert 'law_7="in XFCC as text a SAN ends at its first' in log
        assert answer.status == 200
    else:
        assert answer.status == 403
        assert answer.reason in {Reason.SVID_INVALID, Reason.CERTIFICATE_MALFORMED}


def test_the_health_detail_names_the_flag_and_the_rules_that_need_more(named: tuple[World, str]) -> None:
    notices = named[0].service.status()["notices"]
    assert "--proxy-verified mesh: callers are verified by the proxy and not here" in notices
    assert any("email is unknown" in notice and notice.endswith("needed by by-email") for notice in notices)
    assert any("serial is unknown" in notice and notice.endswith("needed by not-this-key") for notice in notices)


def test_law_10_every_record_says_how_the_caller_was_known_and_is_replayed(named: tuple[World, str]) -> None:
    world, _ = named
    asked = (("billing", "/v1/a"), ("billing", "/v1/key"), ("elsewhere", "/v1/a"), (None, "/open"))
    for who, path in asked:
        world.ask(who, path, [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())])
    eventually(lambda: len(world.records(TRACE)) == len(asked))
    records = world.records(TRACE)
    assert [record["identity.presented"] for record in records] == ["named", "named", "named", "none"]
    assert records[0]["identity.proxy_verified"] == "mesh"
    assert records[0]["tls.client.x509.serial_number"] is None
    reading = PolicySource(str(world.policy)).reading()
    policy = load_policy(reading.files, reading).policy
    assert policy is not None
    replay = Replay(policy, lambda: 0.0)
    for record in records:
        answer = replay.answer(json.dumps(record).encode())
        said = {name: answer[name] for name in ("effect", "reason", "rules", "generation")}
        assert said == {name: record[name] for name in said}


def test_a_certificate_that_the_proxy_verified_needs_no_path_here_and_all_else(envoy_binary: Path) -> None:
    details = NAMES | {"cert": True, "chain": True}
    with world(envoy_binary, details, flags=VERIFIED) as started:
        assert started.ask("billing").status == 200
        assert started.ask("billing", "/v1/email").status == 200
        # What Envoy admits here without having verified it stands for a proxy that does not look at dates and usage.
        assert started.ask("expired").reason == Reason.CERTIFICATE_EXPIRED
        assert started.ask("server").reason == Reason.CERTIFICATE_UNTRUSTED
        assert started.ask("elsewhere").reason == Reason.SVID_INVALID
