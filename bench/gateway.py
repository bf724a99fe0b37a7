"""What the policy costs inside an application and in the gateway's proxy, against the same server without it."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.asgi_server import CHAINS, PLAIN, POLICY, PORT, UPSTREAM
from bench.figure import Bound, Figure, ratios
from bench.load_generator import ClientTls, Http1Load, load_generator
from bench.nginx import find_nginx, nginx_command
from bench.processes import cores, serving
from bench.scenario import LITERAL_PATH, Caller, Mesh, spread
from bench.services import Loaded, Round, Settings, alternated
from runtime.address import UnixAddress

PART: Final = "gateway"
_NGINX = "nginx"
_PAIRS: tuple[tuple[str, str, str, Bound | None], ...] = (
    ("middleware", "bare", "application with the middleware : without", Bound(0.6, at_least=True)),
    ("gateway", "proxy", "proxy with the policy : without", Bound(0.8, at_least=True)),
    ("gateway", _NGINX, "the gateway : nginx, mTLS and proxy_pass, no policy", None),
    (f"{PLAIN}middleware", f"{PLAIN}bare", "application with the middleware : without, no TLS at all", None),
)
_NAMES = {
    "bare": "application that answers 200",
    "middleware": "the same behind AuthorizationMiddleware",
    "proxy": "the gateway's proxy without a policy",
    "gateway": "the gateway: the same behind AuthorizationMiddleware",
    _NGINX: "nginx with mTLS and proxy_pass",
    f"{PLAIN}bare": "application that answers 200, no TLS",
    f"{PLAIN}middleware": "the same behind AuthorizationMiddleware, no TLS",
}


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Requests on many connections with one under way on each; decision log off.

    What is compared is processor time: the servers have one core, and whoever answers sooner waits for the clients.
    """
    settings = settings or Settings()
    with TemporaryDirectory(prefix="peergate-") as folder:
        rounds = _measured(settings, Path(folder))
    rates = {kind: tuple(each.tally.rate for each in found) for kind, found in rounds.items()}
    costs = {kind: tuple(each.microseconds for each in found) for kind, found in rounds.items()}
    shown: set[str] = set()
    for with_policy, without, name, bound in _PAIRS:
        if without not in rates:
            continue
        for kind in (without, with_policy):
            if kind in shown:
                continue
            shown.add(kind)
            yield Figure(PART, _NAMES[kind], "req/s", rates[kind])
            yield Figure(PART, f"processor time of one request: {kind}", "µs", costs[kind])
        ratio = ratios(costs[without], costs[with_policy])
        yield Figure(PART, name, "x", ratio, bound, f"{settings.size} rules")


def _measured(settings: Settings, folder: Path) -> dict[str, list[Round]]:
    mesh = Mesh.new()
    callers = mesh.callers(spread(settings.size, settings.callers))
    _write(folder, mesh, callers, settings.size)
    server_core, other_cores = cores()
    with ExitStack() as stack:
        stack.enter_context(serving(_command(UPSTREAM, folder), folder / f"{UPSTREAM}.sock", other_cores))
        loaded: dict[str, Loaded] = {}
        for kind in _NAMES if find_nginx() else set(_NAMES) - {_NGINX}:
            path = folder / f"{kind}.sock"
            server = stack.enter_context(serving(_command(kind, folder), path, server_core))
            loads = [
                Http1Load(UnixAddress(str(path)), (_question(caller),), _tls(kind, caller, folder))
                for caller in callers
            ]
            # An upstream shares the core of the generator.
            restless = kind not in {"proxy", "gateway", _NGINX}
            generator = stack.enter_context(load_generator(loads, other_cores, restless=restless))
            loaded[kind] = Loaded(generator, server.pid)
        return alternated(loaded, settings.rounds, settings.seconds)


def _write(folder: Path, mesh: Mesh, callers: Sequence[Caller], size: int) -> None:
    """Write every file that servers and clients read."""
    mesh.write(folder, size).rename(folder / POLICY)
    (folder / CHAINS).write_text(json.dumps({caller.host: _pems(caller) for caller in callers}))
    (folder / PORT).write_text(str(_free_port()))
    (folder / "ca.pem").write_bytes(mesh.root.pem)
    served = mesh.root.issue(dns=["localhost"], server=True)
    clients = {str(caller.index): caller.issued for caller in callers}
    for name, issued in {"served": served, **clients}.items():
        (folder / f"{name}.pem").write_bytes(issued.chain_pem)
        (folder / f"{name}.key").write_bytes(issued.key_pem)


def _tls(kind: str, caller: Caller, folder: Path) -> ClientTls | None:
    if kind.startswith(PLAIN):
        return None
    return ClientTls(str(folder / f"{caller.index}.pem"), str(folder / f"{caller.index}.key"), str(folder / "ca.pem"))


def _command(kind: str, folder: Path) -> list[str]:
    if kind == _NGINX:
        return nginx_command(folder, folder / f"{kind}.sock", int((folder / PORT).read_text()))
    return ["-m", "bench.asgi_server", kind, str(folder / f"{kind}.sock"), str(folder)]


def _question(caller: Caller) -> bytes:
    fields = {"host": caller.host, "user-agent": "bench", "accept": "application/json", "accept-encoding": "gzip"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {LITERAL_PATH} HTTP/1.1\r\n{head}\r\n".encode()


def _pems(caller: Caller) -> list[str]:
    """The chain as the TLS extension has it: one text for each certificate, leaf first."""
    end = "-----END CERTIFICATE-----\n"
    return [block + end for block in caller.issued.chain_pem.decode().split(end) if block.strip()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
