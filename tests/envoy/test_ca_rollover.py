"""A CA is replaced under steady traffic, old -> both -> new, and nobody who is entitled is ever refused.

Both CAs have the same name, as re-keyed roots do: only the keys tell them apart.
"""

import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest

from peergate.demo.client import Credentials
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.admin import UnixConnection
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.envoy.callers import Caller, Fresh, OpenHttp1, OpenHttp2, Place, Told, every_kind
from tests.envoy.revocation_world import IN_FORCE_SECONDS, replace_file, seconds_until_refused, told_to_all, written
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import front

LET_IN = Told(200, "")
POLICY = b"""\
version: 1
trust: {mesh: {anchors: [pki/mesh.pem], spiffe_trust_domain: acme.internal}}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules: [{id: open, allow: billing, to: {paths: ["/v1/**"]}}]
"""
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
#: Seconds of traffic in each phase, and of rest between two requests of one client.
PHASE_SECONDS = 0.7
REST_SECONDS = 0.005
_POLL_SECONDS = 0.02


@dataclass
class RollOver:
    """Two CAs of one name, a client of each, and a policy that trusts what `trust` was told last."""

    folder: Path
    old: Authority = field(default_factory=lambda: Authority.root("mesh root"))
    new: Authority = field(default_factory=lambda: Authority.root("mesh root"))

    def __post_init__(self) -> None:
        self.files = {
            "old": written(self.folder, "old", self.old.issue(uri=[BILLING])),
            "new": written(self.folder, "new", self.new.issue(uri=[BILLING])),
        }
        (self.policy / "pki").mkdir(parents=True)
        (self.policy / "policy.yaml").write_bytes(POLICY)
        self.trust(self.old)

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    def trust(self, *authorities: Authority) -> None:
        replace_file(self.policy / "pki/mesh.pem", b"".join(authority.pem for authority in authorities))


class Clients:
    """Six clients that never rest: two of each kind, of which one moves to the new certificate early and one late."""

    def __init__(self, place: Place, files: dict[str, Credentials]) -> None:
        self._place = place
        self._files = files
        self._phase = "old"
        self._moves = {"early": Event(), "late": Event()}
        self._stop = Event()
        self._moved = Semaphore(0)
        self.seen: Counter[tuple[str, str, Told]] = Counter()

    @classmethod
    @contextmanager
    def busy(cls, place: Place, files: dict[str, Credentials]) -> Iterator["Clients"]:
        """They work until the block ends; `seen` is complete then. Raises what befell any of them."""
        clients = cls(place, files)
        with ThreadPoolExecutor(6) as threads:
            working = [
                threads.submit(clients._work, kind, move)
                for kind in (Fresh, OpenHttp1, OpenHttp2)
                for move in clients._moves.values()
            ]
            try:
                yield clients
            finally:
                for event in (*clients._moves.values(), clients._stop):
                    event.set()
        clients.seen = sum((client.result() for client in working), Counter[tuple[str, str, Told]]())

    def go_on(self, phase: str) -> None:
        """A while of traffic, counted under the name of the phase."""
        self._phase = phase
        time.sleep(PHASE_SECONDS)

    def move(self, who: str) -> None:
        """Let half of them take their new certificate; returns when they have let go of the old one."""
        self._moves[who].set()
        for _ in range(3):
            assert self._moved.acquire(timeout=10)

    def answered(self, phase: str, name: str) -> int:
        """How many requests with this certificate were answered in this phase."""
        return sum(count for (when, shown, _), count in self.seen.items() if (when, shown) == (phase, name))

    def _work(self, kind: Callable[[Place, Credentials], Caller], move: Event) -> Counter[tuple[str, str, Told]]:
        seen: Counter[tuple[str, str, Told]] = Counter()
        for name, over in (("old", move), ("new", self._stop)):
            try:
                with ExitStack() as kept:
                    caller = kind(self._place, self._files[name])
                    if isinstance(caller, OpenHttp1 | OpenHttp2):
                        kept.enter_context(caller)
                    while not over.is_set():
                        phase = self._phase
                        seen[phase, name, caller.ask()] += 1
                        time.sleep(REST_SECONDS)
            finally:
                self._moved.release()
        return seen


@dataclass
class Rolled:
    """An Envoy in front of the service, and how its own CA file is swapped, if it has one."""

    place: Place
    verifies: bool
    admit: Callable[..., None]


@contextmanager
def accepting(envoy_binary: Path, authorization: Authorization, folder: Path) -> Iterator[Rolled]:
    """Envoy leaves the judgement to peergate (ACCEPT_UNTRUSTED)."""
    with front(envoy_binary, authorization, folder) as started:
        yield Rolled(Place(started.address, started.server_ca), False, lambda *_: None)


@contextmanager
def verifying(envoy_binary: Path, authorization: Authorization, folder: Path) -> Iterator[Rolled]:
    """Envoy verifies too, and gets its CAs from a file that is swapped (SDS)."""
    server_ca, secret, admin = Authority.root("front"), folder / "clients.json", UnixAddress(str(folder / "admin.sock"))
    server = server_ca.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": server_ca.pem}.items():
        (folder / name).write_bytes(content)
    replace_file(secret, _secret(server_ca))
    with EchoUpstream() as upstream:
        tls = DownstreamTls(folder / "s.pem", folder / "s.key", folder / "ca.pem")
        listen, behind = TcpAddress("127.0.0.1", 0), TcpAddress("127.0.0.1", upstream.port)
        bootstrap: Any = bootstrap_from_settings(EnvoySettings(listen, tls, authorization, behind, admin))
        bootstrap["node"] = {"id": "front", "cluster": "front"}
        (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
        common = chain["transport_socket"]["typed_config"]["common_tls_context"]
        del common["validation_context"]
        source = {"path_config_source": {"path": str(secret)}, "resource_api_version": "V3"}
        common["validation_context_sds_secret_config"] = {"name": "clients", "sds_config": source}

        def admit(*authorities: Authority) -> None:
            before = _swaps(admin)
            replace_file(secret, _secret(*authorities))
            deadline = time.monotonic() + 5
            while _swaps(admin) == before:
                assert time.monotonic() < deadline, "Envoy did not take the CAs"
                time.sleep(_POLL_SECONDS)

        with EnvoyProcess.run(envoy_binary, bootstrap, admin, folder) as envoy:
            yield Rolled(Place((envoy.address.host, envoy.address.port), folder / "ca.pem"), True, admit)


def _secret(*authorities: Authority) -> bytes:
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    text = b"".join(authority.pem for authority in authorities).decode()
    context = {"trusted_ca": {"inline_string": text}}
    return json.dumps({"resources": [{"@type": kind, "name": "clients", "validation_context": context}]}).encode()


def _swaps(admin: UnixAddress) -> int:
    """How often Envoy took new CAs."""
    connection = UnixConnection(admin)
    try:
        connection.request("GET", "/stats?filter=ssl_context_update_by_sds")
        return int(connection.getresponse().read().decode().rpartition(": ")[2])
    finally:
        connection.close()


@pytest.mark.parametrize("envoy", [accepting, verifying], ids=["Envoy accepts all", "Envoy verifies too"])
def test_no_client_of_either_ca_is_wrongly_refused(
    envoy: Callable[[Path, Authorization, Path], AbstractContextManager[Rolled]],
    tmp_path: Path,
    envoy_binary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = RollOver(tmp_path)
    with (
        ExtauthProcess.start(world.policy, world.folder) as service,
        envoy(envoy_binary, Authorization(service.listen, timeout=5), world.folder) as rolled,
        ExitStack() as kept,
    ):
        rolled.admit(world.old)
        with Clients.busy(rolled.place, world.files) as clients:
            clients.go_on("old")
            _take(service, lambda: world.trust(world.old, world.new))
            rolled.admit(world.old, world.new)
            clients.move("early")
            clients.go_on("both")
            leavers = every_kind(rolled.place, world.files["old"], kept)
            assert set(told_to_all(leavers).values()) == {LET_IN}
            clients.move("late")
            swapped = time.monotonic()
            world.trust(world.new)
            seconds = seconds_until_refused(leavers, swapped)
            rolled.admit(world.new)
            clients.go_on("new")
        _assert_shut_out(rolled, world, leavers, seconds)
    assert {told: count for (_, _, told), count in clients.seen.items() if told != LET_IN} == {}
    phases = [("old", "old"), ("both", "old"), ("both", "new"), ("new", "new")]
    answered = {f"{phase}, {name} certificate": clients.answered(phase, name) for phase, name in phases}
    assert min(answered.values()) > 20, answered
    with capsys.disabled():
        print(f"\n  roll-over: {clients.seen.total()} requests, 0 refused; {answered}")
        print(f"  the old CA refused after {', '.join(f'{name} {value:.2f} s' for name, value in seconds.items())}")


def _assert_shut_out(
    rolled: Rolled, world: RollOver, leavers: Mapping[str, Caller], seconds: Mapping[str, float]
) -> None:
    """Whoever still shows the old certificate is refused, in time, on connections from before too."""
    still_open = {name: leavers[name] for name in ("open, HTTP/1.1", "open, HTTP/2")}
    assert set(told_to_all(still_open).values()) == {Told(403, "certificate_untrusted")}
    assert max(seconds.values()) < IN_FORCE_SECONDS
    if rolled.verifies:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Fresh(rolled.place, world.files["old"]).ask()


def _take(service: ExtauthProcess, change: Callable[[], None]) -> None:
    """Change what is on disk, and wait until another generation is in force."""
    before = service.status()["generation"]
    change()
    service.wait_for(lambda status: status["generation"] != before and not status["problems"])
