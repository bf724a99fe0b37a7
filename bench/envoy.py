"""The same through a real Envoy with mTLS: without authorization, with gRPC ext_authz, with HTTP ext_authz.

Envoy, its service and its upstream share one core, so that what is compared is the work of a whole request. The
upstream is a second listener of the same Envoy that answers by itself. Envoy's configuration is the one that peergate
generates; without authorization, less its ext_authz filter.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from bench.figure import Figure, ratios
from bench.http2 import Http2Request, header_block
from bench.load_generator import ClientTls, Http2Load, load_generator
from bench.processes import START_SECONDS, cores, on_cores, serving
from bench.scenario import LITERAL_PATH, Caller, Mesh, spread
from bench.services import GRPC, HTTP, Loaded, alternated, peergate_command
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy import tether
from runtime.envoy.admin import Admin
from runtime.envoy.binary import envoy_version, find_envoy
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings, json_from_address
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.proto_json import Json, typed
from runtime.envoy.tls import DownstreamTls

PART = "envoy"
_NO_AUTHORIZATION = "no authorization"
_PROTOCOLS = {GRPC: Protocol.GRPC, HTTP: Protocol.HTTP}
#: Requests under way on each connection.
_STREAMS = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `callers`: connections, each with a certificate of its own."""

    size: int = 1_000
    callers: int = 8
    rounds: int = 7
    seconds: float = 1.0


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Measure. Raises EnvoyMissingError."""
    settings = settings or Settings()
    binary = find_envoy(os.environ)
    with TemporaryDirectory(prefix="peergate-") as folder:
        rates = _measured(settings, binary, Path(folder))
    alone = rates[_NO_AUTHORIZATION]
    version = f"Envoy {envoy_version(binary)}"
    yield Figure(PART, _NO_AUTHORIZATION, "req/s", alone, note=version)
    for form in _PROTOCOLS:
        name = f"{form} ext_authz, {settings.size} rules"
        yield Figure(PART, name, "req/s", rates[form])
        yield Figure(PART, f"{form} ext_authz : {_NO_AUTHORIZATION}", "x", ratios(rates[form], alone))


def _measured(settings: Settings, binary: Path, folder: Path) -> dict[str, tuple[float, ...]]:
    mesh = Mesh.new()
    policy = mesh.write(folder, settings.size)
    callers = mesh.callers(spread(settings.size, settings.callers))
    tls = written_tls(mesh, callers, folder)
    server_core, generator_cores = cores()
    with ExitStack() as stack:
        loaded: dict[str, Loaded] = {}
        for name in (_NO_AUTHORIZATION, *_PROTOCOLS):
            own = folder / name.replace(" ", "-")
            own.mkdir()
            service = own / "authz.sock"
            if name in _PROTOCOLS:
                stack.enter_context(serving(peergate_command(name, policy, service, "off"), service, server_core))
            protocol = _PROTOCOLS.get(name, Protocol.GRPC)
            change = unchanged if name in _PROTOCOLS else without_authorization
            envoy = stack.enter_context(envoy_with(binary, own, folder, service, protocol, server_core, change))
            address = envoy.address
            loads = [Http2Load(address, (get_of(caller),), _STREAMS, tls=tls[caller.index]) for caller in callers]
            loaded[name] = Loaded(stack.enter_context(load_generator(loads, generator_cores)), envoy.pid)
        rounds = alternated(loaded, settings.rounds, settings.seconds)
    return {name: tuple(each.tally.rate for each in found) for name, found in rounds.items()}


def unchanged(chain: Any) -> None:
    """The filter chain as peergate generates it."""


def without_authorization(chain: Any) -> None:
    """The filter chain less ext_authz."""
    manager = chain["filters"][-1]["typed_config"]
    manager["http_filters"] = [item for item in manager["http_filters"] if "ext_authz" not in item["name"]]


def written_tls(mesh: Mesh, callers: Sequence[Caller], folder: Path) -> dict[int, ClientTls]:
    """Write the certificates of Envoy and of the callers; the callers' by their number."""
    server = mesh.issuing.issue(dns=["envoy"], server=True)
    files = {"server.pem": server.chain_pem, "server.key": server.key_pem}
    for caller in callers:
        files |= {
            f"{caller.index}.pem": caller.issued.chain_pem,
            f"{caller.index}.key": caller.issued.key_pem,
        }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    place = str(folder)
    return {
        caller.index: ClientTls(f"{place}/{caller.index}.pem", f"{place}/{caller.index}.key", f"{place}/root.pem")
        for caller in callers
    }


def get_of(caller: Caller) -> Http2Request:
    """The request that the policy allows this caller."""
    fields = [
        *((":method", "GET"), (":scheme", "https"), (":authority", caller.host), (":path", LITERAL_PATH)),
        *(("user-agent", "bench"), ("accept", "application/json")),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ]
    return Http2Request(header_block(fields))


@contextmanager
def envoy_with(
    binary: Path,
    own: Path,
    pki: Path,
    service: Path,
    protocol: Protocol,
    wanted: frozenset[int],
    change: Callable[[Any], None],
) -> Iterator[EnvoyProcess]:
    """An Envoy with one worker, whose filter chain `change` has changed; entered when it serves."""
    settings = EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=DownstreamTls(pki / "server.pem", pki / "server.key", pki / "root.pem"),
        authorization=Authorization(UnixAddress(str(service)), protocol),
        upstream=UnixAddress(str(own / "upstream.sock")),
        admin=UnixAddress(str(own / "admin.sock")),
    )
    configuration, log = own / "envoy.json", own / "envoy.log"
    bootstrap = _bootstrap(settings, change)
    configuration.write_text(json.dumps(bootstrap), encoding="utf-8")
    options = ["--concurrency", "1", "--log-level", "warning", "--log-path", str(log), "--disable-hot-restart"]
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(binary)]
    with on_cores(wanted):
        process = subprocess.Popen(
            [*tied, "--config-path", str(configuration), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    with EnvoyProcess(process, Admin(settings.admin), log) as envoy:
        _wait_until_ready(envoy)
        yield envoy


def _bootstrap(settings: EnvoySettings, change: Callable[[Any], None]) -> Json:
    bootstrap: Any = bootstrap_from_settings(settings)
    resources = bootstrap["static_resources"]
    change(resources["listeners"][0]["filter_chains"][0])
    resources["listeners"].append(_upstream_listener(settings))
    checked: Json = bootstrap
    return checked


def _upstream_listener(settings: EnvoySettings) -> Json:
    """Answers everything with 200 and a few bytes."""
    answer: Json = {"status": 200, "body": {"inline_string": "ok\n"}}
    manager = typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="upstream",
        route_config={
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": answer}]}
            ]
        },
        http_filters=[typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")],
    )
    return {
        "name": "upstream",
        "address": json_from_address(settings.upstream),
        "filter_chains": [{"filters": [manager]}],
    }


def _wait_until_ready(envoy: EnvoyProcess) -> None:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline:
        try:
            if envoy.admin.is_ready():
                return
        except OSError:
            pass  # not listening yet
        sleep(0.05)
    raise OSError(f"Envoy does not serve: {envoy.log.read_text(encoding='utf-8')[-2000:]}")
