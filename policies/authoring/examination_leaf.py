"""What a certificate can fail at by itself, whichever CA issued it.

Law kept here: the checks stand in the order in which `TrustStore.standing` meets them, so that the first failure has
the reason of its verdict.
"""

from collections.abc import Collection

from policies.authoring.examination_check import Check, failed, not_reached, passed, untrusted
from policies.authoring.examination_wording import span, utc, validity
from policies.language.wording import listed, quoted
from policies.peer.certificate import Certificate
from policies.peer.signature import key_weakness
from policies.reason import Reason

READABLE = "readable"
DATES = "dates"
EXTENSIONS = "extensions"
KEY = "key"
NOT_A_CA = "not a CA"
CLIENT_AUTH = "clientAuth"
NO_WILDCARD = "no wildcard"
SIGNATURE = "signature"
ENTRIES = "trust entries"

#: Every check on the certificate itself, in order.
LEAF_CHECKS = (READABLE, DATES, EXTENSIONS, KEY, NOT_A_CA, CLIENT_AUTH, NO_WILDCARD, SIGNATURE)


def checks_from_leaf(leaf: Certificate, time: float, skew: float = 0.0) -> tuple[Check, ...]:
    """Every check of `LEAF_CHECKS` on `leaf` at `time` (epoch seconds); `skew`: the widest that an entry allows it."""
    return (
        passed(READABLE, f"one certificate of {len(leaf.der)} bytes, within the limits"),
        dates_check(DATES, leaf, time, skew),
        _extensions_check(leaf),
        _key_check(leaf),
        untrusted(
            NOT_A_CA,
            "a CA certificate does not identify a caller" if leaf.is_ca else "",
            "basicConstraints does not say CA",
            "show a certificate that this CA issued; in a file with a chain, the leaf comes first",
        ),
        _client_auth_check(leaf),
        _wildcard_check(leaf),
        untrusted(
            SIGNATURE,
            leaf.signature.weakness,
            "made with an algorithm that counts",
            "have it signed with SHA-256 or better, or Ed25519",
        ),
    )


def checks_of_unreadable(problem: str) -> tuple[Check, ...]:
    """The checks on what is no readable certificate; `problem` says why, in words."""
    fix = "look at it with `openssl x509 -noout -text -in FILE`; have it issued anew by RFC 5280"
    unreadable = failed(READABLE, Reason.CERTIFICATE_MALFORMED, problem, fix)
    return (unreadable, *(not_reached(name, "there is no certificate to look at") for name in LEAF_CHECKS[1:]))


def entries_check(entries: Collection[object]) -> tuple[Check, ...]:
    """Whether the policy has anybody to vouch for certificates; nothing to check if it does."""
    if entries:
        return ()
    fix = "add an entry under `trust`, with the root of this certificate's CA in `anchors`"
    return (failed(ENTRIES, Reason.CERTIFICATE_UNTRUSTED, "the policy has no trust entry", fix),)


def dates_check(name: str, leaf: Certificate, time: float, skew: float) -> Check:
    """Whether `leaf` is valid at `time`, epoch seconds, with dates widened by `skew` seconds; both ends are valid."""
    finding = validity(leaf.not_before, leaf.not_after, time)
    if skew:
        finding += f"; clocks may differ by {span(skew)}"
    if time < leaf.not_before - skew:
        fix = f"wait until {utc(leaf.not_before)}, or compare the clocks of the issuing CA and of this machine"
        return failed(name, Reason.CERTIFICATE_NOT_YET_VALID, finding, fix)
    if not time <= leaf.not_after + skew:
        fix = f"renew it; it was issued for {span(leaf.not_after - leaf.not_before)}"
        return failed(name, Reason.CERTIFICATE_EXPIRED, finding, fix)
    return passed(name, finding)


def _extensions_check(leaf: Certificate) -> Check:
    """Whatever `problems` tells but the key, which has its own check."""
    weakness = key_weakness(leaf.public_key)
    problems = [problem for problem in leaf.problems if problem != weakness]
    fix = "have it issued without that extension, or with it not critical"
    return untrusted(EXTENSIONS, "; ".join(problems), "no critical extension is unknown", fix)


def _key_check(leaf: Certificate) -> Check:
    fix = "have it issued for an EC P-256, an Ed25519, or an RSA key of 2048 to 8192 bits"
    return untrusted(KEY, key_weakness(leaf.public_key), leaf.key_kind, fix)


def _client_auth_check(leaf: Certificate) -> Check:
    purposes = leaf.extended_key_usage
    if purposes is None:
        return passed(CLIENT_AUTH, "no extended key usage, which means any use")
    found = f"the extended key usage is {listed(sorted(purposes), 'and')}"
    missing = "" if "clientAuth" in purposes else f"{found}, without `clientAuth`"
    return untrusted(CLIENT_AUTH, missing, found, "have it issued with the extended key usage clientAuth")


def _wildcard_check(leaf: Certificate) -> Check:
    wildcards = leaf.wildcard_sans
    problem = f"the SAN {quoted(wildcards[0])} is a wildcard and names nobody" if wildcards else ""
    return untrusted(NO_WILDCARD, problem, "no SAN is a wildcard", "have it issued for the one name of its caller")
