"""The decision record: one flat JSON line for every decision, named by the Elastic Common Schema (ECS) where it can be.

Law 10: an unredacted record, replayed with its generation and time, gives the same effect, reason and rules;
`policies.engine.recorded.request_from_record` is the way back. `docs/decision-log.md` explains every field to people.

=============================  =====================================================================================
field                          value
=============================  =====================================================================================
`@timestamp`                   when the request was judged: RFC 3339, UTC, nine digits, exact enough to replay (ECS)
`decision_id`                  128 bits, lower-case hex
`generation`                   the policy content that decided; empty if there was none
`enforcement`                  `extauth`, `gateway`, `forward-auth` or `native`
`effect` `reason` `rules`      as in `Decision`
`labels`                       labels of these rules, name -> text (ECS)
`identity.presented`           `none verified refused malformed asserted named` (names without a certificate), or
                               `unjudged` (no policy, or an error)
`identity.proxy_verified`      the trust entry for which a proxy has verified the caller (`--proxy-verified`)
`identity.names` `.trust`      identities and trust entries of the policy that the caller is and passes
`identity.uri` `.dns`          SANs; null = this enforcement point was not shown them
`identity.email` `.ip_san`
`identity.spki_sha256`         `sha256:` and base64, as `pins` are written in a policy
`identity.problem`             what is wrong with a malformed certificate
`tls.client.subject`           RFC 4514 (ECS)
`tls.client.issuer`            RFC 4514 (ECS)
`tls.client.x509.serial_number`  upper-case hex, as ECS wants it
`tls.client.hash.sha256`       of the DER certificate, upper-case hex (ECS)
`tls.client.not_after`         RFC 3339 (ECS)
`tls.client.certificate_chain`  PEM, leaf first; only if the certificate was not verified, to judge it again (ECS)
`tls.client.server_name`       SNI; null = none was sent, absent = not reported (ECS)
`http.request.method`          as received (ECS)
`url.domain` `url.path`        host and path as received, the path without its query (ECS)
`source.ip`                    null = unknown (ECS)
`trace.id`                     if the caller sent one (ECS)
`request.query_present`        whether a `?` followed the path
`request.content_type`         values of the content-type header
`request.headers`              other headers that a condition of the policy names, name -> values
`request.seen_headers`         names of the headers that this enforcement point is shown; absent = all
`unknown` `problems`           as in `Decision`
`shadow`                       `{effect, reason, rules}` with shadow rules enforced, or null
`next`                         `{generation, effect, reason, rules}` of the next policy (`--shadow-policy`), null if it
                               decides the same by the same rules; absent if none was asked
`latency_us`                   microseconds from receipt to decision
`raw`                          only if a text is not Unicode: base64 of JSON, field -> value as received
=============================  =====================================================================================

Texts of a request that is refused for their length are cut, so that a client cannot make records of any length. Each
cut leaves a text too long, so that the replay refuses it for the same reason. Header values are cut only where the
request was refused before anybody looked at them.

A refused request that could not even be read has no `http.`, `url.`, `source.` and `identity.` fields.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import floor

from policies.engine.decision import Decision
from policies.engine.limits import MAX_METHOD_CHARS, MAX_PATH_CHARS
from policies.engine.request import UNREPORTED, Request
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import (
    AssertedIdentity,
    MalformedCertificate,
    NamedCaller,
    NoCertificate,
    Presented,
    PresentedCertificate,
)
from policies.reason import CERTIFICATE_ORDER, Reason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNJUDGED = frozenset({Reason.POLICY_UNAVAILABLE, Reason.INTERNAL_ERROR})
_REFUSED = frozenset(CERTIFICATE_ORDER)
_HEADERS_UNREAD = _REFUSED | {Reason.REQUEST_MALFORMED, Reason.HOST_INVALID, Reason.PATH_AMBIGUOUS}
#: Characters kept of any other text that a client can make long. No host of this length is valid.
MAX_RECORDED_CHARS = 1024
#: Scheme and authority of RFC 9112 §3.2.2 absolute-form, as `policies.engine.target` reads it.
_AUTHORITY = re.compile(r"(?i:https?)://[^/?#]*")
json_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


class Enforcement(StrEnum):
    """Where a decision was enforced."""

    EXTAUTH = "extauth"
    GATEWAY = "gateway"
    FORWARD_AUTH = "forward-auth"
    NATIVE = "native"


class Presentation(StrEnum):
    """What became of the certificate that was, or was not, presented."""

    NONE = "none"
    VERIFIED = "verified"
    REFUSED = "refused"
    MALFORMED = "malformed"
    ASSERTED = "asserted"
    NAMED = "named"
    UNJUDGED = "unjudged"


def decision_record(
    decision: Decision,
    request: Request | None,
    *,
    decision_id: str,
    enforcement: str,
    time: float,
    latency: float,
    labels: Mapping[str, str],
    trace_id: str | None = None,
    following: Decision | None = None,
) -> dict[str, object]:
    """The record of `decision`; `request` is None if it could not be read.

    `time`: epoch seconds at which it was judged; `latency`: seconds; `following`: the decision of the next policy.
    """
    record = occasion_fields(decision_id, time, latency, trace_id)
    record |= verdict_fields(decision, enforcement, labels, following)
    if request is not None:
        add_presentation(record, decision, request.peer)
        record.update(certificate_fields(request.peer))
        add_request(record, decision, request)
    return record


def line_from_record(record: Mapping[str, object]) -> str:
    """One line of JSON, ASCII, without a line end. Whatever the texts hold, every JSON parser reads it."""
    line = json_text(record)
    # json writes a lone surrogate as an escape that strict parsers refuse; an attacker must not hide his line so.
    return line if "\\ud" not in line else json_text(_well_formed_record(record))


def timestamp_from_epoch(time: float) -> str:
    """RFC 3339 in UTC with nanoseconds: any time of our days comes back as the same float.

    Raises ValueError or OverflowError for a time that no calendar has.
    """
    second = floor(time)
    nanoseconds = round((time - second) * 1e9)
    if nanoseconds == 1_000_000_000:
        second, nanoseconds = second + 1, 0
    return f"{_text_of_second(second)}.{nanoseconds:09d}Z"


@lru_cache(maxsize=8)
def _text_of_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


def occasion_fields(decision_id: str, time: float, latency: float, trace_id: str | None) -> dict[str, object]:
    """What no two decisions have in common."""
    fields: dict[str, object] = {
        "@timestamp": timestamp_from_epoch(time),
        "decision_id": decision_id,
        "latency_us": round(latency * 1e6, 1),
    }
    if trace_id is not None:
        fields["trace.id"] = trace_id
    return fields


def verdict_fields(
    decision: Decision, enforcement: str, labels: Mapping[str, str], following: Decision | None = None
) -> dict[str, object]:
    """What was decided, and by what."""
    shadow = decision.shadow
    fields: dict[str, object] = {
        "generation": decision.generation,
        "enforcement": enforcement,
        "effect": decision.effect,
        "reason": decision.reason,
        "rules": decision.rules,
        "labels": labels,
        "unknown": decision.unknown,
        "problems": [problem[:MAX_RECORDED_CHARS] for problem in decision.problems],
        "shadow": _verdict(shadow) if shadow else None,
    }
    if following is not None:
        fields["next"] = _next_verdict(decision, following)
    return fields


def _next_verdict(decision: Decision, following: Decision) -> dict[str, object] | None:
    if following.reason is decision.reason and following.rules == decision.rules:
        return None
    return {"generation": following.generation, **_verdict(following)}


def _verdict(decision: Decision) -> dict[str, object]:
    return {"effect": decision.effect, "reason": decision.reason, "rules": decision.rules}


def add_presentation(record: dict[str, object], decision: Decision, peer: Presented) -> None:
    """What became of what was presented; of a certificate that did not pass, all that is needed to judge it again."""
    if isinstance(peer, NoCertificate):
        record["identity.presented"] = Presentation.NONE
    elif isinstance(peer, MalformedCertificate):
        record["identity.presented"] = Presentation.MALFORMED
        record["identity.problem"] = peer.problem[:MAX_RECORDED_CHARS]
    elif isinstance(peer, AssertedIdentity):
        record["identity.presented"] = Presentation.ASSERTED
        record["identity.names"] = decision.identities
        record["identity.trust"] = sorted(peer.trust)
    elif isinstance(peer, NamedCaller):
        record["identity.presented"] = Presentation.NAMED
        record["identity.names"] = decision.identities
        record["identity.trust"] = decision.trust
    else:
        presentation = presentation_of(decision.reason)
        record["identity.presented"] = presentation
        record["identity.names"] = decision.identities
        record["identity.trust"] = decision.trust
        if presentation is not Presentation.VERIFIED:
            record["tls.client.certificate_chain"] = _pem_chain(peer)


def presentation_of(reason: Reason) -> Presentation:
    """What became of a certificate that could be read."""
    if reason in _REFUSED:
        return Presentation.REFUSED
    return Presentation.UNJUDGED if reason in _UNJUDGED else Presentation.VERIFIED


def certificate_fields(peer: Presented) -> dict[str, object]:
    """What a certificate says, whatever was decided."""
    if isinstance(peer, PresentedCertificate):
        not_after = timestamp_from_epoch(peer.leaf.not_after)
        fields = _facts_fields(peer.leaf.identity) | {"tls.client.not_after": not_after}
        return fields if peer.verified_for is None else fields | {"identity.proxy_verified": peer.verified_for}
    if isinstance(peer, NamedCaller):
        return _facts_fields(peer.facts) | {"identity.proxy_verified": peer.verified_for}
    return _facts_fields(peer.facts) if isinstance(peer, AssertedIdentity) else {}


def _facts_fields(facts: IdentityFacts) -> dict[str, object]:
    return {
        "identity.uri": facts.uri,
        "identity.dns": facts.dns,
        "identity.email": facts.email,
        "identity.ip_san": None if facts.ip is None else [str(address) for address in facts.ip],
        "tls.client.subject": None if facts.subject is None else facts.subject.text,
        "tls.client.issuer": None if facts.issuer is None else facts.issuer.text,
        "tls.client.x509.serial_number": None if facts.serial is None else f"{facts.serial:X}",
        "tls.client.hash.sha256": None if facts.cert_sha256 is None else facts.cert_sha256.hex().upper(),
        "identity.spki_sha256": None if facts.spki_sha256 is None else pin_from_digest(facts.spki_sha256),
    }


def pin_from_digest(digest: bytes) -> str:
    """A SHA-256 as `pins` are written in a policy: `sha256:` and base64."""
    return "sha256:" + base64.b64encode(digest).decode()


def add_request(record: dict[str, object], decision: Decision, request: Request) -> None:
    """What was asked for, as it was received but for its length."""
    path, query, _ = request.target.partition("?")
    record["http.request.method"] = recorded_method(request)
    record["url.domain"] = request.host[:MAX_RECORDED_CHARS]
    record["url.path"] = recorded_path(path)
    record["request.query_present"] = bool(query)
    record.update(header_fields(decision, request))
    record["source.ip"] = None if request.source_ip is None else str(request.source_ip)
    if request.sni is not UNREPORTED:
        record["tls.client.server_name"] = request.sni[:MAX_RECORDED_CHARS] if request.sni else request.sni


def recorded_method(request: Request) -> str:
    """The method, cut where it is longer than any that is accepted."""
    return request.method[: MAX_METHOD_CHARS + 1]


def recorded_path(path: str) -> str:
    """A path without its query, cut where it is longer than any that is accepted."""
    return path if len(path) <= MAX_RECORDED_CHARS else _cut_path(path)


def header_fields(decision: Decision, request: Request) -> dict[str, object]:
    """The headers that conditions name, and which headers this enforcement point is shown."""
    if not request.headers and request.seen_headers is None:
        return {}
    fields: dict[str, object] = {}
    received = _cut_headers(request.headers) if decision.reason in _HEADERS_UNREAD else request.headers
    headers = {name: values for name, values in received.items() if name != "content-type"}
    if "content-type" in received:
        fields["request.content_type"] = received["content-type"]
    if headers:
        fields["request.headers"] = headers
    if request.seen_headers is not None:
        fields["request.seen_headers"] = sorted(request.seen_headers)
    return fields


def _cut_path(path: str) -> str:
    """What shows that `path` is too long, at most; scheme and authority of absolute-form are cut for themselves."""
    match = _AUTHORITY.match(path)
    start = match.end() if match else 0
    return path[: min(start, MAX_RECORDED_CHARS)] + path[start : start + MAX_PATH_CHARS + 1]


def _cut_headers(headers: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(value[:MAX_RECORDED_CHARS] for value in values) for name, values in headers.items()}


def _pem_chain(peer: PresentedCertificate) -> list[str]:
    return [_pem_from_der(der) for der in (peer.leaf.der, *peer.intermediates) if der]


def _pem_from_der(der: bytes) -> str:
    """RFC 7468 §5."""
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def _well_formed_record(record: Mapping[str, object]) -> Mapping[str, object]:
    """`record` with U+FFFD for every lone surrogate, and the values as they were in `raw`."""
    clean = {field: _well_formed(value) for field, value in record.items()}
    raw = {field: value for field, value in record.items() if json_text(value) != json_text(clean[field])}
    return clean | {"raw": base64.b64encode(json_text(raw).encode()).decode()} if raw else record


def _well_formed(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_well_formed(item) for item in value]
    return value
