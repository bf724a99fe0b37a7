"""The Envoy of `up` alone, with nobody to ask: what it decides, it decides by itself, and what it asks is denied."""

import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from extauth.native.compile import Compiled, compiled_from_policy
from extauth.native.files import EnvoyFiles
from extauth.native.told import Told, told_from_line
from peergate.demo.client import Credentials, client_context
from peergate.demo.upstream import EchoUpstream
from peergate.up.change import CHANGE_FILE
from peergate.up.configuration import UpSettings
from peergate.up.envoy import POLICY_FILE, UpEnvoy
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import Loaded
from policies.language.load_memory import NOTHING_LOADED, LoadMemory
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.proto_json import Json
from runtime.errors import ConfigurationError, ListenError
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
POLICY = f"""\
version: 1
trust: {{mesh: {{anchors: [ca.pem], spiffe_trust_domain: acme.internal, crls: [crls]}}}}
identities: {{billing: {{uri: "{BILLING}"}}}}
rules:
  - {{id: reads, allow: billing, to: {{paths: ["/v1/**"]}}}}
  - {{id: tells, allow: billing, to: {{paths: [/told]}}, set_headers: {{x-told: "yes"}}}}
"""


@dataclass
class World:
    """A running Envoy, its authority, and a caller."""

    folder: Path
    authority: Authority
    envoy: UpEnvoy
    upstream: EchoUpstream
    open: ExitStack

    def loaded(self, text: str = POLICY, memory: LoadMemory = NOTHING_LOADED) -> Loaded:
        (self.folder / "policy.yaml").write_text(text)
        return loaded_from_reading(PolicySource(str(self.folder / "policy.yaml")).reading(), None, memory)

    def policy(self, text: str = POLICY, memory: LoadMemory = NOTHING_LOADED) -> PolicySet:
        loaded = self.loaded(text, memory)
        assert loaded.policy is not None, loaded.problems
        return loaded.policy

    def apply(self, text: str = POLICY) -> None:
        self.envoy.apply(self.policy(text), time.time())

    def caller(
        self,
        name: str = "billing",
        lives: timedelta = timedelta(days=1),
        *,
        uri: str = BILLING,
        by: Authority | None = None,
    ) -> "Connection":
        issued = (by or self.authority).issue(uri=[uri], not_after=datetime.now(UTC) + lives)
        credentials = Credentials(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        credentials.chain.write_bytes(issued.chain_pem)
        credentials.key.write_bytes(issued.key_pem)
        return Connection(self.connected(client_context(self.folder / "ca.pem", credentials)), issued.certificate)

    def connected(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection that is closed in the end, whatever becomes of its handshake."""
        address = self.envoy.address
        raw = self.open.enter_context(socket.create_connection((address.host, address.port), 5))
        tls = context.wrap_socket(raw, server_hostname="h.example", session=session, do_handshake_on_connect=False)
        self.open.enter_context(tls).do_handshake()
        return tls


@dataclass
class Connection:
    """One open connection with a certificate."""

    tls: ssl.SSLSocket
    shown: x509.Certificate | None

    @property
    def certificate(self) -> x509.Certificate:
        assert self.shown is not None
        return self.shown

    def status(self, target: str = "/v1/a", *headers: str) -> int:
        lines = [f"GET {target} HTTP/1.1", "Host: h.example", *headers, "", ""]
        self.tls.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            received = self.tls.recv(65536)
            assert received, "the connection was closed"
            head += received
        _, _, rest = head.partition(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(rest) < int(length.split(b":")[1]):
            rest += self.tls.recv(65536)
        return int(head.split(b" ", 2)[1])


@contextmanager
def running(folder: Path, host: str = "127.0.0.1", upstream_host: str = "127.0.0.1") -> Iterator[World]:
    authority = Authority.root("mesh")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    (folder / "crls").mkdir()
    files = {"ca.pem": authority.pem, "s.pem": server.pem, "s.key": server.key_pem, "crls/a.crl": authority.crl([])}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    tls = TlsFiles(str(folder / "s.pem"), str(folder / "s.key"), flag_prefix="--")
    run = folder / "run"
    run.mkdir()
    with EchoUpstream() as upstream, ExitStack() as connections:
        settings = UpSettings(
            TcpAddress(host, 0), tls, TcpAddress(upstream_host, upstream.port), threads=1, native=True
        )
        envoy = UpEnvoy(settings, LiveTls(tls), run, UnixAddress(str(run / "nobody.sock")))
        world = World(folder, authority, envoy, upstream, connections)
        world.apply()
        try:
            envoy.start()
            yield world
        finally:
            envoy.stop(0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as found:
        yield found


def within(seconds: float, wanted: Callable[[], bool]) -> bool:
    """Whether `wanted` comes about; a busy machine gets twice the time."""
    deadline = time.monotonic() + 2 * seconds
    while time.monotonic() < deadline:
        if wanted():
            return True
        time.sleep(0.02)
    return False


def status_of(connect: Callable[[], Connection], target: str = "/v1/a") -> int:
    """What a new connection is answered; 0 if it is turned away, or nobody is there."""
    try:
        return connect().status(target)
    except (OSError, AssertionError):
        return 0


def _same(connection: Connection) -> Connection:
    return connection


def test_an_upstream_that_is_named_localhost_is_found_where_most_servers_listen(tmp_path: Path) -> None:
    with running(tmp_path, upstream_host="localhost") as world:
        # The name is looked up when Envoy serves already.
        assert within(5, lambda: status_of(world.caller) == 200)


def test_native_routes_go_on_while_nobody_answers_and_asked_ones_are_denied(world: World) -> None:
    caller = world.caller()
    assert [caller.status(target) for target in ("/v1/a", "/told", "/v1/a%20b", "/v2")] == [200, 403, 403, 403]
    assert [request.target for request in world.upstream.received] == ["/v1/a"]


def test_a_revoked_certificate_is_refused_on_an_open_connection_within_two_seconds(world: World) -> None:
    caller, other = world.caller(), world.caller("other")
    assert caller.status() == other.status() == 200
    revoked = world.authority.crl([caller.certificate])
    (world.folder / "crls" / "a.crl").write_bytes(revoked)
    world.apply()
    assert within(2, lambda: caller.status() == 403)
    assert other.status() == 200


def test_a_connection_that_a_removed_ca_let_in_is_refused(world: World) -> None:
    caller = world.caller()
    assert caller.status() == 200
    other = Authority.root("mesh")
    (world.folder / "other.pem").write_bytes(other.pem)
    world.apply(POLICY.replace("anchors: [ca.pem]", "anchors: [other.pem]").replace(", crls: [crls]", ""))
    assert within(2, lambda: caller.status() == 403)


SEVERAL = POLICY.replace("trust: {mesh", "trust: {partner: {anchors: [partner.pem]}, mesh")


def test_of_several_trust_entries_each_is_decided_about_while_nobody_answers(world: World) -> None:
    partner = Authority.root("partner")
    (world.folder / "partner.pem").write_bytes(partner.pem)
    world.apply(SEVERAL)
    # Envoy takes the new CA a moment later.
    assert within(2, lambda: status_of(partial(world.caller, by=partner)) == 403)
    assert within(2, lambda: status_of(world.caller) == 200)
    assert status_of(partial(world.caller, by=partner)) == 403


def test_a_connection_is_no_longer_of_the_trust_entry_that_its_ca_was_taken_out_of(world: World) -> None:
    partner = Authority.root("partner")
    (world.folder / "partner.pem").write_bytes(partner.pem)
    world.apply(POLICY.replace("anchors: [ca.pem]", "anchors: [ca.pem, partner.pem]"))
    assert within(2, lambda: status_of(partial(world.caller, by=partner)) == 200)
    caller = world.caller(by=partner)
    assert caller.status() == 200
    world.apply(SEVERAL)
    assert within(2, lambda: caller.status() == 403)
    assert within(2, lambda: status_of(world.caller) == 200)


def test_a_connection_that_came_in_while_its_ca_was_removed_is_refused(world: World) -> None:
    other = Authority.root("mesh")
    (world.folder / "other.pem").write_bytes(other.pem)
    without = POLICY.replace("anchors: [ca.pem]", "anchors: [other.pem]").replace(", crls: [crls]", "")
    context = world.caller().tls.context
    opened: list[Connection] = []
    over = Event()

    def connect() -> None:
        while not over.is_set():
            with suppress(OSError):
                opened.append(Connection(world.connected(context), None))

    clients = [Thread(target=connect) for _ in range(2)]
    for client in clients:
        client.start()
    for _ in range(3):
        time.sleep(0.2)
        world.apply(without)
        time.sleep(0.5)
        assert len(opened) > 3, "connections were opened while the CA was removed"
        let_in, opened[:] = list(opened), []
        assert 200 not in [status_of(partial(_same, connection)) for connection in let_in]
        world.apply()
    over.set()
    for client in clients:
        client.join()


def test_a_connection_that_an_ended_ca_let_in_is_refused_and_so_is_its_resumed_session(world: World) -> None:
    soon = Authority.root("soon", days=8 / 86_400)
    (world.folder / "soon.pem").write_bytes(soon.pem)
    world.apply(POLICY.replace("anchors: [ca.pem]", "anchors: [ca.pem, soon.pem]"))
    assert within(2, lambda: status_of(lambda: world.caller(by=soon)) == 200)
    caller = world.caller(by=soon)
    assert caller.status() == 200
    session = caller.tls.session
    assert within(8, lambda: caller.status() == 403)
    time.sleep(1)  # Envoy has what was compiled anew for the time after the end.
    assert caller.status() == 403

    def resumed() -> Connection:
        return Connection(world.connected(caller.tls.context, session), caller.shown)

    assert status_of(resumed) in {0, 403}


def test_a_certificate_that_expires_is_refused_on_an_open_connection(world: World) -> None:
    caller = world.caller(lives=timedelta(seconds=2))
    assert caller.status() == 200
    assert within(4, lambda: caller.status() == 403)


def test_under_require_callers_are_asked_about_as_soon_as_one_ca_has_no_crl(world: World) -> None:
    required = POLICY.replace("crls: [crls]", "crls: [crls], revocation: require")
    world.apply(required)
    assert within(2, lambda: status_of(world.caller) == 200)
    other = Authority.root("other")
    (world.folder / "other.pem").write_bytes(other.pem)
    world.apply(required.replace("anchors: [ca.pem]", "anchors: [ca.pem, other.pem]"))
    assert within(2, lambda: status_of(lambda: world.caller(by=other)) == 403)


def test_under_require_callers_are_asked_about_when_the_crl_ends_though_another_ca_has_none(world: World) -> None:
    issuing = world.authority.intermediate("issuing")
    (world.folder / "issuing.pem").write_bytes(issuing.pem)
    soon = datetime.now(UTC) + timedelta(seconds=3)
    (world.folder / "crls" / "a.crl").write_bytes(issuing.crl([], next_update=soon))
    required = POLICY.replace("crls: [crls]", "crls: [crls], intermediates: [issuing.pem], revocation: require")
    world.apply(required)
    time.sleep(max(0, soon.timestamp() - time.time()) + 0.5)
    assert status_of(lambda: world.caller(by=issuing)) == 403


def test_callers_are_asked_about_where_a_path_length_lets_an_intermediate_issue_no_leaves(world: World) -> None:
    first = world.authority.intermediate("first", path_length=0)
    second = first.intermediate("second")
    for name, ca in (("first", first), ("second", second)):
        (world.folder / f"{name}.pem").write_bytes(ca.pem)
    world.apply(POLICY.replace("crls: [crls]", "intermediates: [first.pem]"))
    assert within(2, lambda: status_of(lambda: world.caller(by=first)) == 200)
    world.apply(POLICY.replace("crls: [crls]", "intermediates: [first.pem, second.pem]"))
    assert within(2, lambda: status_of(lambda: world.caller(by=second)) == 403)
    assert status_of(lambda: world.caller(by=first)) == 403


@pytest.mark.parametrize(("above", "status"), [(8, 200), (9, 403)])
def test_callers_are_asked_about_where_more_cas_are_above_them_than_peergate_follows(
    world: World, above: int, status: int
) -> None:
    ca, names = world.authority, []
    for height in range(above):
        ca = ca.intermediate(f"at-{height}", path_length=None)
        names.append(f"at-{height}.pem")
        (world.folder / names[-1]).write_bytes(ca.pem)
    world.apply(POLICY.replace("crls: [crls]", f"intermediates: [{', '.join(names)}]"))
    assert within(2, lambda: status_of(lambda: world.caller(by=ca)) == status)


def test_a_certificate_that_expires_while_the_headers_of_a_request_come_in_is_refused(world: World) -> None:
    caller = world.caller(lives=timedelta(seconds=3))
    assert caller.status() == 200
    end = caller.certificate.not_valid_after_utc.timestamp()
    time.sleep(max(0, end - time.time() - 0.5))
    caller.tls.sendall(b"GET /v1/late HTTP/1.1\r\nHost: h.example\r\n")
    time.sleep(end - time.time() + 0.5)
    caller.tls.sendall(b"x-last: header\r\n\r\n")
    assert caller.tls.recv(65536).startswith(b"HTTP/1.1 403")
    assert "/v1/late" not in [request.target for request in world.upstream.received]


@pytest.mark.parametrize(("length", "status"), [(2048, 200), (2049, 403)])
def test_a_spiffe_id_that_is_too_long_to_be_one_is_asked(world: World, length: int, status: int) -> None:
    world.apply(POLICY.replace("allow: billing", "allow: authenticated"))
    prefix = "spiffe://acme.internal/"
    caller = world.caller(uri=prefix + "x" * (length - len(prefix)))
    assert within(2, lambda: caller.status() == status)
    assert caller.status() == status


@pytest.mark.parametrize(
    "block",
    [
        'deny: {{serial: "{serial:x}"}}',
        'deny: {{fingerprint: "sha256:{fingerprint}"}}',
        'deny: {{uri: "' + BILLING + '", fingerprint: "sha256:{fingerprint}"}}',
    ],
)
def test_a_blocked_certificate_is_refused_on_an_open_connection(world: World, block: str) -> None:
    caller = world.caller()
    assert caller.status() == 200
    fingerprint = caller.certificate.fingerprint(SHA256()).hex()
    rule = block.format(serial=caller.certificate.serial_number, fingerprint=fingerprint)
    world.apply(POLICY + f"  - {{id: block, {rule}, to: any}}\n")
    assert within(2, lambda: caller.status() == 403)


def test_a_change_of_the_policy_is_in_force_on_an_open_connection(world: World) -> None:
    caller = world.caller()
    assert caller.status("/v2/a") == 403
    world.apply(POLICY.replace("/v1/**", "/v2/**"))
    assert within(2, lambda: caller.status("/v2/a") == 200)
    assert caller.status("/v1/a") == 403


@contextmanager
def compiling(world: World, monkeypatch: pytest.MonkeyPatch, text: str = POLICY) -> Iterator[None]:
    """The policy `text` is compiled, as long as the block lasts."""
    begun, go_on = Event(), Event()
    policy = world.policy(text)

    def slow(*arguments: Any, **more: Any) -> Compiled:
        begun.set()
        assert go_on.wait(20)
        return compiled_from_policy(*arguments, **more)

    monkeypatch.setattr("peergate.up.envoy.compiled_from_policy", slow)
    thread = Thread(target=world.envoy.apply, args=(policy, time.time()))
    thread.start()
    try:
        assert begun.wait(5)
        yield
    finally:
        go_on.set()
        thread.join()
        monkeypatch.undo()


def test_a_revoked_certificate_is_asked_about_while_the_policy_is_still_compiled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, other = world.caller(), world.caller("other")
    assert caller.status() == other.status() == 200
    (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([caller.certificate]))
    with compiling(world, monkeypatch):
        assert within(1, lambda: caller.status() == 403)
        assert other.status() == 200
    assert caller.status() == 403
    assert within(2, lambda: marked(world) == 0)
    assert (caller.status(), other.status()) == (403, 200)


def test_a_caller_whom_a_new_rule_names_is_asked_about_until_envoy_has_the_policy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = "spiffe://acme.internal/ns/prod/sa/another"
    both = POLICY.replace("  - {id: tells", f'  - {{id: b, allow: {{uri: "{another}"}}, to: any}}\n  - {{id: tells')
    caller, other = world.caller(), world.caller("other", uri=another)
    world.apply(both)
    assert within(2, lambda: other.status() == 200)
    with compiling(world, monkeypatch, both + "  - {id: not-v1b, deny: billing, to: {paths: [/v1/b]}}\n"):
        assert within(1, lambda: caller.status("/v1/b") == 403)
        # Nobody answers; what the rule is not about is decided again as soon as Envoy has it.
        assert (caller.status(), other.status()) == (403, 200)
    assert within(2, lambda: caller.status() == 200)
    assert caller.status("/v1/b") == 403


def test_a_bound_of_lifetimes_that_is_new_counts_on_open_connections_whatever_dates_a_client_sends(
    world: World,
) -> None:
    sent = ("x-peergate-not-after: 2000000000", "x-peergate-not-before: 1999999999")
    open_for_long = world.caller("long", timedelta(days=9))
    assert open_for_long.status("/v1/a", *sent) == 200
    world.apply(POLICY.replace("crls: [crls]", "crls: [crls], max_lifetime: 5d"))
    # Its listener notes no lifetimes: it is asked about. Those that come now are judged.
    assert within(2, lambda: open_for_long.status("/v1/a", *sent) == 403)
    assert within(2, lambda: world.caller().status() == 200)
    assert world.caller("longer", timedelta(days=9)).status("/v1/a", *sent) == 403


def test_what_is_new_is_asked_about_until_envoy_has_the_last_of_several_policies(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (world.caller(name) for name in ("one", "two", "three"))
    crl = world.folder / "crls" / "a.crl"
    with monkeypatch.context() as patched:
        patched.setattr("runtime.envoy.admin.Admin.filter_version", lambda *_: "another")
        patched.setattr("peergate.up.taken.TAKE_SECONDS", 60.0)
        crl.write_bytes(world.authority.crl([first.certificate], number=2))
        world.apply()
        crl.write_bytes(world.authority.crl([first.certificate, second.certificate], number=3))
        world.apply()
        assert marked(world) >= 2
        assert within(2, lambda: first.status() == second.status() == 403)
        assert third.status() == 200
    assert within(2, lambda: marked(world) == 0)
    assert (first.status(), second.status(), third.status()) == (403, 403, 200)


def test_an_envoy_that_is_busy_with_a_policy_is_asked_again_without_a_word(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []

    def busy(*_: object) -> str:
        asked.append(None)
        raise TimeoutError("timed out")

    caller = world.caller()
    with monkeypatch.context() as patched:
        patched.setattr("runtime.envoy.admin.Admin.filter_version", busy)
        (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([caller.certificate], number=2))
        world.apply()
        assert within(2, lambda: len(asked) >= 3)
        assert marked(world), "Envoy may not have the policy yet"
        assert not caplog.records
        # One that never answers is told of.
        patched.setattr("peergate.up.taken.BUSY_SECONDS", 0.0)
        assert within(2, lambda: "Envoy could not be looked after" in caplog.text)
    assert within(2, lambda: marked(world) == 0)


def test_a_large_policy_is_written_when_nothing_has_changed_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peergate.up.change.LARGE_BYTES", 10)
    monkeypatch.setattr("peergate.up.change.QUIET_SECONDS", 4.0)
    caller, other = world.caller(), world.caller("other")
    memory = world.loaded().memory
    world.envoy.apply(world.policy(memory=memory), time.time())
    assert caller.status() == other.status() == 200
    (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([caller.certificate], number=2))
    policy = world.policy(memory=memory)
    world.envoy.apply(policy, time.time())
    assert within(1, lambda: caller.status() == 403)
    assert policy.generation not in written_policy(world)
    assert other.status() == 200
    assert within(8, lambda: marked(world) == 0)
    assert policy.generation in written_policy(world)
    assert (caller.status(), other.status()) == (403, 200)


def test_a_change_that_cannot_be_worked_out_waits_for_the_policy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    caller, other = world.caller(), world.caller("other")
    assert caller.status() == other.status() == 200
    monkeypatch.setattr("peergate.up.change.change_from_policies", broken)
    (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([caller.certificate]))
    world.apply()
    assert within(2, lambda: caller.status() == 403)
    assert other.status() == 200


def test_a_change_that_cannot_be_written_leaves_no_policy_before_it_in_force(world: World) -> None:
    caller, other = world.caller(), world.caller("other")
    assert caller.status() == other.status() == 200
    obstacle = world.folder / "run" / CHANGE_FILE / f".{CHANGE_FILE}"
    obstacle.mkdir()
    (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([caller.certificate]))
    with pytest.raises(OSError, match="directory"):
        world.apply()
    assert within(2, lambda: caller.status() == other.status() == 403)
    obstacle.rmdir()
    assert within(3, lambda: other.status() == 200)
    assert caller.status() == 403


def written_policy(world: World) -> str:
    return (world.folder / "run" / POLICY_FILE / f"{POLICY_FILE}.pb").read_bytes().decode("latin-1")


def marked(world: World) -> int:
    """How often Envoy is told to ask: once for a caller, and for each way in which a serial number is written."""
    return (world.folder / "run" / CHANGE_FILE / f"{CHANGE_FILE}.json").read_text().count("ask:change")


def test_a_change_of_what_the_access_log_tells_counts_on_open_connections(world: World) -> None:
    caller = world.caller()
    assert caller.status() == 200
    world.envoy.tell(Told(certificate=True, headers=("x-a",)))

    def told() -> object:
        assert status_of(world.caller) == 200
        return told_from_line(json.loads(world.envoy.access_log.read_bytes().splitlines()[-1])).get("headers")

    assert within(3, lambda: told() == {"x-a": None})
    # Of requests on connections that were open before, too.
    assert caller.status("/v1/a", "x-a: v") == 200
    assert within(3, lambda: b'x-a\\":\\"v' in world.envoy.access_log.read_bytes())
    assert world.envoy.restarts == 0


def test_without_a_policy_nobody_gets_in(world: World) -> None:
    world.envoy.apply(None, time.time())

    assert within(2, lambda: status_of(world.caller) in {0, 403})


def test_an_envoy_that_is_killed_runs_again_within_two_seconds(world: World) -> None:
    assert world.caller().status() == 200
    os.kill(world.envoy.pid, signal.SIGKILL)

    assert within(2, lambda: status_of(world.caller) == 200)
    assert within(1, lambda: world.envoy.restarts == 1)


def test_an_envoy_whose_port_was_taken_meanwhile_is_tried_again_until_it_listens(world: World) -> None:
    address = (world.envoy.address.host, world.envoy.address.port)
    os.kill(world.envoy.pid, signal.SIGKILL)
    assert within(1, lambda: bound(address, world))
    time.sleep(2)
    assert [world.envoy.is_running, world.envoy.restarts] == [False, 0]
    world.open.close()
    assert within(5, lambda: status_of(world.caller) == 200)
    assert within(1, lambda: [world.envoy.is_running, world.envoy.restarts] == [True, 1])


def bound(address: tuple[str, int], world: World) -> bool:
    """Whether the port is now somebody else's, until the connections of the world are closed."""
    try:
        world.open.enter_context(socket.create_server(address))
    except OSError:
        return False
    return True


def test_an_envoy_that_serves_but_does_not_listen_has_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = UpEnvoy.start

    def late(envoy: UpEnvoy) -> None:
        with socket.create_server(("127.0.0.1", envoy.address.port)):
            start(envoy)

    monkeypatch.setattr(UpEnvoy, "start", late)
    with pytest.raises(ConfigurationError, match=r"Envoy does not listen: .*Address already in use"):
        running(tmp_path).__enter__()


def test_a_name_that_up_listens_on_is_resolved_once_as_envoy_takes_only_addresses(tmp_path: Path) -> None:
    with running(tmp_path, "localhost") as world:
        assert world.envoy.address.host in {"127.0.0.1", "::1"}
        assert world.caller().status() == 200


def test_a_name_that_nobody_knows_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=r"cannot listen on nowhere\.invalid:0: the host is unknown"):
        running(tmp_path, "nowhere.invalid").__enter__()


def test_two_envoys_cannot_have_one_address_even_while_none_of_them_listens_yet(tmp_path: Path) -> None:
    authority = Authority.root("mesh")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    (tmp_path / "s.pem").write_bytes(server.pem)
    (tmp_path / "s.key").write_bytes(server.key_pem)
    tls = TlsFiles(str(tmp_path / "s.pem"), str(tmp_path / "s.key"), flag_prefix="--")
    nobody = UnixAddress(str(tmp_path / "nobody.sock"))
    first = UpSettings(TcpAddress("127.0.0.1", 0), tls, TcpAddress("127.0.0.1", 1), threads=1, native=True)
    envoy = UpEnvoy(first, LiveTls(tls), tmp_path, nobody)
    second = replace(first, listen=envoy.address)
    with pytest.raises(ListenError, match="another `peergate up` does"):
        UpEnvoy(second, LiveTls(tls), tmp_path, nobody)
    envoy.stop(0)
    UpEnvoy(second, LiveTls(tls), tmp_path, nobody).stop(0)


def test_what_could_not_be_written_is_written_as_soon_as_it_can_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, write, failures = world.caller(), EnvoyFiles.write, [OSError("no space left"), OSError("no space left")]

    def failing(files: EnvoyFiles, name: str, message: str, resource: Json) -> bool:
        if name == POLICY_FILE and failures:
            raise failures.pop()
        return write(files, name, message, resource)

    monkeypatch.setattr(EnvoyFiles, "write", failing)
    with pytest.raises(OSError, match="no space left"):
        world.apply(POLICY.replace("/v1/**", "/v2/**"))
    assert within(3, lambda: caller.status("/v2/a") == 200)
    assert caller.status("/v1/a") == 403
    assert failures == []


def test_a_renewed_server_certificate_is_shown_to_new_connections(world: World) -> None:
    renewed = world.authority.issue(dns=["h.example"], server=True, client=False)
    before = shown(world)
    (world.folder / "s.key").write_bytes(renewed.key_pem)
    (world.folder / "s.pem").write_bytes(renewed.pem)
    assert within(2, lambda: shown(world) != before)


def shown(world: World) -> bytes | None:
    return world.caller().tls.getpeercert(binary_form=True)


def test_an_upstream_is_told_who_calls_and_nothing_of_a_caller_without_a_certificate(world: World) -> None:
    world.apply(POLICY + "  - {id: probes, allow: unauthenticated, to: {paths: [/healthz]}}\n")
    assert world.caller().status("/v1/a") == 200
    told = dict(world.upstream.received[-1].headers)
    assert (told["x-peergate-identity"], told["x-peergate-spiffe-id"]) == ("billing", BILLING)
    assert told["x-peergate-decision-id"]
    assert within(2, lambda: status_of(lambda: anonymous(world), "/healthz") == 200)
    names = {name for name, _ in world.upstream.received[-1].headers if name.startswith("x-peergate-")}
    assert names == {"x-peergate-decision-id"}


def test_an_upstream_is_told_no_name_that_the_caller_does_not_have(world: World) -> None:
    world.apply(
        """\
version: 1
trust: {mesh: {anchors: [ca.pem], spiffe_trust_domain: acme.internal}}
identities:
  others: {all: [{uri: "spiffe://acme.internal/**"}, {not: {uri: "spiffe://acme.internal/x"}}]}
rules:
  - {id: all, allow: {uri: "spiffe://acme.internal/**"}, to: {paths: [/all]}}
"""
    )
    nameless, named = (
        world.caller("x", uri="spiffe://acme.internal/x"),
        world.caller("y", uri="spiffe://acme.internal/y"),
    )
    assert within(2, lambda: nameless.status("/all") == 200)
    assert [value for name, value in world.upstream.received[-1].headers if name == "x-peergate-identity"] == []
    # Nobody answers what is asked about it: Envoy could give it the other's name, or none.
    assert named.status("/all") == 403


def test_a_path_too_long_to_judge_is_asked_without_a_certificate_too(world: World) -> None:
    world.apply(POLICY + '  - {id: open, allow: unauthenticated, to: {paths: ["/open/**"]}}\n')
    assert within(2, lambda: status_of(lambda: anonymous(world), "/open/a") == 200)
    assert anonymous(world).status("/open/" + "a" * 8300) == 403


def test_hundreds_of_headers_that_rules_set_are_a_policy_that_envoy_takes(world: World) -> None:
    caller = world.caller()
    many = (
        f"  - {{id: tells-{n}, allow: billing, to: {{paths: [/told]}}, set_headers: {{x-{n}: a}}}}\n"
        for n in range(300)
    )
    world.apply(POLICY.replace("/v1/**", "/v3/**") + "".join(many))
    assert within(2, lambda: caller.status("/v3/a") == 200)
    assert caller.status("/v1/a") == 403


def test_a_policy_that_envoy_refuses_leaves_none_before_it_in_force(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = world.caller()
    assert caller.status() == 200
    refused = Compiled({"matcher_list": {}}, None, None)
    with monkeypatch.context() as patched:
        patched.setattr("peergate.up.envoy.compiled_from_policy", lambda *_: refused)
        world.apply()
    assert within(2, lambda: caller.status() == 403)
    assert world.envoy.trouble == "Envoy refuses the policy, as its log says, and asks about every request"
    world.apply()
    assert within(2, lambda: caller.status() == 200)
    assert world.envoy.trouble == ""


def test_a_policy_that_cannot_be_encoded_leaves_none_before_it_in_force(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = world.caller()
    assert caller.status() == 200
    unknown = Compiled({"matcher_list": {"no_such_field": 1}}, None, None)
    with monkeypatch.context() as patched:
        patched.setattr("peergate.up.envoy.compiled_from_policy", lambda *_: unknown)
        world.apply()
    assert within(2, lambda: caller.status() == 403)
    assert "no_such_field" in world.envoy.trouble
    assert world.envoy.trouble.endswith("and asks about every request")
    world.apply()
    assert within(2, lambda: caller.status() == 200)
    assert world.envoy.trouble == ""


def test_a_policy_that_cannot_be_written_leaves_none_before_it_in_force(world: World) -> None:
    caller = world.caller()
    assert caller.status() == 200
    obstacle = world.folder / "run" / POLICY_FILE / f".{POLICY_FILE}"
    obstacle.mkdir()
    with pytest.raises(OSError, match="directory"):
        world.apply(POLICY + "  - {id: nobody, deny: anyone, to: any}\n")
    assert within(2, lambda: caller.status() == 403)
    assert world.envoy.trouble.endswith("and asks about every request")
    obstacle.rmdir()
    world.apply()
    assert within(2, lambda: caller.status() == 200)


def test_where_nothing_can_be_told_at_all_there_is_no_envoy_until_it_can(world: World) -> None:
    caller = world.caller()
    assert caller.status() == 200
    obstacle = world.folder / "run" / POLICY_FILE / f".{POLICY_FILE}"
    obstacle.mkdir()
    (world.folder / "run" / f"{POLICY_FILE}.spare.pb").unlink()
    with pytest.raises(OSError, match="directory"):
        world.apply(POLICY + "  - {id: nobody, deny: anyone, to: any}\n")
    assert status_of(world.caller) == 0
    assert world.envoy.trouble.endswith("and was ended")
    time.sleep(1)
    assert not world.envoy.is_running
    obstacle.rmdir()
    assert within(5, lambda: status_of(partial(world.caller)) == 403)


def test_a_header_that_a_rule_may_set_never_passes_as_it_was_sent(world: World) -> None:
    caller = world.caller()
    assert caller.status("/v1/a", "x-told: admin") == 403  # asked, and nobody answers
    assert caller.status("/v1/a", "x-peergate-identity: admin") == 200
    assert [value for _, value in world.upstream.received[-1].headers if value == "admin"] == []


def anonymous(world: World) -> Connection:
    return Connection(world.connected(client_context(world.folder / "ca.pem", None)), None)


def test_a_caller_does_not_choose_the_id_of_a_decision(world: World) -> None:
    caller = world.caller()
    assert caller.status("/v1/a", "x-request-id: chosen") == 200
    assert dict(world.upstream.received[-1].headers)["x-peergate-decision-id"] != "chosen"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_has_the_certificate_of_its_first_handshake(world: World, version: ssl.TLSVersion) -> None:
    first = world.caller()
    context = first.tls.context
    context.maximum_version = version
    again = Connection(world.connected(context), first.shown)
    assert again.status() == 200
    resumed = Connection(world.connected(context, again.tls.session), first.shown)
    assert resumed.status() == 200
    assert resumed.tls.session_reused
    (world.folder / "crls" / "a.crl").write_bytes(world.authority.crl([first.certificate]))
    world.apply()
    assert within(2, lambda: resumed.status() == 403)
