"""The tour: calls in the order in which they make a point, each with what peergate must say to it."""

from dataclasses import dataclass

from policies.reason import Effect, Reason

INVOICES = "invoices.prod.svc"
FILES = "acme.files.example"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `caller`: a name of `DemoPki.callers`, or None for no certificate. `target` goes out byte for byte.

    `asked`: whether an Envoy with the policy inside must ask about it, as it cannot say it.
    """

    point: str
    caller: str | None
    host: str
    target: str
    reason: Reason
    rule: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    asked: bool = False

    @property
    def effect(self) -> Effect:
        """What the reason means for the request."""
        return Effect.ALLOW if self.reason is Reason.ALLOWED_BY_RULE else Effect.DENY


def _allowed(rule: str) -> tuple[Reason, str]:
    return Reason.ALLOWED_BY_RULE, rule


_FORGED_XFCC = ("X-Forwarded-Client-Cert", "Hash=00;URI=spiffe://acme.internal/ns/prod/sa/billing")
_FORGED_IDENTITY = ("X-Peergate-Identity", "root")

TOUR: tuple[Call, ...] = (
    Call("a workload, by its SPIFFE ID", "billing", INVOICES, "/v1/invoices/42", *_allowed("billing-reads-invoices")),
    Call("a probe without certificate", None, INVOICES, "/healthz", *_allowed("probes")),
    Call("an auditor, by SPIFFE ID and OU", "auditor", INVOICES, "/v1/reports/q1",
         *_allowed("auditor-reads-reports"), asked=True),
    Call("a tenant, its own files", "tenant acme", FILES, "/tenants/acme/a.pdf", *_allowed("own-tenant-only"),
         asked=True),
    Call("forged identity headers are dropped", "billing", INVOICES, "/v1/invoices/42",
         *_allowed("billing-reads-invoices"), headers=(_FORGED_IDENTITY, _FORGED_XFCC)),
    Call("no certificate", None, INVOICES, "/v1/invoices/42", Reason.NO_CERTIFICATE),
    Call("no certificate, but a forged header", None, INVOICES, "/v1/invoices/42", Reason.NO_CERTIFICATE,
         headers=(_FORGED_XFCC,)),
    Call("nothing allows it", "billing", INVOICES, "/v1/invoices/42", Reason.NO_MATCHING_RULE, method="DELETE"),
    Call("another tenant's files", "tenant acme", FILES, "/tenants/globex/a.pdf", Reason.NO_MATCHING_RULE,
         asked=True),
    Call("a deny beats every allow", "billing", INVOICES, "/v1/invoices/archive",
         Reason.DENIED_BY_RULE, "archive-is-closed"),
    Call("expired", "expired", INVOICES, "/v1/invoices/42", Reason.CERTIFICATE_EXPIRED),
    Call("revoked", "revoked", INVOICES, "/v1/invoices/42", Reason.CERTIFICATE_REVOKED, asked=True),
    Call("the same name by a foreign CA", "foreign CA", INVOICES, "/v1/invoices/42", Reason.CERTIFICATE_UNTRUSTED),
    Call("a second name beside it", "two names", INVOICES, "/v1/invoices/42", Reason.SVID_INVALID, asked=True),
    Call("a path with two readings", "auditor", INVOICES, "/v1/reports/%2e%2e/admin", Reason.PATH_AMBIGUOUS,
         asked=True),
    Call("another one", "auditor", INVOICES, "/v1/reports/..;/admin", Reason.PATH_AMBIGUOUS, asked=True),
)  # fmt: skip

#: What is added to the policy while everything runs, and the call before and after it.
QUARANTINE = "  - {id: quarantine-billing, deny: billing, to: any}\n"
QUARANTINED = Call(
    "after the reload", "billing", INVOICES, "/v1/invoices/42", Reason.DENIED_BY_RULE, "quarantine-billing"
)
#: What is written instead of the policy then: the last good set stays in force.
BROKEN = "version: 1\nrules: [{id: oops, alow: billing, to: nowhere}]\n"
STILL_QUARANTINED = Call(
    "with a broken file", "billing", INVOICES, "/v1/invoices/42", Reason.DENIED_BY_RULE, "quarantine-billing"
)
