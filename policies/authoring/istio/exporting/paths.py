"""Paths of peergate as Istio's `paths`, exact for paths that are written plainly (`extauth.istio.plain_requests`).

Istio compares a path as one text: as a whole, by its start (`/a/*`), or by a template with `{*}` for one segment and
`{**}` for the rest, an empty one included. Sources: Istio's reference of AuthorizationPolicy (Operation), Envoy's
`UriTemplateMatchConfig`.
"""

import re

from policies.authoring.istio.exporting.codes import ExportCode
from policies.authoring.istio.exporting.errors import UnsayableError
from policies.engine.pattern import SegmentPattern
from policies.language.wording import quoted

#: A segment that can be written in one way only, and that every version of Envoy takes in a template.
_SEGMENT = re.compile(r"[A-Za-z0-9_~!$&'()+,:@.-]+")
_ONE, _MANY = "{*}", "{**}"


def paths_from_pattern(pattern: SegmentPattern | None) -> tuple[str, ...]:
    """The Istio paths that match the same plain paths; none for every path. Raises UnsayableError."""
    if pattern is None or (pattern.rest and not pattern.segments):
        return ()
    path = "".join(f"/{_segment(part) if isinstance(part, str) else _ONE}" for part in pattern.segments)
    if not pattern.rest:
        return (path,)
    return (path, f"{path}/{_MANY if _ONE in path else '*'}")


def _segment(text: str) -> str:
    """A literal segment, or the empty one after a slash at the end."""
    if text and not _SEGMENT.fullmatch(text):
        message = f"Istio cannot be sure of the segment {quoted(text)} of a path, which can be written in several ways"
        hint = "a segment has letters, digits and -._~!$&'()+,:@"
        raise UnsayableError(ExportCode.ROUTE, message, hint)
    return text
