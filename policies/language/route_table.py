"""Routes as tables: what of a request a policy can name."""

from typing import Any

from policies.language.document import RouteDocument
from policies.language.names import Name
from policies.language.problem import Position
from policies.language.shape import Entries, OneOrMany, Text, pair
from policies.language.table import Field, Fields

HOST = Text("a host name or pattern", "invoices.prod.svc")
HOSTS = OneOrMany(HOST)
_ROUTE_WRITTEN_OUT = "a route is written out as a mapping, such as {paths: [/v1/invoices]}"
ROUTE_NAME = Name("the name of a route", "read-invoices", otherwise=_ROUTE_WRITTEN_OUT)


_HEADER_VALUES = OneOrMany(Text("a header value", "canary"))
_ROUTE_EXAMPLE = "{hosts: [invoices.prod.svc], methods: [GET], paths: [/v1/invoices]}"
_ROUTE_FIELDS = (
    Field("hosts", HOSTS, "Hosts. A leading *. or {name}. is one label, **. one or more. No port. Omitted: any host."),
    Field(
        "methods",
        OneOrMany(Text("an HTTP method", "GET")),
        "Methods, in capitals; GET does not include HEAD. Omitted: any method.",
    ),
    Field(
        "paths",
        OneOrMany(Text("a path pattern", '"/v1/invoices/{id}"')),
        "Paths without query. * and {name} are one segment, /** at the end is zero or more. /a and /a/ differ, /a/**"
        " matches both. Omitted: any path.",
    ),
    Field(
        "grpc",
        OneOrMany(Text("a gRPC method", "acme.Ledger/Post")),
        "gRPC methods, package.Service/Method or package.Service/*.",
    ),
    Field(
        "headers",
        Entries("a mapping of header names to values", Text("a header name", "x-release"), _HEADER_VALUES, pair),
        "Request headers: each occurs once and its whole value is one of those listed.",
    ),
)
_ROUTE_HINTS = {
    "port": "ports are not judged; leave it out",
    "ports": "ports are not judged; leave it out",
    "query": "the query of a URL is not judged; leave it out",
    "url": "write `hosts` and `paths`",
    "prefix": 'write `paths: ["/prefix/**"]`',
    "service": 'write `grpc: ["package.Service/*"]`',
    "from": "`from` belongs to a rule",
    "sni": "`sni` belongs to `when` in a rule",
}


def _inline_route(at: Position, **values: Any) -> RouteDocument:
    return RouteDocument(name=None, at=at, **values)


ROUTE: Fields[RouteDocument] = Fields("route", "a route", _ROUTE_EXAMPLE, _ROUTE_FIELDS, _inline_route, _ROUTE_HINTS)
NAMED_ROUTE: Fields[RouteDocument] = Fields(
    "named_route", "a route", _ROUTE_EXAMPLE, _ROUTE_FIELDS, RouteDocument, _ROUTE_HINTS
)
