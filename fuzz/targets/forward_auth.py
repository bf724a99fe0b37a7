"""What arrives where other proxies ask: a question in headers."""

import asyncio
from base64 import b64encode
from typing import Any

from fuzz.target import Target, require
from fuzz.targets.question import require_allowed
from fuzz.world import HOST, METHOD, NOW, PATH, der, percent_pem, policy
from gateway.connection import CONNECTION
from gateway.forward_auth.app import ForwardAuth
from gateway.forward_auth.proxies import ASKING, Proxy
from gateway.forward_auth.request import QuestionReader
from gateway.hops import FrontHops
from gateway.middleware.forwarded import ForwardedPeers
from policies.engine.record import Enforcement
from policies.peer.presented import PresentedCertificate
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics

_READER = PresentedReader()
_CHECKS = Checks(Judge(FixedPolicy(policy()), Metrics(), None, Enforcement.FORWARD_AUTH), _READER)
_PIECES = (
    *(PATH.encode(), b"/..", b"/%2e%2e/", b"//", b"%2F", b";", b"%00", b"?x", b"#", b"\\", b"\xff", b"\n", b": ", b'"'),
    *(HOST.encode(), b":443", b",", b"@", b"GET", b"CONNECT", b"https://", b"127.0.0.1", b"unix:", b"x-robot", b"no"),
    *(b"x-peergate-identity", b"client-cert", b"_", b"ssl-client-cert", b"x-forwarded-uri", b"x-original-uri"),
)


def _target(proxy: Proxy, certificate: str, chain: str = "") -> Target:
    """For the proxies that pass on the chain: the caller of this world is nobody without it."""
    asking = ASKING[proxy]
    peers = ForwardedPeers(asking.certificate, FrontHops.parse(["unix"]))
    app = ForwardAuth(_CHECKS, QuestionReader(asking, peers, _READER, ["x-robot"]), asking, lambda: NOW)
    facts = {asking.method: METHOD, asking.target: PATH, asking.host: HOST, asking.address: "10.1.2.3"}
    if asking.sni:
        facts[asking.sni] = f'"{HOST}"'
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines += ["x-robot: no", f"{asking.certificate.certificate}: {certificate}"]
    if chain:
        lines.append(f"{asking.certificate.chain}: {chain}")

    def check(data: bytes) -> None:
        """`data`: headers, as a server would hand them over."""
        pairs = [line.partition(b": ") for line in data.split(b"\n")]
        headers = [(name.lower(), value) for name, colon, value in pairs if colon]
        sent = _answered(app, headers)
        require(
            [message["type"] for message in sent] == ["http.response.start", "http.response.body"], "it is answered"
        )
        if sent[0]["status"] == 200:
            _require_sound({name: _values(headers, name) for name in asking.names}, headers)

    def _require_sound(found: dict[str, list[str]], headers: list[tuple[bytes, bytes]]) -> None:
        names = {name for name, _ in headers if name.decode("latin-1") not in asking.names}
        require(not any(b"_" in name or name.startswith(b"x-peergate-") for name in names), "no claim passes")
        (method,), targets, hosts = found[asking.method], found[asking.target], found[asking.host]
        (value,) = found[asking.certificate.certificate]
        read = asking.certificate.presented([value], found.get(asking.certificate.chain, []))
        require(isinstance(read, PresentedCertificate) and read.leaf.der == der("billing"), "only the caller may call")
        require_allowed(method, targets, set(hosts), percent_pem("billing"))

    law = "200 is only for a question that is whole, and about what the policy allows"
    return Target(f"forward-auth-{proxy}", law, ("\n".join(lines).encode(),), check, _PIECES)


def _answered(app: ForwardAuth, headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise RuntimeError("a body is not read")

    scope = {"type": "http", "scheme": "http", "headers": headers, "extensions": {CONNECTION: {"source": None}}}
    asyncio.run(app(scope, receive, send))
    return sent


def _values(headers: list[tuple[bytes, bytes]], name: str) -> list[str]:
    return [value.decode("utf-8", "surrogateescape") for key, value in headers if key == name.encode()]


_LEAF, _ISSUER = b64encode(der("billing")).decode("ascii"), b64encode(der("issuing")).decode("ascii")
TARGETS = (_target(Proxy.HAPROXY, _LEAF, _ISSUER), _target(Proxy.TRAEFIK, f"{_LEAF},{_ISSUER}"))
