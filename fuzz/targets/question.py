"""What arrives where Envoy asks: CheckRequests over gRPC, requests over HTTP."""

import asyncio
import json
from random import Random
from typing import Any
from urllib.parse import unquote

from google.protobuf.message import DecodeError

from extauth.grpc_check import GrpcCheck
from extauth.http_app import HttpCheck
from extauth.http_request import RAW_TARGET, HttpReader
from extauth.request import received_from_check
from extauth.wire.messages import CheckRequest, CheckResponse
from fuzz.mutation import mutated
from fuzz.target import Target, require
from fuzz.world import HOST, METHOD, NOW, PATH, der, percent_pem, policy, xfcc
from policies.authoring.replay import Replay
from policies.engine.evaluate import evaluate
from policies.engine.record import Enforcement, decision_record, line_from_record
from policies.peer.presented import PresentedCertificate
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.hops import NO_HOPS, TrustedHops
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics

_READER = PresentedReader()
_CHECKS = Checks(Judge(FixedPolicy(policy()), Metrics(), None, Enforcement.EXTAUTH), _READER)
_GRPC = GrpcCheck(_CHECKS, _READER, NO_HOPS, lambda: NOW)
_HTTP = HttpCheck(_CHECKS, HttpReader(_READER, TrustedHops(unix=True), ["x-robot", "content-type"]), lambda: NOW)
_REPLAY = Replay(policy(), lambda: NOW)
_PIECES = (
    *(PATH.encode(), b"/..", b"/%2e%2e/", b"//", b"%2F", b";", b"%00", b"?x", b"#", b"\\", b"!", b"\xff", b"\xc3\xa4"),
    *(HOST.encode(), b":443", b".", b",", b"@", b"GET", b"POST", b"CONNECT", b"https://", b"spiffe://", b"x-robot"),
    *(b"yes", b"no", b"127.0.0.1", b"::ffff:192.0.2.1", b"x-forwarded-client-cert", b":path", b":authority", b"host"),
)


def _question(path: str = PATH, *, raw: bool = True, certificate: str = "", principal: str = "") -> bytes:
    check = CheckRequest()
    source, http = check.attributes.source, check.attributes.request.http
    source.address.socket_address.address = "10.1.2.3"
    source.certificate, source.principal = certificate, principal
    check.attributes.tls_session.sni = HOST
    http.method, http.path, http.host, http.scheme = METHOD, path, HOST, "https"
    headers = {":authority": HOST, ":path": path, ":method": METHOD, "x-forwarded-client-cert": xfcc(), "x-robot": "no"}
    for name, value in headers.items():
        if raw:
            http.header_map.headers.add(key=name, raw_value=value.encode())
        else:
            http.headers[name] = value
    return check.SerializeToString()


def _check_grpc(message: bytes) -> None:
    answer = CheckResponse.FromString(_GRPC.answer(message))
    require(answer.HasField("status"), "every answer has a status")
    if answer.status.code != 0:
        require(answer.WhichOneof("http_response") == "denied_response", "a denial tells Envoy what to answer")
        return
    require(answer.WhichOneof("http_response") == "ok_response", "an OK carries what is done to the request")
    check = CheckRequest.FromString(message)
    http = check.attributes.request.http
    paths = [_text(item) for item in http.header_map.headers if item.key == ":path"] or [
        http.headers.get(":path", http.path)
    ]
    hosts = {_text(item) for item in http.header_map.headers if item.key in {":authority", "host"}}
    hosts |= {http.headers[name] for name in (":authority", "host") if name in http.headers}
    hosts |= {http.host} if http.host else set()
    require_allowed(http.method, paths, hosts, check.attributes.source.certificate)


def _check_http(data: bytes) -> None:
    """`data`: method and target on the first line, then headers, as a server would hand them over."""
    first, *rest = data.split(b"\n")
    method, _, target = first.partition(b" ")
    headers = [(name.lower(), value) for name, colon, value in (line.partition(b": ") for line in rest) if colon]
    scope: dict[str, Any] = {
        "type": "http",
        "method": method.decode("latin-1"),
        "headers": headers,
        "client": None,
        RAW_TARGET: target,
    }
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise RuntimeError("a body is not read")

    asyncio.run(_HTTP(scope, receive, send))
    require([message["type"] for message in sent] == ["http.response.start", "http.response.body"], "it is answered")
    if sent[0]["status"] == 200:
        hosts = {value.decode("latin-1") for name, value in headers if name == b"host"}
        forwarded = [
            value.decode("utf-8", "surrogateescape") for name, value in headers if name == b"x-forwarded-client-cert"
        ]
        read = PresentedReader().from_xfcc(forwarded[0])
        require(isinstance(read, PresentedCertificate) and read.leaf.der == der("billing"), "only the caller may call")
        require_allowed(scope["method"], [target.decode()], hosts, percent_pem("billing"))


def _check_record(message: bytes) -> None:
    try:
        check = CheckRequest.FromString(message)
        received = received_from_check(check, policy(), _READER, NO_HOPS, NOW)
    except (DecodeError, ValueError):
        return
    decision = evaluate(policy(), received.request)
    record = decision_record(
        decision,
        received.request,
        decision_id="0" * 32,
        enforcement=Enforcement.EXTAUTH,
        time=NOW,
        latency=0.0,
        labels={},
        trace_id=received.trace_id,
    )
    line = line_from_record(record)
    require("\n" not in line and isinstance(json.loads(line), dict), "a record is one line of JSON")
    again = _REPLAY.answer(line.encode())
    same = (again["effect"], again["reason"], again["rules"])
    require(same == (decision.effect.value, decision.reason.value, list(decision.rules)), f"replayed, it is {same}")


def require_allowed(method: str, targets: list[str], hosts: set[str], certificate: str) -> None:
    """The one question of this world that is answered with yes, read in another way than the engine reads it."""
    require(method == METHOD, "only the method of the route is allowed")
    require({host.partition(":")[0].lower().removesuffix(".") for host in hosts} == {HOST}, "only its host is allowed")
    require(len(targets) == 1, "there is one path")
    path = targets[0].partition("?")[0]
    if path.lower().startswith(("http://", "https://")):
        path = "/" + path.split("/", 3)[3]
    require(unquote(path, errors="strict") == PATH, "only its path is allowed")
    read = PresentedReader().from_percent_pem(certificate)
    require(isinstance(read, PresentedCertificate) and read.leaf.der == der("billing"), "only the caller may call")


def _text(header: Any) -> str:
    return header.raw_value.decode("utf-8", "surrogateescape") if header.raw_value else str(header.value)


def _mutated_field(random: Random, message: bytes) -> bytes:
    """Change one text of a readable CheckRequest, so that it stays readable."""
    check = CheckRequest.FromString(message)
    source, http = check.attributes.source, check.attributes.request.http
    headers = list(http.header_map.headers)
    if headers and random.random() < 0.5:
        header = random.choice(headers)
        header.raw_value = mutated(random, [header.raw_value], _PIECES)
        if random.random() < 0.1:
            http.header_map.headers.add(key=header.key, raw_value=random.choice(_PIECES))
        return check.SerializeToString()
    holder, name = random.choice(
        [(source, "certificate"), (source, "principal"), (http, "path"), (http, "host"), (http, "method")]
    )
    value = getattr(holder, name).encode("utf-8", "surrogateescape")
    setattr(holder, name, mutated(random, [value], _PIECES).decode("utf-8", "replace"))
    return check.SerializeToString()


_SEEDS = (
    _question(certificate=percent_pem("billing")),
    _question(certificate=percent_pem("billing"), raw=False),
    _question(f"{PATH}?page=2", certificate=percent_pem("many"), principal="spiffe://acme.internal/x"),
    _question(principal="spiffe://acme.internal/ns/prod/sa/billing"),
    _question(),
)
CHECK = Target(
    "check",
    "every message is answered with a status, and OK is only for what the policy allows",
    _SEEDS,
    _check_grpc,
    _PIECES,
    _mutated_field,
)
RECORD = Target(
    "record",
    "law 10: a decision's record, replayed, gives the same effect, reason and rules",
    _SEEDS,
    _check_record,
    _PIECES,
    _mutated_field,
)
HTTP = Target(
    "http",
    "every request is answered, and 200 is only for what the policy allows",
    (
        f"GET {PATH}\nhost: {HOST}\nx-robot: no\nx-forwarded-client-cert: {xfcc()}".encode(),
        f"GET {PATH}?q\nhost: {HOST}:443\nx-forwarded-for: 192.0.2.1, 10.0.0.1".encode(),
        f"POST https://{HOST}{PATH}\nhost: {HOST}\ncontent-type: application/grpc".encode(),
    ),
    _check_http,
    (*_PIECES, b"\n", b": "),
)
