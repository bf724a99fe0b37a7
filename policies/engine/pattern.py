"""Patterns over segments, for URI SANs and for paths: literal segments, `*`, `{name}`, and `**` at the end.

Matching is segment by segment, so `spiffe://a.b` never matches `spiffe://a.bc` and `/v1` never matches `/v12`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.engine.path import path_segments

#: Names that a policy may bind.
CAPTURE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CAPTURE = re.compile(r"\{([^{}]*)\}")
#: How other routers write a variable: `<id>`, `<int:id>`, `:id`, `$id`, `${id}`.
_FOREIGN = re.compile(r"<(?:[^<>:]*:)?{0}>|:{0}|\${0}|\$\{{{0}\}}".format(f"({CAPTURE_NAME.pattern})"))
_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]*)(?:/(.*))?", re.DOTALL)


class PatternError(ValueError):
    """A pattern that a policy may not write; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Wild:
    """One whole, non-empty segment, bound to `capture` if that is a name."""

    capture: str | None = None

    def __str__(self) -> str:
        """As a policy writes it."""
        return "*" if self.capture is None else f"{{{self.capture}}}"


@dataclass(frozen=True, slots=True)
class SegmentPattern:
    """Literal segments and wildcards in order; `rest`: any number of further segments may follow."""

    segments: tuple[str | Wild, ...]
    rest: bool = False
    #: (name, position of the segment that it is bound to), derived.
    places: tuple[tuple[str, int], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        places = [
            (part.capture, at) for at, part in enumerate(self.segments) if isinstance(part, Wild) and part.capture
        ]
        object.__setattr__(self, "places", tuple(places))

    def bound(self, segments: Sequence[str]) -> dict[str, str] | None:
        """What `segments` bind, or None if they do not match. A name that occurs twice must have one value."""
        if len(segments) < len(self.segments) or (len(segments) > len(self.segments) and not self.rest):
            return None
        bindings: dict[str, str] = {}
        for expected, actual in zip(self.segments, segments, strict=False):
            if isinstance(expected, str):
                if expected != actual:
                    return None
            elif not actual or (
                expected.capture is not None and bindings.setdefault(expected.capture, actual) != actual
            ):
                return None
        return bindings

    def __str__(self) -> str:
        """The segments as a policy writes them, decoded; a path has one more `/` before them."""
        return "/".join([*map(str, self.segments), *(("**",) if self.rest else ())])

    @property
    def captures(self) -> frozenset[str]:
        """The names that every match binds."""
        return frozenset(name for name, _ in self.places)

    @property
    def is_literal(self) -> bool:
        """Whether it matches exactly one sequence of segments."""
        return not self.rest and all(isinstance(part, str) for part in self.segments)


def path_pattern(text: str) -> SegmentPattern:
    """A path pattern; its literal segments are decoded as request paths are.

    Raises PatternError for misplaced wildcards, and PathAmbiguous for what no request path may have.
    """
    if text.startswith(("^", "(", "[", ".")):
        raise PatternError(f"`{text}`: a path is no regular expression; write `*`, `{{name}}` or `/**` in it")
    if not text.startswith("/"):
        raise _without_slash(text)
    if "?" in text:
        raise PatternError(f"`{text}` has a query; queries are not judged, so write `{text.partition('?')[0]}`")
    return _pattern(text[1:].split("/"), text, decode_as_path=True)


def _without_slash(text: str) -> PatternError:
    """What to write instead of a path without a slash, in which a variable of another router may stand."""
    parts = text.split("/")
    ours = [f"{{{match[match.lastindex or 0]}}}" if (match := _FOREIGN.fullmatch(part)) else part for part in parts]
    if ours != parts:
        way = f"`{{name}}`; write `/{'/'.join(ours)}`"
    elif text.startswith(("<", ":", "$")):
        way = "`{name}`, a whole segment; write it as in `/files/{name}`"
    else:
        return PatternError(f"the path `{text}` does not start with /; write `/{text}`")
    return PatternError(f"`{text}`: a path starts with /, and a variable in it is written {way}")


def uri_pattern(text: str) -> SegmentPattern:
    """A URI SAN pattern; scheme and authority are one literal segment and are compared byte for byte.

    Raises PatternError.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        if "*" in text or "{" in text:
            raise PatternError(f"`{text}`: wildcards need a URI of the form scheme://authority/path")
        return SegmentPattern((text,))
    authority, path = match[1], match[2]
    if "*" in authority or "{" in authority:
        raise PatternError(f"`{text}`: scheme and authority take no wildcard; write one URI for each that is meant")
    if path is None:
        return SegmentPattern((authority,))
    tail = _pattern(path.split("/"), text, decode_as_path=False)
    return SegmentPattern((authority, *tail.segments), tail.rest)


def uri_segments(text: str) -> tuple[str, ...]:
    """The segments of a URI SAN as `uri_pattern` counts them."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return (text,)
    return (match[1],) if match[2] is None else (match[1], *match[2].split("/"))


def _pattern(raw: list[str], whole: str, *, decode_as_path: bool) -> SegmentPattern:
    rest = raw[-1] == "**"
    if rest:
        raw = raw[:-1]
        if "" in raw:
            raise PatternError(f"`{whole}` has an empty segment (//); write one slash")
    parts = [_part(segment, whole) for segment in raw]
    if decode_as_path:
        parts = _decoded(parts, whole)
    return SegmentPattern(tuple(parts), rest)


def _part(segment: str, whole: str) -> str | Wild:
    if segment == "*":
        return Wild()
    if segment == "**":
        raise PatternError(f"`{whole}`: `**` is the rest of a path, so it comes last; write `*` for a single segment")
    match = _CAPTURE.fullmatch(segment)
    if match is not None:
        if not CAPTURE_NAME.fullmatch(match[1]):
            raise PatternError(f"`{whole}`: a name in braces has letters, digits and _, and starts with no digit")
        return Wild(match[1])
    if "*" in segment:
        raise PatternError(
            f"`{whole}`: `*` is a whole segment, not a part of one; write `*` alone between two slashes, or list the "
            "segments that are meant (%2A is the character itself)"
        )
    if "{" in segment or "}" in segment:
        raise PatternError(
            f"`{whole}`: a name in braces is a whole segment, not a part of one; write it alone between two slashes"
        )
    return segment


def _decoded(parts: list[str | Wild], whole: str) -> list[str | Wild]:
    """Literal segments through the same function as request paths; wildcards stand in as a harmless letter."""
    if not parts:
        return parts
    try:
        segments = path_segments("/" + "/".join(part if isinstance(part, str) else "x" for part in parts))
    except ValueError as error:
        raise PatternError(
            f"`{whole}` can never match: {error}, and every request for such a path is refused; leave it out"
        ) from None
    return [part if isinstance(part, Wild) else segment for part, segment in zip(parts, segments, strict=True)]
