"""Callers of whom a proxy shows no certificate, only names: what XFCC without `Cert` tells, and how that is judged.

Only by the operator's word (`--proxy-verified`, law 8), for one trust entry. Laws: what was not told is unknown, never
absent. A name is told whole or the caller is refused: in text form Envoy does not quote URI and DNS values, so a SAN
with `;` or `,` writes keys and elements of its own. Here every order of keys but Envoy's, a second element, a second
URI and a quoted name are refused, and over gRPC a first name that is not the principal, which Envoy tells apart. What
is left is a DNS SAN that writes another DNS name; only JSON excludes it.
"""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.peer.certificate import IdentityFacts
from policies.peer.errors import DistinguishedNameError, PeerError, XfccError
from policies.peer.limits import MAX_SANS, MIN_RSA_BITS
from policies.peer.name import DistinguishedName
from policies.peer.presented import MalformedCertificate, NamedCaller, named_caller
from policies.peer.revocation import Revocation
from policies.peer.standing import Failure, Standing
from policies.peer.svid import name_problem
from policies.peer.xfcc import XfccElement, xfcc_elements
from policies.reason import Reason

if TYPE_CHECKING:
    from policies.peer.trust import TrustEntry

#: The order in which Envoy writes the keys of an element, of those that tell names.
_ORDER = {"by": 0, "hash": 1, "subject": 2, "uri": 3, "dns": 4}
#: As in a certificate (`general_name.visible_text`).
_VISIBLE = re.compile(r"[\x20-\x7e]+")


def named_from_xfcc(text: str, entry: str, principal: str | None) -> NamedCaller | MalformedCertificate:
    """The TLS peer of the calling Envoy by the names in the last element, which the proxy has verified for `entry`.

    `principal`: of the same peer, as Envoy tells it apart from XFCC; None where it does not.
    """
    try:
        elements = xfcc_elements(text)
        element = elements[-1]
        _require_whole(element, len(elements))
        facts = _facts(element)
        require_principal(facts, principal)
    except PeerError as error:
        return MalformedCertificate(f"XFCC: {error}")
    return named_caller(facts, entry)


def require_principal(facts: IdentityFacts, principal: str | None) -> None:
    """Raise XfccError unless `principal` is the caller's: its first URI, else its first DNS name, else its subject."""
    if principal is None:
        return
    if facts.uri or facts.dns:
        agrees = principal == (facts.uri or facts.dns or ("",))[0]
    else:
        agrees = facts.subject is not None and _name(principal) == facts.subject
    if not agrees:
        hint = "let the proxy show `uri`, `dns` and `subject`, of its own TLS peer (SANITIZE_SET)"
        raise XfccError(f"the principal {principal[:200]!r} is not the first name that is told; {hint}")


def tells_of(text: str, caller: NamedCaller) -> bool:
    """Whether `text` is one element that tells of `caller` what is known of it, and nothing else (law 7)."""
    try:
        return len(xfcc_elements(text)) == 1 and named_from_xfcc(text, caller.verified_for, None) == caller
    except PeerError:
        return False


def standing_of_names(caller: NamedCaller, entries: "Sequence[TrustEntry]") -> Standing:
    """The standing at any time of a caller of whom names are all that is known: nobody here knows its dates."""
    entry = next((one for one in entries if one.name == caller.verified_for), None)
    failure = _failure(caller, entry)
    if failure is not None:
        return Standing(frozenset(), caller.facts, *failure, -math.inf, math.inf)
    passed = frozenset({caller.verified_for})
    # A SPIFFE ID fails every entry but one, and all that has none fails the entries with a trust domain.
    spiffe = entry is not None and entry.spiffe_trust_domain is not None
    others = () if spiffe else (one.name for one in entries if one.spiffe_trust_domain is None)
    return Standing(passed, caller.facts, None, "", -math.inf, math.inf, maybe=frozenset(others) - passed)


def _require_whole(element: XfccElement, count: int) -> None:
    if not _ORDER.keys() >= set(element.keys):
        raise XfccError("Chain without Cert, or an empty one: set `cert: true` in set_current_client_cert_details")
    if element.is_json:
        return
    if count > 1:
        raise XfccError(
            f"{count} elements without Cert: let the proxy replace the header (SANITIZE_SET), or write JSON"
        )
    places = [_ORDER[key] for key in element.keys]
    if places != sorted(places) or element.keys.count("uri") > 1:
        raise XfccError("keys stand as Envoy does not write them, or URI stands twice; let Envoy write JSON")
    if element.quoted != {"subject"} & set(element.keys):
        raise XfccError("Envoy puts quotes around Subject and around no other name; let Envoy write JSON")


def _facts(element: XfccElement) -> IdentityFacts:
    """What is told, and None for all else. Raises XfccError."""
    for value in (*element.uri, *element.dns):
        if not _VISIBLE.fullmatch(value):
            raise XfccError("a name holds a control or non-ASCII character")
    if len(element.uri) + len(element.dns) > MAX_SANS:
        raise XfccError(f"more than {MAX_SANS} names")
    return IdentityFacts(
        # Envoy writes `URI=` for a certificate without one, and nothing for one without DNS names.
        uri=element.uri if "uri" in element.keys else None,
        dns=element.dns or None,
        email=None,
        ip=None,
        subject=_name(element.subject) if "subject" in element.keys else None,
        cert_sha256=bytes.fromhex(element.hash) if element.hash else None,
    )


def _name(text: str) -> DistinguishedName | None:
    """None, which is unknown, for a name that cannot be read."""
    try:
        return DistinguishedName.parse(text)
    except DistinguishedNameError:
        return None


def _failure(caller: NamedCaller, entry: "TrustEntry | None") -> Failure | None:
    """The first reason, in order, for which names are not enough."""
    untrusted, facts = Reason.CERTIFICATE_UNTRUSTED, caller.facts
    if entry is None:
        return untrusted, f"the policy has no trust entry {caller.verified_for!r}, for which the proxy has verified"
    wildcard = next((name for name in (*(facts.uri or ()), *(facts.dns or ())) if "*" in name), None)
    if wildcard is not None:
        return untrusted, f"its SAN {wildcard!r} is a wildcard and names nobody"
    unseen = "cannot be judged by names: let the proxy show the certificate"
    if entry.max_lifetime is not None:
        return untrusted, f"{entry.name}: `max_lifetime` {unseen}"
    if entry.min_rsa_bits > MIN_RSA_BITS:
        return untrusted, f"{entry.name}: `min_rsa_bits` {unseen}"
    if facts.uri is None:
        return Reason.SVID_INVALID, f"{entry.name}: the proxy does not tell whether there is a URI SAN (`uri: true`)"
    if misnamed := name_problem(facts.uri, entry.spiffe_trust_domain):
        return Reason.SVID_INVALID, f"{entry.name}: {misnamed}"
    if entry.revocation is Revocation.REQUIRE:
        return Reason.REVOCATION_UNKNOWN, f"{entry.name}: revocation is required, and names do not tell of it"
    return None
