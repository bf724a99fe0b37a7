"""AuthorizationMiddleware under uvicorn and httptools on a real socket; the test sets the policy and the connection."""

import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn
import uvloop

from gateway.connection import CONNECTION, TARGET, TLS
from gateway.middleware import AuthorizationMiddleware, Authorizer, judged_from_scope
from peergate.demo.client import Answer, answer_from_socket, request_bytes
from policies.engine.decision import Decision
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from runtime.judge import Judge
from runtime.metrics import Metrics
from tests.decisions.corpus import Case
from tests.decisions.world import World


class MiddlewareServer:
    """A context manager. What a TLS server would tell of the connection is told by the test (`connection`)."""

    def __init__(self) -> None:
        self.current: PolicySet | None = None
        self.now: float | None = None
        self.connection: dict[str, Any] = {}
        self.passed: list[tuple[Decision, list[tuple[bytes, bytes]], bytes]] = []
        self.judged: list[Request] = []
        judge = _NotingJudge(self, Metrics(), None, Enforcement.GATEWAY)
        judge.noted = self.judged
        app = AuthorizationMiddleware(self._application, Authorizer(judge, self._clock))
        config = uvicorn.Config(self._told(app), http="httptools", ws="none", proxy_headers=False, log_config=None)
        self._server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def ask(self, case: Case, world: World, policy: PolicySet) -> Answer:
        """Send the case as raw bytes."""
        self.current, self.now = policy, world.time(case.at)
        self.passed.clear()
        self.judged.clear()
        chain = _chain(world, case.certificate)
        source = None if case.source_ip == "unknown" else (case.source_ip, 50_000)
        target = case.target.encode("latin-1")
        self.connection = {
            TLS: {"client_cert_chain": chain},
            CONNECTION: {"sni": case.sni, "source": source},
            TARGET: target,
        }
        headers = [("Host", host) for host in case.hosts] + list(case.headers) + [("Connection", "close")]
        encoded = [(name, value.encode("latin-1")) for name, value in headers]
        with socket.create_connection(self._listener.getsockname(), 10) as connection:
            connection.sendall(request_bytes(case.method, target, encoded))
            return answer_from_socket(connection, method=case.method)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        decision = judged_from_scope(scope).decision
        assert decision is not None
        self.passed.append((decision, scope["headers"], scope["raw_path"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _told(self, app: Any) -> Any:
        async def told(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                extensions = {**scope.get("extensions", {}), **self.connection}
                scope = {**scope, "scheme": "https", "extensions": extensions}
            await app(scope, receive, send)

        return told

    def _clock(self) -> float:
        return time.time() if self.now is None else self.now

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve([self._listener]))


class _NotingJudge(Judge):
    """A judge that notes what it is asked about."""

    noted: list[Request]

    def decide(self, policy: PolicySet | None, request: Request, *facts: Any, **more: Any) -> Any:
        self.noted.append(request)
        return super().decide(policy, request, *facts, **more)


def _chain(world: World, certificate: str | None) -> list[str]:
    if certificate is None:
        return []
    identity = world.identities[certificate]
    end = "-----END CERTIFICATE-----\n"
    return [block + end for block in identity.chain_pem.decode().split(end) if block.strip()]
