"""X.509-SVID: what a leaf must be to carry a SPIFFE ID, and what a CA must be that carries one, by the standard.

https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md: §2, §3.1, §4.3 and §5.2 for leaves, §2, §3.2 and §4.3
for CAs. What it asks of issuers alone (criticality of key usage and SAN, serverAuth beside clientAuth) is not held
against a caller. A CA of another trust domain may be in a path: §3.2 says that a CA MAY issue CAs of other trust
domains, and of one that issues leaves only that it SHOULD be of theirs. What binds a trust domain to its CAs are the
anchors of its entry.
"""

from collections.abc import Sequence

from policies.peer.certificate import Certificate
from policies.peer.chain import Path
from policies.peer.errors import SpiffeIdError
from policies.peer.spiffe import SpiffeId, TrustDomain, claims_spiffe


def svid_problem(leaf: Certificate, trust_domain: TrustDomain | None) -> str:
    """Why `leaf` fails the SVID rules of an entry with this trust domain, in words; empty if it passes.

    `trust_domain` None: an entry without one, under which no leaf may claim a SPIFFE ID at all.
    """
    misnamed = name_problem(leaf.extensions.san.uri, trust_domain)
    if misnamed or trust_domain is None:
        return misnamed
    if leaf.is_ca:
        return "an X.509-SVID of a caller is not a CA"
    usage = leaf.key_usage
    if usage is None or "digitalSignature" not in usage:
        return "an X.509-SVID has the key usage digitalSignature"
    if usage & {"keyCertSign", "cRLSign"}:
        return "an X.509-SVID of a caller has neither keyCertSign nor cRLSign"
    return ""


def name_problem(uris: Sequence[str], trust_domain: TrustDomain | None) -> str:
    """Why a leaf with these URI SANs fails the rules about names, in words; empty if it passes. See `svid_problem`."""
    if trust_domain is None:
        claimed = next((uri for uri in uris if claims_spiffe(uri)), None)
        return "" if claimed is None else f"{claimed!r} counts only under the trust entry of its trust domain"
    if len(uris) != 1:
        return f"an X.509-SVID has exactly one URI SAN, this certificate has {len(uris)}"
    try:
        spiffe_id = SpiffeId.parse(uris[0])
    except SpiffeIdError as error:
        return str(error)
    if spiffe_id.trust_domain != trust_domain:
        return f"{spiffe_id} is not of the trust domain {trust_domain}"
    return "" if spiffe_id.path else f"{spiffe_id} names a trust domain, a leaf needs a path"


def svid_paths(paths: tuple[Path, ...], trust_domain: TrustDomain | None) -> tuple[tuple[Path, ...], str]:
    """The paths whose CAs may sign SVIDs; if none may, all of them and the problem of the first, in words.

    `trust_domain` None: an entry without one, of whose CAs nothing is asked.
    """
    if trust_domain is None or not paths:
        return paths, ""
    problems = [next(filter(None, map(signing_problem, path.certificates[1:])), "") for path in paths]
    sound = tuple(path for path, problem in zip(paths, problems, strict=True) if not problem)
    return (sound, "") if sound else (paths, problems[0])


def signing_problem(authority: Certificate) -> str:
    """Why a CA fails the rules for signing certificates, in words; empty if it passes, or claims no SPIFFE ID."""
    uris = authority.extensions.san.uri
    if not any(map(claims_spiffe, uris)):
        return ""
    called = f"the CA {authority.subject.text!r}"
    if len(uris) != 1:
        return f"{called} has {len(uris)} URI SANs, one that is an SVID has exactly one"
    try:
        spiffe_id = SpiffeId.parse(uris[0])
    except SpiffeIdError as error:
        return f"{called}: {error}"
    if spiffe_id.path:
        return f"{called} has the SPIFFE ID {spiffe_id}, but a path is for callers"
    if authority.key_usage is None:
        return f"{called} is an SVID without a key usage"
    return ""
