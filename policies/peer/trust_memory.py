"""What is remembered of CRLs and bundles that were in force: plain values, which travel to another process.

Law: what a CA or a trust domain has said is not taken back by something older, nor by a worker that begins anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.peer.crl import CrlAge, CrlKey
from policies.peer.spiffe import TrustDomain


@dataclass(frozen=True, slots=True)
class TrustMemory:
    """`crls`: the age of the newest CRL of each CA; `bundles`: the highest number of a bundle of each trust domain."""

    crls: Mapping[CrlKey, CrlAge] = field(default_factory=dict)
    bundles: Mapping[TrustDomain, int] = field(default_factory=dict)

    def joined(self, other: "TrustMemory") -> "TrustMemory":
        """The newest of both."""
        crls, bundles = dict(self.crls), dict(self.bundles)
        for key, age in other.crls.items():
            if key not in crls or crls[key].older_than(age):
                crls[key] = age
        for domain, number in other.bundles.items():
            bundles[domain] = max(number, bundles.get(domain, number))
        return TrustMemory(crls, bundles)


NOTHING_REMEMBERED = TrustMemory()
