"""ASGI scopes as servers, good and odd ones, hand them to the middleware.

An input is a JSON object of the facts that a scope is made of, so that facts of a wrong type are tried, too. Texts are
bytes in latin-1 where ASGI has bytes.
"""

import asyncio
import json
from collections.abc import Mapping
from random import Random
from typing import Any

from fuzz.mutation import mutated
from fuzz.target import Target, require
from fuzz.targets.question import require_allowed
from fuzz.world import HOST, METHOD, NOW, PATH, pem, policy
from gateway.connection import CONNECTION, TARGET, TLS
from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.middleware.denial import POLICY_VIOLATION
from policies.engine.header_names import folded_name, is_identity_header
from policies.engine.record import Enforcement
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics

_CLAIM = "evil-claim"
_TOKENS = (
    b"%2f",
    b"..",
    b"?",
    b"#",
    b"@",
    b",",
    b"_",
    b"\0",
    b"\xff",
    b"-----",
    b"host",
    b"Host",
    b"connection",
    b"x-robot",
)
#: What some server might take for the value of any fact.
_ODD: tuple[Any, ...] = (None, True, 0, "", [], {}, [[]], ["a"], {"a": "b"}, "\0", "x" * 9000)


class _Reached:
    """The application: what reached it."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "websocket.accept"})


_APP = _Reached()
_JUDGE = Judge(FixedPolicy(policy()), Metrics(), None, Enforcement.GATEWAY)
_MIDDLEWARE = AuthorizationMiddleware(_APP, Authorizer(_JUDGE, lambda: NOW))


def _check(data: bytes) -> None:
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(facts, dict) or facts.get("type") not in ("http", "websocket"):
        return
    scope = _scope_from_facts(facts)
    sent: list[dict[str, Any]] = []

    async def receive() -> None:
        raise AssertionError("nothing is received before the verdict")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    _APP.scopes.clear()
    asyncio.run(_MIDDLEWARE(scope, receive, send))
    for passed in _APP.scopes:
        _require_passed(scope, passed)
    require(bool(_APP.scopes) or _is_denial(facts["type"], sent), f"what reaches nobody is denied: {sent}")


def _is_denial(kind: str, sent: list[dict[str, Any]]) -> bool:
    if kind == "websocket" and sent[0]["type"] == "websocket.close":
        return len(sent) == 1 and sent[0]["code"] == POLICY_VIOLATION
    return len(sent) == 2 and sent[0]["status"] in (403, 421)


def _require_passed(scope: dict[str, Any], passed: dict[str, Any]) -> None:
    extensions = scope["extensions"]
    target = extensions.get(TARGET)
    if not isinstance(target, bytes):
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope.get("query_string") else b"")
    hosts = {value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"}
    method = scope["method"] if scope["type"] == "http" else METHOD
    require_allowed(method, [target.decode()], hosts, extensions[TLS]["client_cert_chain"][0])
    for raw_name, value in passed["headers"]:
        name = raw_name.decode("latin-1").lower()
        require("_" not in name, "no name with _ passes")
        claims = value == _CLAIM.encode() and is_identity_header(folded_name(name))
        require(not claims, f"a claim of the caller passes in {name}")


def _scope_from_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A scope with every fact that is there; bytes where ASGI has bytes and the fact is a text."""
    scope = {name: facts[name] for name in ("type", "method", "scheme", "path", "client") if name in facts}
    scope |= {name: _bytes(facts[name]) for name in ("raw_path", "query_string") if name in facts}
    headers = facts.get("headers")
    if isinstance(headers, list):
        headers = [tuple(map(_bytes, pair)) if isinstance(pair, list) else pair for pair in headers]
    extensions = {TLS: facts.get("tls"), CONNECTION: facts.get("connection"), TARGET: _bytes(facts.get("target"))}
    return scope | {"headers": headers, "extensions": {name: value for name, value in extensions.items() if value}}


def _bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _changed(random: Random, data: bytes) -> bytes:
    """Change one fact of a readable scope: its text, or its type."""
    facts = json.loads(data)
    holder: Any = facts
    key: Any = random.choice(sorted(holder))
    while isinstance(holder[key], (dict, list)) and holder[key] and random.random() < 0.9:
        holder = holder[key]
        key = random.choice(sorted(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
    value = holder[key]
    if isinstance(value, str) and random.random() < 0.8:
        holder[key] = mutated(random, [value.encode("utf-8", "replace")], _TOKENS).decode("latin-1")
    elif isinstance(holder, list) and random.random() < 0.5:
        holder.insert(random.randint(0, len(holder)), random.choice([value, *_ODD]))
    else:
        holder[key] = random.choice(_ODD)
    return json.dumps(facts).encode()


def _facts(**changed: Any) -> bytes:
    facts = {
        "type": "http",
        "method": METHOD,
        "scheme": "https",
        "path": PATH,
        "raw_path": PATH,
        "query_string": "",
        "client": ["198.51.100.7", 4711],
        "headers": [["host", HOST], ["accept", "*/*"], ["x-peergate-identity", _CLAIM], ["Client_Cert", _CLAIM]],
        "tls": {"client_cert_chain": [pem("billing"), pem("issuing")], "client_cert_name": None},
        "connection": {"sni": HOST, "source": ["198.51.100.7", 4711]},
    }
    return json.dumps(facts | changed).encode()


SCOPE = Target(
    "scope",
    "every scope is answered, and the application is reached only by what the policy allows, without its claims",
    (
        _facts(),
        _facts(target=f"{PATH}?", query_string=""),
        _facts(target=f"https://{HOST}{PATH}"),
        _facts(type="websocket", scheme="wss"),
        _facts(tls={"client_cert_chain": [], "client_cert_name": "CN=billing"}),
        _facts(headers=[["host", HOST], ["connection", "x-robot"], ["x-robot", "no"], ["ssl-client-cert", _CLAIM]]),
    ),
    _check,
    _TOKENS,
    _changed,
)
