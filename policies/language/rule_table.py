"""Rules as tables: who may do what, from where and when."""

from typing import Any

from policies.language.document import RuleDocument, WhenDocument
from policies.language.modes import MODES
from policies.language.names import Name
from policies.language.node import Scalar
from policies.language.problem import Position
from policies.language.route_table import HOST, ROUTE, ROUTE_NAME
from policies.language.selector_table import IDENTITY_NAME, SELECTOR
from policies.language.shape import Entries, OneOrMany, Text, TextOr, pair
from policies.language.table import Field, Fields

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_ZONE = Text("a zone name, network or address", "pci")
_WHEN = Fields(
    "when",
    "`when`",
    '{days: [mon, fri], hours: ["08:00-18:00"]}',
    (
        Field("sni", OneOrMany(HOST), "Server names of the TLS handshake, patterns as in hosts."),
        Field("after", Text("a time by RFC 3339", "2026-12-01T00:00:00Z"), "From this moment on, with a UTC offset."),
        Field("before", Text("a time by RFC 3339", "2026-12-31T00:00:00Z"), "Until just before this moment."),
        Field("days", OneOrMany(Text("a day such as mon", "mon", DAYS)), "Days of the week, in `timezone`."),
        Field(
            "hours",
            OneOrMany(Text("hours such as 22:00-06:00", '"08:00-18:00"')),
            "Hours of the day in `timezone`, the end excluded; over midnight they belong to the day they start on.",
        ),
        Field("timezone", Text("an IANA time zone", "Europe/Berlin"), "The time zone of days and hours. Omitted: UTC."),
    ),
    WhenDocument,
    {
        "tz": "write `timezone`",
        "not_before": "write `after`",
        "not_after": "write `before`",
        "time": "write `hours`, `after` or `before`",
    },
)


def _rule(at: Position, **values: Any) -> RuleDocument:
    """A rule without a readable id is called by its place, so that whatever else is wrong with it is still found."""
    place = Scalar(f"{at.file}:{at.line}:{at.column}", at.file, at.line, at.column)
    return RuleDocument(**{"at": at, "id": place, "allow": None, "deny": None, "to": (), **values})


_CALLERS = OneOrMany(TextOr(IDENTITY_NAME, SELECTOR))
_TEXT_BY_TEXT = "a mapping of texts to texts"
RULE: Fields[RuleDocument] = Fields(
    "rule",
    "a rule",
    "{id: billing-reads-invoices, allow: billing, to: read-invoices}",
    (
        Field(
            "id",
            Name("the id of a rule", "billing-reads-invoices", defines=True),
            "The name of the rule in logs, metrics and explanations; unique in the policy.",
            required=True,
        ),
        Field(
            "allow",
            _CALLERS,
            "Who may: an identity, `authenticated`, `unauthenticated`, a selector, or a list of these.",
        ),
        Field(
            "deny",
            _CALLERS,
            "Who may not, whatever other rules allow: as in allow, and `anyone`.",
        ),
        Field(
            "to",
            OneOrMany(TextOr(ROUTE_NAME, ROUTE)),
            "What: a route, a list of routes, a route written out, or `any`.",
            required=True,
        ),
        Field("from", OneOrMany(_ZONE), "Zones or networks, one of which the connection must come from."),
        Field("not_from", OneOrMany(_ZONE), "Zones or networks, none of which the connection may come from."),
        Field("when", _WHEN, "Times and server names; all of them must hold."),
        Field(
            "mode",
            Text("one of enforce and shadow", "shadow", MODES),
            "enforce (the default), or shadow: decided and logged, but not enforced.",
        ),
        Field(
            "set_headers",
            Entries(
                "a mapping of header names to values",
                Text("a header name", "x-tenant"),
                Text("a header value", '"{tenant}"'),
                pair,
            ),
            "Headers that the upstream is sent; values may hold {name} of what the rule binds.",
        ),
        Field(
            "labels",
            Entries(_TEXT_BY_TEXT, Text("a label", "ticket"), Text("the value of a label", "SEC-212"), pair),
            "Your own words on the rule, copied into every decision record.",
        ),
        Field("description", Text("a text", "Billing reads invoices."), "What the rule is for."),
    ),
    _rule,
    {
        "name": "write `id`",
        "effect": "write `allow: …` or `deny: …`",
        "action": "write `allow: …` or `deny: …`",
        "identity": "write `allow: …` or `deny: …`",
        "identities": "write `allow: …` or `deny: …`",
        "who": "write `allow: …` or `deny: …`",
        "route": "write `to`",
        "routes": "write `to`",
        "zone": "write `from` or `not_from`",
        "if": "write `when`",
        "conditions": "write `when`",
        "sni": "write `when: {sni: …}`",
        "headers": "headers of the request belong to a route; headers for the upstream are `set_headers`",
        "shadow": "write `mode: shadow`",
    },
    one_of=("allow", "deny"),
)
