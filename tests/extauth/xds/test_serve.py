"""`peergate xds serve` and `xds bootstrap` as programs: the compiled policy in a real Envoy that asks extauth."""

import io
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from peergate.cli import run
from peergate.demo.upstream import EchoUpstream
from runtime.address import UnixAddress
from runtime.envoy.process import EnvoyProcess
from runtime.errors import ListenError
from tests.extauth.service_process import free_port
from tests.extauth.xds.policies import loaded
from tests.extauth.xds.world import DOMAIN, SERVER_NAME, LocalXds, Proxy, World, eventually
from tests.support.envoy_validation import complaints_of_envoy
from tests.support.local_extauth import LocalExtauth

ROOT = Path(__file__).parents[3]
POLICY = """\
version: 1
trust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}}
identities:
  envoys: {uri: "spiffe://acme.internal/envoy/*"}
  billing: {uri: "spiffe://acme.internal/sa/billing"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
routes:
  discovery: {grpc: ["envoy.service.discovery.v3.AggregatedDiscoveryService/*"]}
  invoices: {hosts: [h.example], methods: [GET], paths: ["/v1/**"]}
  files: {hosts: [h.example], paths: ["/tenants/{tenant}/**"]}
rules:
  - {id: fleet, allow: envoys, to: discovery}
  - {id: invoices, allow: billing, to: invoices}
  - {id: own-files, allow: tenant, to: files}
"""


@contextmanager
def program(*arguments: str, stderr: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "peergate", "xds", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def bootstrap(world: World, port: int, upstream: int, folder: Path, *more: str) -> Any:
    own = world.issue("own", uri=[f"{DOMAIN}/envoy/own"])
    output = io.StringIO()
    arguments = [
        *("xds", "bootstrap"),
        *("--node", "own", "--server", f"127.0.0.1:{port}", "--server-ca", str(world.folder / "mesh.pem")),
        *("--server-name", SERVER_NAME, "--client-cert", str(own.chain), "--client-key", str(own.key)),
        *("--listen", "127.0.0.1:0", "--cert", str(world.folder / "server.pem")),
        *("--key", str(world.folder / "server.key"), "--upstream", f"127.0.0.1:{upstream}"),
        *("--extauth", f"unix:{folder / 'grpc.sock'}", "--admin", f"unix:{folder / 'admin.sock'}"),
        *("--access-log", str(folder / "access.log"), *more),
    ]
    with redirect_stdout(output):
        assert run(arguments) == 0
    return json.loads(output.getvalue())


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.write(POLICY)
    return made


def served(world: World, port: int, ops: int) -> list[str]:
    return [
        *("serve", "--policy", str(world.policy), "--listen", f"127.0.0.1:{port}", "--decision-log", "off"),
        *("--tls-cert", world.tls.certificate, "--tls-key", world.tls.key, "--ops", f"127.0.0.1:{ops}"),
    ]


def page(ops: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ops}{path}", timeout=5) as response:
            return json.load(response)
    except OSError:
        return None


def test_an_envoy_decides_by_the_policy_it_was_sent_and_asks_for_the_rest(
    world: World, envoy_binary: Path, tmp_path: Path
) -> None:
    port, ops = free_port(), free_port()
    folder = tmp_path / "envoy"
    folder.mkdir()
    tenant = world.issue("tenant", uri=[f"{DOMAIN}/tenant/a"])
    with (
        program(*served(world, port, ops), stderr=tmp_path / "stderr") as service,
        EchoUpstream() as upstream,
        LocalExtauth(folder) as extauth,
    ):
        eventually(lambda: (page(ops, "/readyz") or {}).get("ready") is True)
        configuration = bootstrap(world, port, upstream.port, folder)
        admin = UnixAddress(str(folder / "admin.sock"))
        with EnvoyProcess.run(envoy_binary, configuration, admin, folder) as envoy:
            proxy = Proxy(world, envoy, (envoy.address.host, envoy.address.port))
            fleet = page(ops, "/fleet")
            assert fleet["envoys"] == {"current": 1}
            assert fleet["nodes"][0]["types"]["TypedExtensionConfig"]["generation"] == fleet["generation"]
            # Nobody answers questions yet: these are Envoy's own decisions.
            assert proxy.get(world.billing, b"/v1/a").status == 200
            assert proxy.get(world.billing, b"/v2/a").reason == "no_matching_rule"
            assert proxy.get(tenant, b"/tenants/a/x").status == 403
            extauth.current = loaded(world.policy)
            assert proxy.get(tenant, b"/tenants/a/x").status == 200
            assert proxy.get(tenant, b"/tenants/b/x").status == 403
            world.write(POLICY.replace("invoices, allow: billing", "invoices, allow: tenant"))
            eventually(lambda: proxy.get(world.billing, b"/v1/a").status == 403, 10)
            service.send_signal(signal.SIGTERM)
            assert service.wait(20) == 0
            # The policy stays where it was sent.
            assert proxy.get(world.billing, b"/v1/a").status == 403
        log = [json.loads(line)["native"] for line in (folder / "access.log").read_text().splitlines()]
    assert [name.partition("@")[0] for name in log[:2]] == ["allow:invoices", "none:no_matching_rule"]
    assert log[2].startswith("ask:")


@pytest.mark.parametrize("more", [(), ("--delta", "--unauthenticated", "--trust", "trust/mesh")], ids=str)
def test_envoy_takes_the_configuration_that_is_printed(world: World, tmp_path: Path, more: tuple[str, ...]) -> None:
    assert complaints_of_envoy(bootstrap(world, free_port(), 1, tmp_path, *more), tmp_path) == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"--listen": "unix:/x"}, "--listen unix:/x: Envoys are known by their certificates, over TCP"),
        ({"--tls-cert": "/nowhere"}, "--tls-cert /nowhere: No such file or directory"),
        ({"--listener-port": "0"}, "'0' is no port from 1 to 65535"),
    ],
)
def test_what_it_cannot_serve_with_ends_the_start_with_one_line(
    world: World, change: dict[str, str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["xds", *served(world, free_port(), free_port())]
    for flag, value in change.items():
        arguments = [*arguments, flag, value]
    assert run(arguments) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PEERGATE_WORKERS", "2", "the discovery service is one process"),
        ("PEERGATE_OBSERVE", "true", "observe: "),
        ("PEERGATE_SHADOW_POLICY", "next", "shadow-policy: "),
    ],
)
def test_a_setting_of_other_services_that_means_nothing_here_is_refused(
    world: World,
    variable: str,
    value: str,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    assert run(["xds", *served(world, free_port(), free_port())]) == 78
    assert complaint in capsys.readouterr().err


def test_what_would_be_served_with_is_shown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["xds", *served(world, 9443, 9193), "--print-config"]) == 0
    assert 'listen: "127.0.0.1:9443"' in capsys.readouterr().out


def test_a_place_in_use_is_an_error_that_says_so(world: World) -> None:
    with LocalXds(world) as running, pytest.raises(ListenError, match="Address already in use"):
        LocalXds(world, running.address.port).__enter__()
