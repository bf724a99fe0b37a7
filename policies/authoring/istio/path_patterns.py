"""Istio's `paths` as paths of peergate: what matches the same requests, or a refusal.

Istio compares the path after its own normalisation as one text; peergate compares decoded segments. A literal or prefix
of characters that are never escaped, cut at a slash, is the same for both. Sources: Istio's reference of
AuthorizationPolicy (Rule, Operation) and Envoy's `UriTemplateMatchConfig` for `{*}` and `{**}`.
"""

import re

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.engine.pattern import path_pattern
from policies.language.node import Scalar
from policies.language.wording import quoted

#: RFC 3986 §3.3 pchar without escapes, `;` (which peergate refuses in a request) and `*`.
_SEGMENT = re.compile(r"[A-Za-z0-9_~!$&'()+,=:@.-]+")
_ONE, _MANY = "{*}", "{**}"
#: Every path.
ANY_PATH = ("/**",)
_LITERAL_HINT = "a segment has letters, digits and -._~!$&'()+,=:@, none is empty, `.` or `..`"


def paths_from_value(value: Scalar) -> tuple[str, ...]:
    """The paths of peergate that match the same requests as the Istio pattern `value`. Raises NotCarriedError."""
    text = value.text
    if text in {"*", "/*"}:
        return ANY_PATH
    if _ONE in text or _MANY in text:
        return _from_template(value)
    if text.startswith("*"):
        message = f"the path {quoted(text)} is a suffix at any depth; peergate's paths start at the root"
        raise NotCarriedError(value, ImportCode.INEXACT, message, "list the paths, with {*} for one whole segment")
    if not text.endswith("*"):
        _check_segments(value, text)
        return (text,)
    start = text[:-1]
    if not start.endswith("/"):
        message = f"the path {quoted(text)} also matches {quoted(f'{start}2')}; peergate compares whole segments"
        raise NotCarriedError(value, ImportCode.INEXACT, message, f'list both: ["{start}", "{start}/*"]')
    _check_segments(value, start)
    return _below(start)


def matches_path(pattern: str, path: str) -> bool:
    """Whether Istio's `pattern`, which `paths_from_value` has taken, matches the literal `path`."""
    if _ONE in pattern or _MANY in pattern:
        parts = [".*" if part == _MANY else "[^/]+" if part == _ONE else re.escape(part) for part in pattern.split("/")]
        return re.fullmatch("/".join(parts), path) is not None
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def may_meet(one: str, other: str) -> bool:
    """Whether some request matches both paths of peergate."""
    a, b = path_pattern(one), path_pattern(other)
    for x, y in zip(a.segments, b.segments, strict=False):
        if x != y and ((isinstance(x, str) and isinstance(y, str)) or "" in (x, y)):
            return False
    shorter = min(a, b, key=lambda pattern: len(pattern.segments))
    return len(a.segments) == len(b.segments) or shorter.rest


def _from_template(value: Scalar) -> tuple[str, ...]:
    first, *segments = value.text.split("/")
    rest = bool(segments) and segments[-1] == _MANY
    fixed = segments[:-1] if rest else segments
    literal = "/".join("x" if segment == _ONE else segment for segment in fixed)
    if first or _MANY in fixed:
        message = f"{quoted(value.text)}: peergate has `{_MANY}` at the end of a path only"
        raise NotCarriedError(value, ImportCode.INEXACT, message, "list the paths, with {*} for one whole segment")
    if fixed:
        _check_segments(value, f"/{literal}")
    path = "".join(f"/{'*' if segment == _ONE else segment}" for segment in fixed)
    if not rest:
        return (path,)
    return _below(f"{path}/") if fixed else ANY_PATH


def _below(start: str) -> tuple[str, ...]:
    """What starts with `start`, which ends with a slash; `/a/**` would be `/a` as well."""
    return (start, f"{start}*/**")


def _check_segments(value: Scalar, path: str) -> None:
    first, *segments = path.split("/")
    inner = segments[:-1] if segments and not segments[-1] else segments
    if first:
        message = f"the path {quoted(value.text)} does not start with /, so no request has it"
        raise NotCarriedError(value, ImportCode.INVALID, message, f"write /{value.text}")
    for segment in inner:
        if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
            message = (
                f"the path {quoted(value.text)} has the segment {quoted(segment)}, which programs read differently"
            )
            raise NotCarriedError(value, ImportCode.INEXACT, message, _LITERAL_HINT)
