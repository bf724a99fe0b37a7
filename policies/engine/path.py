"""Law 6: a path is judged decoded, or refused.

An accepted path has exactly one decoding, so whatever reads the same bytes later (a proxy, a framework, the upstream)
cannot see another path than the one that was judged. `path_segments` is the one function for the paths of requests and
of policies.

The path `/a/b/` has the segments `("a", "b", "")`: a trailing slash is an empty last segment, the only empty one.
"""

import re
import unicodedata

from policies.engine.errors import PathAmbiguous

Segments = tuple[str, ...]

#: Paths without escapes and without any character that needs a second look; RFC 3986 §3.3 pchar less `%` and `;`.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,=:@.-]+)+/?|/")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
#: Characters that split, end or escape a path for some reader.
_REFUSED_RAW = frozenset("\\;#? ")
_REFUSED_ESCAPED = frozenset("\\;#/%?")
_STRUCTURAL = frozenset("/\\.%;?#")
_FIRST_NON_ASCII = 0x80


def path_segments(path: str) -> Segments:
    """The decoded segments of `path`, which starts with `/` and carries no query.

    Raises PathAmbiguous for everything that law 6 refuses.
    """
    if "/." not in path and _PLAIN.fullmatch(path):
        return tuple(path[1:].split("/"))
    if not path.startswith("/"):
        raise PathAmbiguous(f"the path {path!r} does not start with /")
    for character in path:
        if character in _REFUSED_RAW or not "\x20" < character < "\x7f":
            raise PathAmbiguous(f"the path has {_named(character)}, which programs read differently")
    raw = path[1:].split("/")
    if "" in raw[:-1]:
        raise PathAmbiguous("the path has an empty segment (//)")
    return tuple(_decoded(segment) for segment in raw)


def _decoded(segment: str) -> str:
    if "%" in segment:
        segment = _unescaped(segment)
    if segment in {".", ".."}:
        raise PathAmbiguous(f"the path has a segment {segment!r}")
    return segment


def _unescaped(segment: str) -> str:
    out = bytearray()
    position = 0
    for escape in _ESCAPE.finditer(segment):
        if escape[1] is None:
            raise PathAmbiguous("the path has a % without two hex digits")
        out += segment[position : escape.start()].encode("ascii")
        value = int(escape[1], 16)
        if chr(value) in _REFUSED_ESCAPED or value < 0x20 or value == 0x7F:
            raise PathAmbiguous(f"the path has the escape {escape[0]}, which programs read differently")
        out.append(value)
        position = escape.end()
    out += segment[position:].encode("ascii")
    try:
        text = out.decode("utf-8")
    except UnicodeDecodeError:
        raise PathAmbiguous("the path has escapes that are not shortest-form UTF-8") from None
    for character in text:
        if ord(character) >= _FIRST_NON_ASCII and _is_disguised(character):
            raise PathAmbiguous(f"the path has {_named(character)}, which normalises to a structural character")
    return text


def _is_disguised(character: str) -> bool:
    """C1 controls, and characters whose compatibility form contains a structural character."""
    if unicodedata.category(character) == "Cc":
        return True
    return not _STRUCTURAL.isdisjoint(unicodedata.normalize("NFKC", character))


def _named(character: str) -> str:
    if character == " ":
        return "a raw space"
    if "\x20" < character < "\x7f":
        return repr(character)
    return f"U+{ord(character):04X}"
