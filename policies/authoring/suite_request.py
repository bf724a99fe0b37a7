"""Requests of policy tests -> `Request`s without a caller. What a request does not say, its test or `defaults` may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from policies.authoring.address import address_from_text
from policies.authoring.suite_document import PolicyTestDocument, RequestDocument, Texts
from policies.authoring.url import Target, target_from_url
from policies.engine.request import UNREPORTED, Request, Unreported
from policies.language.codes import Code
from policies.language.compiler.values import epoch_from_moment
from policies.language.node import Scalar
from policies.language.problem import Position, Problems
from policies.language.wording import listed, quoted
from policies.peer.presented import NO_CERTIFICATE

T = TypeVar("T")
_FORMS = "write GET https://host/path, or GET /path with `host` in the test or in `defaults`"
_GRPC_CONTENT_TYPE = ("application/grpc",)
#: A key that says where a request goes -> the keys that it replaces.
_EXCLUDED = {"url": ("host", "path", "grpc"), "grpc": ("method", "path")}


@dataclass(frozen=True, slots=True)
class LabelledRequest:
    """A request, as yet without a caller, and how it is shown."""

    label: str
    request: Request


class RequestReader:
    """Reads `request` under the `defaults` of one file. `now`: epoch seconds of requests that name no time."""

    def __init__(self, defaults: RequestDocument | None, now: float, problems: Problems) -> None:
        self._defaults = defaults
        self._now = now
        self._problems = problems

    def line(
        self, item: Scalar | RequestDocument, test: PolicyTestDocument, *, expects_malformed: bool
    ) -> LabelledRequest | None:
        """A request line or a mapping; None if it is wrong, which is noted.

        `expects_malformed`: the test is about requests that are refused as malformed.
        """
        before = len(self._problems)
        said = _Said(item if isinstance(item, RequestDocument) else None, test, self._defaults)
        method, target = self._target(item, said)
        if not expects_malformed and method != method.upper() and "/" not in method:
            self._note_small_letters(item.at if isinstance(item, Scalar) else said.scalar("method"), method)
        host = said.text("host") if target.host is None else target.host
        if host is None and len(self._problems) == before:
            self._note(item.at, "the request names no host", _FORMS)
        headers = said.headers()
        if isinstance(item, RequestDocument) and item.grpc is not None:
            headers.setdefault("content-type", _GRPC_CONTENT_TYPE)
        request = Request(
            peer=NO_CERTIFICATE,
            method=method,
            target=target.path,
            host=host or "",
            headers=headers,
            seen_headers=None,
            source_ip=self._value(said, "source_ip", address_from_text, None),
            sni=_sni(said),
            time=self._value(said, "time", epoch_from_moment, self._now),
        )
        return LabelledRequest(_label(request), request) if len(self._problems) == before else None

    def _target(self, item: Scalar | RequestDocument, said: "_Said") -> tuple[str, Target]:
        if isinstance(item, Scalar):
            word, _, url = item.text.partition(" ")
            return word, self._url(item, url)
        self._check_conflicts(item)
        if item.grpc is not None:
            return "POST", Target(None, f"/{item.grpc.text.removeprefix('/')}")
        method = said.text("method")
        if method is None:
            self._note(item.at, "the request names no method", "add `method: GET`")
        if item.url is not None:
            return method or "", self._url(item.url, item.url.text)
        path = said.text("path")
        if path is None:
            self._note(item.at, "the request names no path", "add `path: /…`, `url: https://…` or `grpc: …`")
        return method or "", Target(None, path or "")

    def _note_small_letters(self, written: Position | Scalar | None, method: str) -> None:
        """A method with small letters is refused whatever the rules say, so `deny` would be no word about them."""
        at = written.at if isinstance(written, Scalar) else written
        if at is not None:
            message = f"{quoted(method)} is no method: methods are written in capitals (RFC 9110 §9.1: case-sensitive)"
            self._note(at, message, f"write {method.upper()}, or expect `deny because request_malformed`")

    def _url(self, written: Scalar, url: str) -> Target:
        try:
            return target_from_url(url)
        except ValueError:
            self._note(written.at, f"{quoted(written.text)} is no request", _FORMS)
            return Target(None, "")

    def _check_conflicts(self, item: RequestDocument) -> None:
        for key, excluded in _EXCLUDED.items():
            both = [other for other in excluded if getattr(item, other) is not None]
            if getattr(item, key) is not None and both:
                message = f"{quoted(key)} already says {listed(both, 'and')}"
                self._problems.add(item.at, Code.KEYS_CONFLICT, message, "remove one of them")

    def _value(self, said: "_Said", name: str, value_from_text: Callable[[str], T], otherwise: T) -> T:
        written = said.scalar(name)
        if written is None:
            return otherwise
        try:
            return value_from_text(written.text)
        except ValueError as error:
            self._note(written.at, f"{quoted(name)}: {error}")
            return otherwise

    def _note(self, at: Position, message: str, hint: str = "") -> None:
        self._problems.add(at, Code.VALUE_INVALID, message, hint)


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one request: by itself, then by its test, then by the defaults; the first that says it counts."""

    request: RequestDocument | None
    test: PolicyTestDocument
    defaults: RequestDocument | None

    def scalar(self, name: str) -> Scalar | None:
        for document in (self.request, self.test, self.defaults):
            found: Scalar | None = getattr(document, name, None)
            if found is not None:
                return found
        return None

    def text(self, name: str) -> str | None:
        found = self.scalar(name)
        return None if found is None else found.text

    def headers(self) -> dict[str, tuple[str, ...]]:
        """Header by header, as a test may add one to the defaults; a name written twice has all its values."""
        found: dict[str, tuple[str, ...]] = {}
        for document in (self.defaults, self.test, self.request):
            if document is not None:
                found |= _headers(document.headers)
        return found


def _headers(entries: tuple[tuple[Scalar, Texts], ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, values in entries:
        key = name.text.lower()
        found[key] = (*found.get(key, ()), *(value.text for value in values))
    return found


def _sni(said: _Said) -> str | Unreported | None:
    text = said.text("sni")
    return UNREPORTED if text is None else text or None


def _label(request: Request) -> str:
    return f"{request.method} {request.host}{request.target}"
