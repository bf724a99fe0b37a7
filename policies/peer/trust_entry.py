"""One `trust` entry of a policy as the compiler reads it: who may vouch for a caller, and by which rules of its own."""

from dataclasses import dataclass
from enum import StrEnum

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl
from policies.peer.crl_source import CrlUrls
from policies.peer.limits import MIN_RSA_BITS
from policies.peer.ocsp_responders import OcspResponders
from policies.peer.revocation import Revocation
from policies.peer.signature import rsa_shortness
from policies.peer.spiffe import TrustDomain


class AnchorSource(StrEnum):
    """What a trust entry has its anchors from: the key of the policy that says so."""

    ANCHORS = "anchors"
    BUNDLE = "spiffe_bundle"
    WORKLOAD_API = "workload_api"


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One `trust` entry of a policy: who may vouch for a caller.

    `max_lifetime`: seconds from notBefore to notAfter. `clock_skew`: seconds by which every date is widened at both
    ends. `min_rsa_bits`: of the leaf and of every CA above it. `bundle_sequence`: of the SPIFFE bundle that the anchors
    come from, if it has one. `unfetched`: the URLs of CRLs of which none was fetched. `anchors_from`: whence they are.
    `crl_urls`: which CRLs its leaves may name. `ocsp`: whom it asks about a leaf.
    """

    name: str
    anchors: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...] = ()
    spiffe_trust_domain: TrustDomain | None = None
    crls: tuple[Crl, ...] = ()
    revocation: Revocation = Revocation.IF_AVAILABLE
    max_lifetime: float | None = None
    clock_skew: float = 0.0
    min_rsa_bits: int = MIN_RSA_BITS
    bundle_sequence: int | None = None
    unfetched: tuple[str, ...] = ()
    anchors_from: AnchorSource = AnchorSource.ANCHORS
    ocsp: OcspResponders | None = None
    crl_urls: tuple[CrlUrls, ...] = ()

    @property
    def authorities(self) -> tuple[Certificate, ...]:
        """Anchors, then intermediates."""
        return (*self.anchors, *self.intermediates)

    def problem_of(self, leaf: Certificate) -> str:
        """Why this entry cannot trust `leaf`, whoever issued it; empty if it may. SVID rules come later."""
        lifetime = leaf.not_after - leaf.not_before
        if self.max_lifetime is not None and lifetime > self.max_lifetime:
            return f"it is valid for {lifetime:.0f} s in all, at most {self.max_lifetime:.0f} s are allowed"
        if shortness := rsa_shortness(leaf.public_key, self.min_rsa_bits):
            return shortness
        if leaf.key_usage is None or self.spiffe_trust_domain is not None:
            return ""
        if not leaf.key_usage & {"digitalSignature", "keyAgreement"}:
            return "its key usage lacks digitalSignature"
        return "its key usage has keyCertSign, which only a CA has" if "keyCertSign" in leaf.key_usage else ""
