"""Routes: hosts x paths as alternatives, checked so that each could match a request."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from policies.engine.condition import HeaderIs
from policies.engine.header_names import ORIGIN_HEADERS, folded_name, is_reserved
from policies.engine.host import HostPattern
from policies.engine.pattern import PatternError, SegmentPattern, Wild, path_pattern
from policies.engine.route import Alternative, Route
from policies.language.codes import Code
from policies.language.compiler.findings import Findings
from policies.language.compiler.parts import Parts
from policies.language.document import RouteDocument, Texts
from policies.language.node import Scalar
from policies.language.wording import quoted
from policies.reason import Effect

T = TypeVar("T")
#: Hosts times paths of one route.
MAX_ALTERNATIVES = 10_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
#: A header name in lower case that a rule may name, unless it is reserved.
HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^`|~-]{1,128}")
_GRPC = re.compile(r"((?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*)/([A-Za-z_][A-Za-z0-9_]*|\*)")


class Routes:
    """Compiles routes into positions; one route under `allow` and under `deny` may be two, as gRPC differs."""

    def __init__(self, documents: Mapping[str, RouteDocument], parts: Parts, findings: Findings) -> None:
        self._documents = documents
        self._known = parts
        self._findings = findings
        self._positions: dict[tuple[str, Effect], int] = {}
        self._checked: dict[str, _Parts] = {}
        self.compiled: list[Route] = []

    def check(self, name: str) -> None:
        """Report the problems of a named route, whether a rule uses it or not."""
        self._parts_of(self._documents[name])

    def position(self, document: RouteDocument, effect: Effect) -> int:
        """The position of the compiled route under `effect`."""
        parts = self._parts_of(document)
        name = document.name.text if document.name is not None else ""
        key = (name, effect if parts.grpc else Effect.ALLOW)
        if not name or key not in self._positions:
            position = len(self.compiled)
            route = partial(_route, name, parts, position, effect)
            self.compiled.append(self._known.of(("route", effect), document, position, route))
            if not name:
                return position
            self._positions[key] = position
        return self._positions[key]

    def lies_within(self, document: RouteDocument, scope: tuple[HostPattern, ...]) -> bool:
        """Whether every host of the route is one of `scope`."""
        hosts = self._parts_of(document).hosts
        return bool(hosts) and all(any(pattern.covers(host) for pattern in scope) for host in hosts)

    def _parts_of(self, document: RouteDocument) -> "_Parts":
        if document.name is not None and document.name.text in self._checked:
            return self._checked[document.name.text]
        parts = self._known.of("route parts", document, None, partial(self._parts, document))
        if document.name is not None:
            self._checked[document.name.text] = parts
        return parts

    def _parts(self, document: RouteDocument) -> "_Parts":
        parts = _Parts(
            self._read(document.hosts, HostPattern.parse),
            self._read(document.paths, path_pattern),
            self._read(document.grpc, _grpc_path),
            frozenset(self._read(document.methods, method_from_text)),
            tuple(self._headers(document.headers)),
        )
        if document.grpc and (document.paths or document.methods):
            message = "`grpc` already says method and path, so `paths` and `methods` cannot stand beside it"
            self._findings.add(document.grpc[0], Code.KEYS_CONFLICT, message, "make two routes")
        if max(len(parts.hosts), 1) * max(len(parts.paths), len(parts.grpc), 1) > MAX_ALTERNATIVES:
            message = f"the route has more than {MAX_ALTERNATIVES} combinations of hosts and paths"
            self._findings.add(document.at, Code.ROUTE_TOO_LARGE, message, "split it, or use wildcards")
        return parts

    def _headers(self, headers: tuple[tuple[Scalar, Texts], ...]) -> Iterable[HeaderIs]:
        seen: set[str] = set()
        for name, values in headers:
            found = checked_header_name(name, "read", self._findings)
            if found in seen:
                message = f"the header {quoted(found)} stands twice in this route"
                self._findings.add(name, Code.HEADER_INVALID, message, "keep one, with all values that are meant")
            seen.add(found)
            for value in values:
                if "," in value.text or not value.text.isprintable():
                    message = "a header value with a comma or a control character never counts as one whole value"
                    self._findings.add(value, Code.HEADER_INVALID, message, "list the single values that are meant")
            yield HeaderIs(found, frozenset(value.text.strip(" \t") for value in values))

    def _read(self, texts: Texts, value: Callable[[str], T]) -> list[T]:
        found: list[T] = []
        for text in texts:
            try:
                found.append(value(text.text))
            except ValueError as error:
                self._findings.add(text, Code.PATTERN_INVALID, str(error))
        return found


class _Parts:
    """What a route document says, read."""

    __slots__ = ("grpc", "headers", "hosts", "methods", "paths")

    def __init__(
        self,
        hosts: list[HostPattern],
        paths: list[SegmentPattern],
        grpc: list[SegmentPattern],
        methods: frozenset[str],
        headers: tuple[HeaderIs, ...],
    ) -> None:
        self.hosts = hosts
        self.paths = paths
        self.grpc = grpc
        self.methods = methods
        self.headers = headers

    def alternatives(self, position: int, effect: Effect) -> tuple[Alternative, ...]:
        """Every host with every path. Under `deny` a gRPC method is its path, whatever the method and content type."""
        grpc_call = bool(self.grpc) and effect is Effect.ALLOW
        methods = self.methods if self.methods and not self.grpc else None
        return tuple(
            Alternative(position, host, path, methods, grpc_call, self.headers)
            for host in self.hosts or (None,)
            for path in self.grpc or self.paths or (None,)
        )


def _route(name: str, parts: _Parts, position: int, effect: Effect) -> Route:
    return Route(name, parts.alternatives(position, effect))


def checked_header_name(name: Scalar, verb: str, findings: Findings) -> str:
    """The lower-case header name, noted as a problem if no rule may `verb` it."""
    lowered = name.text.lower()
    if not HEADER_NAME.fullmatch(lowered):
        hint = "use `-`: servers take `_` and `-` for the same" if "_" in lowered else ""
        findings.add(name, Code.HEADER_INVALID, f"{quoted(name.text)} is not a header name that rules can use", hint)
    elif is_reserved(folded_name(lowered)):
        message = f"no rule may {verb} {quoted(lowered)}: it belongs to the connection or carries an identity"
        findings.add(name, Code.HEADER_INVALID, message, _instead_of(verb, lowered))
    elif verb == "read" and lowered in ORIGIN_HEADERS:
        message = f"no rule may {verb} {quoted(lowered)}: whoever sends a request writes it, and proxies write it anew"
        findings.add(name, Code.HEADER_INVALID, message, "write `from` with the networks that are meant")
    return lowered


def _instead_of(verb: str, header: str) -> str:
    """What to write in place of a header that rules cannot name."""
    if verb == "set":
        return "set a header of your own, such as x-caller"
    return "write `hosts`" if header == "host" else "who calls is told by `identities`, where from by `from`"


def method_from_text(text: str) -> str:
    """A method that some request may have. Raises PatternError with what to write instead."""
    if text == "CONNECT":
        raise PatternError("CONNECT requests are always refused, as they have no path to judge; leave CONNECT out")
    if text == "*":
        raise PatternError("`*` is no method; leave `methods` out for any method")
    if not _TOKEN.fullmatch(text):
        raise PatternError(f"{quoted(text)} is not a method")
    if text != text.upper():
        raise PatternError(f"{quoted(text)}: a method with small letters is always refused; write {text.upper()}")
    return text


def _grpc_path(text: str) -> SegmentPattern:
    match = _GRPC.fullmatch(text)
    if match is None:
        raise PatternError(f"{quoted(text)} is not a gRPC method; write package.Service/Method, or package.Service/*")
    return SegmentPattern((match[1], Wild() if match[2] == "*" else match[2]))
