"""Extract: an ASGI scope -> Request. What is judged is what came over the wire, never what a framework made of it.

`scope["path"]` is decoded (`/a%2fadmin` -> `/a/admin`), and what frameworks route by; `raw_path` has the bytes. Where
the two differ by more than one decoding, somebody in between rewrote one of them: such a request cannot be judged.
"""

from collections.abc import Callable
from urllib.parse import unquote

from gateway.connection import TARGET
from gateway.middleware.forwarded import ForwardedFacts
from gateway.middleware.head import read_headers
from gateway.middleware.presented import Scope, extensions_of
from gateway.middleware.told import ConnectionReader
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import Presented
from policies.peer.reader import PresentedReader
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.raw_headers import Headers
from runtime.trace import TRACEPARENT, trace_id_from_traceparent

_ALWAYS_READ = frozenset({"connection", TRACEPARENT})
_CONTENT_TYPE_ONLY = frozenset({"content-type"})
#: A named tuple's own constructor is a call of Python more; the field order is `Request`'s and `Received`'s.
_tuple = tuple.__new__


class ScopeReader:
    """Reads `http` and `websocket` scopes. `clock`: seconds since the epoch.

    `forwarded`: reads what a proxy in front says of the client; then the connection is the proxy's.
    """

    def __init__(
        self, reader: PresentedReader, clock: Callable[[], float], forwarded: ForwardedFacts | None = None
    ) -> None:
        self._connections = ConnectionReader(reader)
        self._clock = clock
        self._forwarded = forwarded
        self._always_read = _ALWAYS_READ if forwarded is None else _ALWAYS_READ | forwarded.names

    def received_from_scope(self, scope: Scope, presented: Presented | None, policy: PolicySet | None) -> Received:
        """Read `scope` for `policy`, as of now. `presented`: the peer of the connection, if it is known already.

        Raises QuestionError if it does not describe one request.
        """
        conditions = policy.condition_headers if policy is not None else _CONTENT_TYPE_ONLY
        names, host, found = read_headers(scope["headers"], conditions, self._always_read)
        if "connection" in found:
            _refuse_unforwarded(found, conditions)
        extensions = extensions_of(scope)
        peer, source_ip, sni = self._connections.facts_from_scope(scope, extensions)
        if presented is not None:
            peer = presented
        now = self._clock()
        if self._forwarded is not None:
            peer, source_ip, sni = self._forwarded.facts(scope, peer, found, policy, now)
        facts = (
            peer,
            scope["method"] if scope["type"] == "http" else "GET",
            _target_from_scope(scope, extensions.get(TARGET)),
            host,
            _conditional(found, conditions) if found else EMPTY_HEADERS,
            None,
            source_ip,
            sni,
            now,
        )
        trace_id = trace_id_from_traceparent(found[TRACEPARENT]) if TRACEPARENT in found else None
        return _tuple(Received, (_tuple(Request, facts), names, "", trace_id))


def _refuse_unforwarded(found: Headers, conditions: frozenset[str]) -> None:
    """A header that Connection lists ends here (RFC 9110 §7.6.1): what is judged by it must not arrive without it."""
    for value in found["connection"]:
        listed = {token.strip(" \t").lower() for token in value.split(",")} & conditions & found.keys()
        if listed:
            raise MalformedQuestionError(f"Connection lists {min(listed)}, by which requests are judged")


def _conditional(found: Headers, conditions: frozenset[str]) -> Headers:
    return {name: values for name, values in found.items() if name in conditions} or EMPTY_HEADERS


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
