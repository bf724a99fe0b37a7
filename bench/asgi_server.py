"""The servers of the part `gateway`: `python -m bench.asgi_server KIND SOCKET FOLDER`.

Over mTLS all are served by the gateway's own server, as `gateway.application` does it, so that what differs between two
of them is what is measured. Those without TLS run on uvicorn as it comes and are told of a certificate.
"""

import gc
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import uvicorn

from bench.allow_all import allow_all
from bench.handshakes import server_context
from gateway.connection import CONNECTION, TLS
from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.server.server import GatewayServer
from runtime.address import UnixAddress
from runtime.limits import YOUNG_OBJECTS
from runtime.listener import listener_from_address

#: Names of the files in FOLDER: the policy, the certificates by host, the port of the upstream.
POLICY, CHAINS, PORT = "policy.yaml", "chains.json", "port"


def told(app: Any, chains: dict[str, list[str]]) -> Any:
    """`app`, told of the certificate of the caller that calls each host."""
    facts = {"sni": None, "source": ("10.20.30.40", 51_234)}
    extensions = {
        host.encode(): {TLS: {"client_cert_chain": tuple(chain)}, CONNECTION: facts} for host, chain in chains.items()
    }

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        scope["scheme"] = "https"
        scope["extensions"] = extensions[next(value for name, value in scope["headers"] if name == b"host")]
        await app(scope, receive, send)

    return telling


def judged(app: Any, folder: Path) -> Any:
    """`app` behind the policy in `folder`, with the decision log off."""
    return AuthorizationMiddleware(app, Authorizer.from_policy(str(folder / POLICY), decision_log="off"))


def proxy(folder: Path) -> Any:
    """The gateway's proxy."""
    return ReverseProxy([Destination.parse(f"http://127.0.0.1:{(folder / PORT).read_text()}")])


#: Prefix of the kinds that are served without TLS.
PLAIN = "plain "
UPSTREAM = "upstream"
KINDS: dict[str, Callable[[Path], Any]] = {
    "bare": lambda _: allow_all,
    "middleware": lambda folder: judged(allow_all, folder),
    "proxy": proxy,
    "gateway": lambda folder: judged(proxy(folder), folder),
}


def main(kind: str, path: str, folder: Path) -> None:
    """Serve until the process ends, with the settings of the collector that the gateway has."""
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    if kind == UPSTREAM or kind.startswith(PLAIN):
        serve_plain(kind, path, folder)
        return
    context = server_context(folder)
    GatewayServer(KINDS[kind](folder), listener_from_address(UnixAddress(path)), lambda: context).start()
    Event().wait()


def serve_plain(kind: str, path: str, folder: Path) -> None:
    """Without TLS."""
    config: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "ws": "none", "lifespan": "off"}
    plain: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
    }
    if kind == UPSTREAM:
        listeners = [
            socket.socket(socket.AF_UNIX),
            socket.create_server(("127.0.0.1", int((folder / PORT).read_text()))),
        ]
        listeners[0].bind(path)
        uvicorn.Server(uvicorn.Config(allow_all, **config, **plain)).run(listeners)
        return
    app = told(KINDS[kind.removeprefix(PLAIN)](folder), json.loads((folder / CHAINS).read_text()))
    # Connections wait until it is their server's turn again.
    uvicorn.run(app, uds=path, timeout_keep_alive=60, **config, **plain)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
