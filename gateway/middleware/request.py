"""Extract: an ASGI scope -> Request. What is judged is what came over the wire, never what a framework made of it.

`scope["path"]` is decoded (`/a%2fadmin` -> `/a/admin`), and what frameworks route by; `raw_path` has the bytes. Where
the two differ by more than one decoding, somebody in between rewrote one of them: such a request cannot be judged.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from gateway.connection import TARGET, TLS
from gateway.middleware.forwarded import ForwardedFacts
from gateway.middleware.head import head_from_raw
from gateway.middleware.presented import Scope, connection_facts, extensions_of, presented_from_tls
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request, Unreported
from policies.peer.presented import Presented
from policies.peer.reader import PresentedReader
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.hops import IpAddress, address_from_text
from runtime.identity_headers import XFCC
from runtime.raw_headers import Headers
from runtime.trace import TRACEPARENT, trace_id_from_traceparent

_ALWAYS_READ = frozenset({"connection", "host", XFCC, TRACEPARENT})
_CONTENT_TYPE_ONLY = frozenset({"content-type"})
_NONE: frozenset[str] = frozenset()
#: A named tuple's own constructor is a call of Python more; the field order is `Request`'s and `Received`'s.
_tuple = tuple.__new__


def received_from_scope(
    scope: Scope,
    policy: PolicySet | None,
    reader: PresentedReader,
    time: float,
    presented: Presented | None = None,
    forwarded: ForwardedFacts | None = None,
) -> Received:
    """Read an `http` or `websocket` scope for `policy`, as of `time` (epoch seconds).

    `presented`: the peer of the connection, if it is known already. `forwarded`: reads what a proxy in front says of
    the client; then the connection is the proxy's. Raises QuestionError if it does not describe one request.
    """
    conditions = policy.condition_headers if policy is not None else _CONTENT_TYPE_ONLY
    raw = scope["headers"]
    head = head_from_raw(raw, _read_names(conditions, _NONE if forwarded is None else forwarded.names))
    found = head.found(raw)
    if "connection" in found:
        _refuse_unforwarded(found, conditions)
    extensions = extensions_of(scope)
    peer = presented
    if peer is None:
        peer = presented_from_tls(reader, extensions.get(TLS), scope.get("scheme"))
    source_ip, sni = _told_of_connection(scope, connection_facts(extensions))
    if forwarded is not None:
        peer, source_ip, sni = forwarded.facts(scope, peer, found, policy, time)
    facts = (
        peer,
        scope["method"] if scope["type"] == "http" else "GET",
        _target_from_scope(scope, extensions.get(TARGET)),
        ",".join(found.get("host", ())),
        _conditional(found, conditions) if len(found) > 1 else EMPTY_HEADERS,
        None,
        source_ip,
        sni,
        time,
    )
    trace_id = trace_id_from_traceparent(found[TRACEPARENT]) if TRACEPARENT in found else None
    return _tuple(Received, (_tuple(Request, facts), head.names, "", trace_id))


def _refuse_unforwarded(found: Headers, conditions: frozenset[str]) -> None:
    """A header that Connection lists ends here (RFC 9110 §7.6.1): what is judged by it must not arrive without it."""
    for value in found["connection"]:
        listed = {token.strip(" \t").lower() for token in value.split(",")} & conditions & found.keys()
        if listed:
            raise MalformedQuestionError(f"Connection lists {min(listed)}, by which requests are judged")


def _conditional(found: Headers, conditions: frozenset[str]) -> Headers:
    return {name: values for name, values in found.items() if name in conditions} or EMPTY_HEADERS


@lru_cache(maxsize=8)
def _read_names(conditions: frozenset[str], forwarded: frozenset[str]) -> frozenset[str]:
    return conditions | forwarded | _ALWAYS_READ


def _target_from_scope(scope: Scope, target: object) -> str:
    """`target`, as received, where the server tells it, else put together again from path and query."""
    raw_path = scope.get("raw_path")
    if not isinstance(raw_path, bytes):
        raise MalformedQuestionError("this server does not show the path as received (raw_path)")
    text = raw_path.decode("utf-8", "surrogateescape")
    # What servers make of bytes beyond ASCII differs; law 6 refuses them.
    if text != scope["path"] and text.isascii() and unquote(text) != scope["path"]:
        raise MalformedQuestionError(
            "path and raw_path differ: a middleware around this one changed the path, so put authorization outermost"
        )
    if target == raw_path:
        return text
    if isinstance(target, bytes):
        return _checked(target.decode("utf-8", "surrogateescape"), text)
    query = scope.get("query_string")
    return f"{text}?{query.decode('utf-8', 'surrogateescape')}" if query else text


def _checked(target: str, path: str) -> str:
    """`target`, if it is the one that has `path`."""
    if target.startswith("/") and target.partition("?")[0].partition("#")[0] != path:
        raise MalformedQuestionError("path and target differ: a middleware around this one changed the path")
    return target


def _told_of_connection(scope: Scope, facts: Mapping[str, object]) -> tuple[IpAddress | None, str | Unreported | None]:
    """The transport peer, of ASGI's `client` where our server told nothing, None on a Unix socket; and the SNI."""
    client = facts["source"] if "source" in facts else scope.get("client")
    source_ip = None
    if isinstance(client, (tuple, list)) and client and isinstance(client[0], str):
        source_ip = address_from_text(client[0])
    sni = facts.get("sni", UNREPORTED)
    return source_ip, sni if sni is None or isinstance(sni, str) else UNREPORTED
