"""The servers that peergate is compared with: `python -m bench.allow_all grpc|http SOCKET`.

Of the same kind as peergate's (grpcio's threaded server, uvicorn with httptools on uvloop), they
read the question with the same classes and answer yes. Whatever peergate costs beyond them is the price of a decision.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import uvicorn

from extauth.health import AUTHORIZATION
from extauth.wire.messages import CheckRequest, CheckResponse, Status

#: With which grpcio's server is fastest here, measured with 2 to 32.
_THREADS = 4


def _answer(message: bytes, _: grpc.ServicerContext) -> bytes:
    CheckRequest.FromString(message)
    return CheckResponse(status=Status(code=0)).SerializeToString()


def serve_grpc(path: str) -> None:
    """Answer every Check with OK, until the process ends."""
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    method = grpc.unary_unary_rpc_method_handler(_answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": method}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    server.wait_for_termination()


async def allow_all(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application: 200 without a body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def serve_http(path: str) -> None:
    """Answer every request with 200, until the process ends."""
    uvicorn.run(
        allow_all,
        uds=path,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    {"grpc": serve_grpc, "http": serve_http}[sys.argv[1]](sys.argv[2])
