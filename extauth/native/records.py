"""Decisions that Envoy made, read from its access log: the same records as of any other enforcement point (law 10).

Envoy writes one JSON object a line for what it decided itself; what it asked, peergate has recorded.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple

from extauth.native.filters import CALLED, DECIDED, RBAC, SHADOWED
from extauth.native.names import ALLOW, DENY, NONE, NativeVerdict, verdict_from_name
from extauth.native.told import field_of_line, told_from_line
from policies.engine.decision import NO_CAPTURES, Decision
from policies.engine.request import Request
from policies.peer.certificate import IdentityFacts
from policies.peer.digest import sha256
from policies.peer.errors import DistinguishedNameError
from policies.peer.limits import MAX_CACHED_PEERS
from policies.peer.name import DistinguishedName
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity, Presented
from runtime.envoy.proto_json import Json, any_of

_ABSENT = "-"
_FIELDS: Json = {
    "id": "%STREAM_ID%",
    "time": "%START_TIME(%s.%6f)%",
    "decided": f"%DYNAMIC_METADATA({RBAC}:{DECIDED})%",
    "shadow": f"%DYNAMIC_METADATA({RBAC}:{SHADOWED})%",
    "names": f"%DYNAMIC_METADATA({RBAC}:{CALLED})%",
    "method": "%REQUEST_HEADER(:METHOD)%",
    "host": "%REQUEST_HEADER(:AUTHORITY)%",
    "path": "%REQUEST_HEADER(:PATH)%",
    "content_type": "%REQUEST_HEADER(CONTENT-TYPE)%",
    "trace": "%REQUEST_HEADER(TRACEPARENT)%",
    "source": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "sni": "%REQUESTED_SERVER_NAME%",
    "uri": "%DOWNSTREAM_PEER_URI_SAN%",
    "dns": "%DOWNSTREAM_PEER_DNS_SAN%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "issuer": "%DOWNSTREAM_PEER_ISSUER%",
    "serial": "%DOWNSTREAM_PEER_SERIAL%",
    "fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
}


class NativeDecision(NamedTuple):
    """One line. `time`: epoch seconds; `trace_parent`: the header as received, if there was one.

    `shadow_evaluated`: whether Envoy evaluated shadow rules of the same generation, so that `decision.shadow` counts.
    `line`: all that it tells (`extauth.native.told`).
    """

    decision: Decision
    request: Request
    decision_id: str
    time: float
    trace_parent: str | None
    shadow_evaluated: bool
    line: Mapping[str, Any]


def access_log(path: str) -> Json:
    """`AccessLog`: what Envoy decided itself goes to the file `path`, a line each."""
    return {
        "name": "envoy.access_loggers.file",
        "filter": {"or_filter": {"filters": [_decided(kind) for kind in (ALLOW, DENY, NONE)]}},
        "typed_config": any_of(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path=path,
            log_format={"json_format": {**_FIELDS, **field_of_line()}},
        ),
    }


def _decided(kind: str) -> Json:
    matcher: Json = {"filter": RBAC, "path": [{"key": DECIDED}], "value": {"string_match": {"prefix": kind}}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def native_decision_from_line(line: bytes, trust_of: Callable[[str, str], tuple[str, ...]]) -> NativeDecision:
    """One decision. `trust_of`: the entry of a generation that vouches, by the issuer as Envoy writes it.

    Raises ValueError.
    """
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("the line is no object")  # noqa: TRY004 - one error for whatever is wrong with a line
    verdict = verdict_from_name(_text(found, "decided"))
    if verdict is None:
        raise ValueError("peergate was asked, so it has the record")
    trust = trust_of(verdict.generation, _text(found, "issuer"))
    peer = _peer(found, trust)
    moment = float(_text(found, "time"))
    shadow = _shadow(found, verdict.generation)
    decision = _decision(verdict, found, () if peer is NO_CERTIFICATE else trust)
    if shadow is not None and shadow != verdict:
        decision = replace(decision, shadow=_decision(shadow, found, decision.trust))
    content_type = _text(found, "content_type")
    request = Request(
        peer,
        _text(found, "method"),
        _text(found, "path"),
        _text(found, "host"),
        {"content-type": (content_type,)} if content_type else {},
        None,
        ip_address(_text(found, "source")) if _text(found, "source") else None,
        _sni(found),
        moment,
    )
    trace = _text(found, "trace") or None
    return NativeDecision(
        decision, request, _text(found, "id"), moment, trace, shadow is not None, {**found, **told_from_line(found)}
    )


def _shadow(found: dict[str, Any], generation: str) -> NativeVerdict | None:
    """What shadow rules would decide; None if Envoy does not say it, or only of another generation."""
    name = _text(found, "shadow")
    verdict = verdict_from_name(name) if name else None
    return verdict if verdict is not None and verdict.generation == generation else None


def _decision(verdict: NativeVerdict, found: dict[str, Any], trust: tuple[str, ...]) -> Decision:
    names = _text(found, "names")
    return Decision(
        verdict.effect,
        verdict.reason,
        () if verdict.rule is None else (verdict.rule,),
        tuple(sorted(names.split(","))) if names else (),
        trust,
        NO_CAPTURES,
        (),
        (),
        (),
        None,
        verdict.generation,
    )


def _peer(found: dict[str, Any], trust: tuple[str, ...]) -> Presented:
    told = [_text(found, field) for field in ("fingerprint", "uri", "dns", "subject", "issuer", "serial")]
    return _peer_from_texts(*told, trust) if told[0] else NO_CERTIFICATE


@lru_cache(MAX_CACHED_PEERS)
def _peer_from_texts(
    fingerprint: str, uri: str, dns: str, subject: str, issuer: str, serial: str, trust: tuple[str, ...]
) -> AssertedIdentity:
    facts = IdentityFacts(
        uri=(uri,) if uri else (),
        dns=(dns,) if dns else (),
        subject=_name(subject),
        issuer=_name(issuer),
        serial=int(serial or "0", 16),
        cert_sha256=bytes.fromhex(fingerprint),
    )
    return AssertedIdentity(facts, frozenset(trust), sha256(fingerprint.encode()))


def _name(text: str) -> DistinguishedName | None:
    """A name as Envoy writes it; unknown where that is not RFC 4514."""
    try:
        return DistinguishedName.parse(text)
    except DistinguishedNameError:
        return None


def _sni(found: dict[str, Any]) -> str | None:
    """As the client sent it, and be that what Envoy writes elsewhere for nothing."""
    sni = found.get("sni")
    return sni if isinstance(sni, str) and sni else None


def _text(found: dict[str, Any], field: str) -> str:
    value = found.get(field)
    return value if isinstance(value, str) and value != _ABSENT else ""
