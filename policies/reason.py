"""Why a request was allowed or denied: one closed list of words, the same in log, metric, header, console and docs."""

from enum import StrEnum


class Effect(StrEnum):
    """What a decision does to the request."""

    ALLOW = "allow"
    DENY = "deny"


class Reason(StrEnum):
    """The first failure in the order of this list is the reason of a decision."""

    POLICY_UNAVAILABLE = "policy_unavailable"
    CERTIFICATE_MALFORMED = "certificate_malformed"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    SVID_INVALID = "svid_invalid"
    CERTIFICATE_REVOKED = "certificate_revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    REQUEST_MALFORMED = "request_malformed"
    HOST_INVALID = "host_invalid"
    PATH_AMBIGUOUS = "path_ambiguous"
    SNI_MISMATCH = "sni_mismatch"
    DENIED_BY_RULE = "denied_by_rule"
    ALLOWED_BY_RULE = "allowed_by_rule"
    NO_CERTIFICATE = "no_certificate"
    NO_MATCHING_RULE = "no_matching_rule"
    INTERNAL_ERROR = "internal_error"


#: How far a certificate got, for choosing the reason when it passes no trust entry: a later word got further.
CERTIFICATE_ORDER: tuple[Reason, ...] = (
    Reason.CERTIFICATE_MALFORMED,
    Reason.CERTIFICATE_NOT_YET_VALID,
    Reason.CERTIFICATE_EXPIRED,
    Reason.CERTIFICATE_UNTRUSTED,
    Reason.SVID_INVALID,
    Reason.CERTIFICATE_REVOKED,
    Reason.REVOCATION_UNKNOWN,
)
