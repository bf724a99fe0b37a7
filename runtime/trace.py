"""The trace that a request belongs to, by its `traceparent` header: for the decision record, not for a condition."""

import re

TRACEPARENT = "traceparent"
#: https://www.w3.org/TR/trace-context/#traceparent-header-field-values; later versions may go on after a dash.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[ -~]{0,256})?"
)


def trace_id_from_traceparent(values: tuple[str, ...]) -> str | None:
    """The trace id, 32 hex digits; None if none was sent, several were, or what was sent is none."""
    if len(values) != 1:
        return None
    match = _TRACEPARENT.fullmatch(values[0])
    return match[1] if match else None
