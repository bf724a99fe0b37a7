"""What a request is aimed at: method, canonical host, decoded path; law 6 refuses the rest, in the order of reasons."""

import re

from policies.engine.errors import HostInvalid, RequestMalformed
from policies.engine.host import canonical_host
from policies.engine.limits import MAX_METHOD_CHARS, MAX_PATH_CHARS
from policies.engine.path import Segments, path_segments

_COMMON_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: RFC 9110 §5.6.2 token, without small letters: to a rule `delete` is no DELETE, but to many frameworks it is.
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+")
#: RFC 9112 §3.2.2 absolute-form, for the two schemes of HTTP.
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)


def canonical_target(method: str, target: str, host: str) -> tuple[str, Segments]:
    """The canonical host and the decoded path segments of a request.

    Raises RequestMalformed, HostInvalid or PathAmbiguous; the first of these, in this order, that applies.
    """
    if method not in _COMMON_METHODS:
        _check_method(method)
    authority = None
    if target[:1] != "/":
        authority, target = _absolute_form(target)
    path = target.partition("?")[0]
    if not path.startswith("/"):
        raise RequestMalformed("the path is empty")
    if len(path) > MAX_PATH_CHARS:
        raise RequestMalformed(f"the path is longer than {MAX_PATH_CHARS} characters")
    name = canonical_host(host)
    if authority is not None and canonical_host(authority) != name:
        raise HostInvalid(f"the target names the host {authority[:200]!r}, the Host header {host[:200]!r}")
    return name, path_segments(path)


def _check_method(method: str) -> None:
    if method == "CONNECT":
        raise RequestMalformed("CONNECT opens a tunnel and has no path to judge")
    if len(method) > MAX_METHOD_CHARS or not _METHOD.fullmatch(method):
        raise RequestMalformed(f"{method[:MAX_METHOD_CHARS]!r} is not a method in capitals")


def _absolute_form(target: str) -> tuple[str, str]:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        shown = target[:100]
        raise RequestMalformed(
            f"the target {shown!r} is neither origin-form (/path) nor absolute-form (https://host/path)"
        )
    return match[1], match[2]
