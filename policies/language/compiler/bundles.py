"""SPIFFE bundles of trust entries: from a file, or as a Workload API told them last."""

from policies.language.codes import Code
from policies.language.compiler.findings import Findings
from policies.language.document import TrustDocument, WorkloadApiDocument
from policies.language.node import Scalar
from policies.language.surroundings import Surroundings
from policies.language.wording import quoted
from policies.peer.bundle_source import BundleSource, WorkloadApi
from policies.peer.errors import SpiffeBundleError
from policies.peer.spiffe import TrustDomain
from policies.peer.spiffe_bundle import SpiffeBundle, authorities_from_der, bundle_from_bytes
from policies.peer.trust import TrustEntry, TrustStore


def bundle_of(
    document: TrustDocument, domain: TrustDomain | None, surroundings: Surroundings, findings: Findings
) -> SpiffeBundle | None:
    """The bundle that an entry names; None if it names none, or if there is a problem, which is noted."""
    named = document.spiffe_bundle
    if named is None:
        return None
    if document.spiffe_trust_domain is None:
        at = named if isinstance(named, Scalar) else named.at
        message = "a SPIFFE bundle speaks for one trust domain, and does not say for which"
        findings.add(at, Code.KEY_MISSING, message, "add `spiffe_trust_domain` to the entry")
    if isinstance(named, WorkloadApiDocument):
        return _told_bundle(named.workload_api, domain, surroundings, findings)
    return _file_bundle(named, surroundings, findings)


def check_bundle_not_older(
    document: TrustDocument, entry: TrustEntry, previous: TrustStore, findings: Findings
) -> None:
    """Note a bundle file that would take back what the trust domain has said since. What is told now is the newest."""
    newer = previous.newer_bundle(entry)
    if newer is not None and isinstance(document.spiffe_bundle, Scalar):
        number = "no `spiffe_sequence`" if entry.bundle_sequence is None else f"number {entry.bundle_sequence}"
        message = f"the bundle has {number}, the one loaded before had number {newer}"
        hint = "put the newest bundle there; if its publisher numbers them no more, or anew, restart"
        findings.add(document.spiffe_bundle, Code.BUNDLE_OLDER, message, hint)


def _file_bundle(path: Scalar, surroundings: Surroundings, findings: Findings) -> SpiffeBundle | None:
    try:
        return bundle_from_bytes(surroundings.read(path.text))
    except OSError as error:
        message = f"cannot read {quoted(path.text)}: {error.strerror or error}"
        findings.add(path, Code.FILE_UNREADABLE, message, "paths are relative to the policy's folder")
    except SpiffeBundleError as error:
        findings.add(path, Code.CERTIFICATE_INVALID, f"{quoted(path.text)}: {error}")
    return None


def _told_bundle(
    socket: Scalar, domain: TrustDomain | None, surroundings: Surroundings, findings: Findings
) -> SpiffeBundle | None:
    try:
        api = WorkloadApi.parse(socket.text)
    except ValueError as error:
        findings.add(socket, Code.VALUE_INVALID, str(error), "for example `unix:///run/spire/agent.sock`")
        return None
    if domain is None:
        return None
    content = surroundings.bundle(BundleSource(api, domain))
    if content is None:
        message = f"{api} has not told the bundle of {quoted(domain.name)} yet, so nobody knows whom to trust"
        hint = "see /readyz for why; the policy is loaded as soon as the bundle comes"
        findings.add(socket, Code.BUNDLE_MISSING, message, hint)
        return None
    try:
        return SpiffeBundle(authorities_from_der(content), None)
    except SpiffeBundleError as error:
        findings.add(socket, Code.CERTIFICATE_INVALID, f"{api}: {error}")
        return None
