"""Who opens a stream, as a request that the policy judges: POST to the method's path, like every gRPC call.

`to: {grpc: [envoy.service.discovery.v3.AggregatedDiscoveryService/*]}` is the route that allows it. The host is the
`:authority` that Envoy sends, by default the name of its cluster. The SNI is not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import Presented, PresentedCertificate
from runtime.hops import IpAddress

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_CONTENT_TYPE = "content-type"
#: What is not gRPC, gRPC itself refuses; it does not show the header.
_GRPC = ("application/grpc",)


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a stream before its first message. `metadata`: lower-case name -> values as received."""

    method: str
    presented: Presented
    host: str
    metadata: Mapping[str, tuple[str, ...]]
    source_ip: IpAddress | None

    def request(self, policy: PolicySet | None, time: float) -> Request:
        """The request to judge, as of `time` (epoch seconds)."""
        conditions = frozenset() if policy is None else policy.condition_headers - {_CONTENT_TYPE}
        headers = {name: self.metadata[name] for name in conditions if name in self.metadata}
        return Request(
            self.presented,
            "POST",
            f"/{SERVICE}/{self.method}",
            self.host,
            headers | {_CONTENT_TYPE: _GRPC},
            None,
            self.source_ip,
            UNREPORTED,
            time,
        )

    @property
    def caller(self) -> str:
        """Who the certificate says it is: its URIs, else its subject. The same after a renewal."""
        if not isinstance(self.presented, PresentedCertificate):
            return ""
        leaf = self.presented.leaf
        return " ".join(leaf.identity.uri or ()) or leaf.subject.text
