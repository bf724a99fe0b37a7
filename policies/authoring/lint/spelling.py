"""Routes whose words are taken letter by letter, where their author may have meant a pattern or another word.

A deny rule that can never match looks like one that protects.
"""

import re
from collections.abc import Iterable, Iterator

from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places
from policies.language.document import RouteDocument
from policies.language.node import Scalar
from policies.language.suggestion import Vocabulary, did_you_mean

#: https://www.iana.org/assignments/http-methods, less `*`, and PRI, which no request has.
_METHODS = Vocabulary(
    (
        *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "ACL"),
        *("BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY"),
        *("MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND", "PROPPATCH"),
        *("REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF"),
        "VERSION-CONTROL",
    )
)
#: In paths these stand for themselves here, and for something else in regular expressions and other routers.
_PATTERN = re.compile(r"[\[\]()|+^$<>]|/:")


def spelling_findings(places: Places) -> Iterable[Finding]:
    """Methods that no registry knows, and paths that look like patterns of another kind."""
    for route in _routes(places):
        for method in route.methods:
            if method.text not in _METHODS:
                message = f"`{method.text}` is no registered HTTP method"
                hint = did_you_mean(method.text, _METHODS) or "leave it if your services really have it"
                yield Finding(method.at, LintCode.METHOD_UNUSUAL, message, hint)
        for path in route.paths:
            if _PATTERN.search(path.text):
                message = f"`{path.text}` is taken letter by letter: a path is no regular expression"
                hint = "write `*` or `{name}` for one segment, `/**` at the end for any number"
                yield Finding(path.at, LintCode.PATH_LITERAL, message, hint)


def _routes(places: Places) -> Iterator[RouteDocument]:
    for document in places.documents:
        yield from document.routes
        for rule in document.rules:
            yield from (item for item in rule.to if not isinstance(item, Scalar))
