"""The servers of the part `gateway`: `python -m bench.asgi_server KIND SOCKET FOLDER`, uvicorn as the gateway has it.

All are told of the connection's certificate as our TLS server would tell (TLS itself is measured by `handshakes`), so
that what differs between two of them is what is measured.
"""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from bench.allow_all import allow_all
from gateway.connection import CONNECTION, TLS
from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination

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


KINDS: dict[str, Callable[[Path], Any]] = {
    "bare": lambda _: allow_all,
    "middleware": lambda folder: judged(allow_all, folder),
    "proxy": proxy,
    "gateway": lambda folder: judged(proxy(folder), folder),
}


def main(kind: str, path: str, folder: Path) -> None:
    """Serve until the process ends."""
    config = {"loop": "uvloop", "http": "httptools", "ws": "none", "lifespan": "off", "log_level": "warning"}
    plain = {"access_log": False, "proxy_headers": False, "server_header": False, "date_header": False}
    if kind == "upstream":
        listeners = [
            socket.socket(socket.AF_UNIX),
            socket.create_server(("127.0.0.1", int((folder / PORT).read_text()))),
        ]
        listeners[0].bind(path)
        uvicorn.Server(uvicorn.Config(allow_all, **config, **plain)).run(listeners)  # type: ignore[arg-type]
        return
    app = told(KINDS[kind](folder), json.loads((folder / CHAINS).read_text()))
    uvicorn.run(app, uds=path, **config, **plain)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
