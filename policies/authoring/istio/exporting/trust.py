"""What a policy says as a whole, beside its rules: whether the callers whom a mesh lets in are just those it means.

A mesh has one set of CAs and one trust domain, and verifies a certificate when a connection is made. So there must be
one trust entry, that asks for no more than this.
"""

from collections.abc import Iterable, Iterator

from policies.authoring.istio.exporting.codes import ExportCode
from policies.authoring.lint.places import Places
from policies.engine.policy_set import PolicySet
from policies.language.document import TrustDocument
from policies.language.problem import Position, Problem
from policies.peer.limits import MIN_RSA_BITS
from policies.peer.revocation import Revocation
from policies.peer.trust import TrustEntry

_ASK = "ask peergate: --form ext-authz"


def trust_problems(policy: PolicySet, places: Places) -> Iterator[Problem]:
    """What of the trust entries, and of `strict_sni`, no AuthorizationPolicy can say."""
    documents = [entry for file in places.documents for entry in file.trust]
    for setting in (file.strict_sni for file in places.documents if policy.strict_sni and file.strict_sni is not None):
        message = "Istio does not compare the server name with the host, as `strict_sni` does"
        yield Problem(setting.at, ExportCode.CONDITION, message, f"take it out, or {_ASK}")
    entries = {entry.name: entry for entry in policy.trust.entries}
    if not documents:
        at = Position(places.documents[0].file, 0, 0)
        yield Problem(at, ExportCode.TRUST, "the policy does not name the CA of the mesh", "name it under `trust`")
    for document in documents[1:]:
        message = "a mesh has one trust domain, and takes every other one that it lets in for the same"
        yield Problem(document.name.at, ExportCode.TRUST, message, f"keep the trust entry of the mesh, or {_ASK}")
    for document in documents[:1]:
        yield from _entry_problems(entries[document.name.text], document)


def _entry_problems(entry: TrustEntry, document: TrustDocument) -> Iterator[Problem]:
    if entry.spiffe_trust_domain is None:
        message = "every caller in a mesh has a SPIFFE ID, which this trust entry refuses"
        yield Problem(document.name.at, ExportCode.TRUST, message, "write `spiffe_trust_domain` with that of the mesh")
    for at, what in _beyond_a_handshake(entry, document):
        message = f"Istio's proxies do not look at {what}"
        yield Problem(at, ExportCode.TRUST, message, f"take it out, or {_ASK}")


def _beyond_a_handshake(entry: TrustEntry, document: TrustDocument) -> Iterable[tuple[Position, str]]:
    heeds = entry.revocation is not Revocation.OFF
    if heeds and document.crls:
        yield document.crls[0].at, "the `crls` of a policy"
    if heeds and document.ocsp is not None:
        yield document.ocsp.at, "`ocsp`"
    if document.max_lifetime is not None:
        yield document.max_lifetime.at, "how long a certificate lives (`max_lifetime`)"
    if document.clock_skew is not None:
        yield document.clock_skew.at, "`clock_skew`"
    if document.min_rsa_bits is not None and entry.min_rsa_bits != MIN_RSA_BITS:
        yield document.min_rsa_bits.at, "the length of keys (`min_rsa_bits`)"
