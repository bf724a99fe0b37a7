"""What the linter can find: one closed list of stable words, each with how much it matters."""

from dataclasses import dataclass
from enum import StrEnum

from policies.language.problem import Position


class Severity(StrEnum):
    """WARNING: most likely a mistake. NOTE: worth a look in a review."""

    WARNING = "warning"
    NOTE = "note"


class LintCode(StrEnum):
    """A stable word for one kind of finding; never renamed, and never means something else later."""

    severity: Severity
    meaning: str

    def __new__(cls, word: str, severity: Severity, meaning: str) -> "LintCode":
        """Pair the word with its severity and meaning; the member is the word."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.severity = severity
        code.meaning = meaning
        return code

    RULE_UNREACHABLE = "rule_unreachable", Severity.WARNING, "No request can ever match the rule."
    RULE_DENIED = "rule_denied", Severity.WARNING, "A deny rule hits every request that this allow rule matches."
    RULE_REDUNDANT = "rule_redundant", Severity.WARNING, "Another rule of the same effect says all of it already."
    RULE_DUPLICATE = "rule_duplicate", Severity.WARNING, "Another rule matches exactly the same requests."
    LINT_INCOMPLETE = "lint_incomplete", Severity.NOTE, "Too many rules overlap to compare every pair."
    IDENTITY_UNUSED = "identity_unused", Severity.WARNING, "No rule and no other identity mentions the identity."
    ROUTE_UNUSED = "route_unused", Severity.WARNING, "No rule mentions the route."
    ZONE_UNUSED = "zone_unused", Severity.NOTE, "No rule mentions the zone."
    TRUST_UNUSED = "trust_unused", Severity.WARNING, "No identity needs the trust entry."
    TO_ANY = "to_any", Severity.WARNING, "An allow rule reaches every route of every host."
    AUTHENTICATED_WRITES = (
        "authenticated_writes",
        Severity.WARNING,
        "Every caller with a certificate may call a method that changes something.",
    )
    UNAUTHENTICATED_WRITES = (
        "unauthenticated_writes",
        Severity.WARNING,
        "Callers without a certificate may call a method that changes something.",
    )
    UNAUTHENTICATED_WIDE = (
        "unauthenticated_wide",
        Severity.WARNING,
        "Callers without a certificate may call every path of every host.",
    )
    METHOD_UNUSUAL = "method_unusual", Severity.WARNING, "No registered HTTP method has the name."
    PATH_LITERAL = "path_literal", Severity.WARNING, "A path looks like a pattern, and is taken letter by letter."
    PATH_WIDE = "path_wide", Severity.NOTE, "An allow rule reaches every path of a host that has narrower routes."
    BINDING_ONE_SIDED = (
        "binding_one_sided",
        Severity.NOTE,
        "A name that caller or route binds is compared with nothing on the other side.",
    )
    WINDOW_PAST = "window_past", Severity.WARNING, "The time window of the rule is over."
    ANCHOR_EXPIRING = "anchor_expiring", Severity.WARNING, "A CA of a trust entry has expired or soon will."
    CRL_EXPIRING = "crl_expiring", Severity.WARNING, "A CRL is past its nextUpdate or soon will be."
    NATIVE_POLICY_ASKED = "native_policy_asked", Severity.WARNING, "Envoy asks peergate about every request."
    NATIVE_CALLERS_ASKED = (
        "native_callers_asked",
        Severity.WARNING,
        "Envoy cannot tell whether a caller is this identity, and asks about all of its requests.",
    )
    NATIVE_ROUTES_ASKED = (
        "native_routes_asked",
        Severity.WARNING,
        "Because of this rule Envoy asks about requests that other rules let it decide by itself.",
    )
    NATIVE_RULE_ASKED = "native_rule_asked", Severity.NOTE, "Envoy asks about the requests of this rule."
    SUPPRESSION_UNUSED = "suppression_unused", Severity.WARNING, "A suppression that suppresses nothing."
    SUPPRESSION_WITHOUT_REASON = "suppression_without_reason", Severity.WARNING, "A suppression that gives no reason."


#: What is looked for only where it is asked for: what makes an Envoy ask.
NATIVE_CODES = frozenset(
    {
        LintCode.NATIVE_POLICY_ASKED,
        LintCode.NATIVE_CALLERS_ASKED,
        LintCode.NATIVE_ROUTES_ASKED,
        LintCode.NATIVE_RULE_ASKED,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One finding: where, what, and what to do about it."""

    at: Position
    code: LintCode
    message: str
    hint: str = ""
