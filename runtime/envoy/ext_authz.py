"""The ext_authz filter: how Envoy asks peergate. Every way in which asking can fail denies (law 2).

The gRPC form shows peergate everything. The HTTP form shows host, method and path, and of the headers only what is
listed here: its service must be told the same list (`--seen-headers`), so that what it cannot see is unknown to it.
"""

from dataclasses import dataclass
from enum import StrEnum

from runtime.address import Address
from runtime.envoy import limits
from runtime.envoy.proto_json import Json, JsonValue, seconds, typed
from runtime.identity_headers import XFCC

AUTHORIZATION_CLUSTER = "peergate"
#: Headers that HTTP ext_authz carries for peergate itself: the certificate, the address that Envoy appended, what tells
#: gRPC from other requests, and the trace that a decision belongs to.
HTTP_FACTS = (XFCC, "x-forwarded-for", "content-type", "traceparent")


class Protocol(StrEnum):
    """The two forms of ext_authz."""

    GRPC = "grpc"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where peergate answers, and how it is asked.

    `seen_headers` (lower case) are the request headers that HTTP ext_authz shows beside `HTTP_FACTS`; `set_headers`
    those that its answer may set for the upstream beside `x-peergate-*`. The gRPC form needs neither.
    """

    address: Address
    protocol: Protocol = Protocol.GRPC
    timeout: float = limits.AUTHORIZATION_SECONDS
    seen_headers: tuple[str, ...] = ()
    set_headers: tuple[str, ...] = ()

    @property
    def cluster(self) -> str:
        """The name of the cluster that answers."""
        return AUTHORIZATION_CLUSTER

    @property
    def speaks_http2(self) -> bool:
        """Whether the cluster speaks HTTP/2, which gRPC needs."""
        return self.protocol is Protocol.GRPC


def json_from_authorization(authorization: Authorization) -> Json:
    """`envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter` of ext_authz."""
    service = _grpc_service if authorization.protocol is Protocol.GRPC else _http_service
    return typed(
        "envoy.filters.http.ext_authz",
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        stat_prefix="peergate",
        # A dead, slow or raising service denies.
        failure_mode_allow=False,
        status_on_error={"code": "Forbidden"},
        # An answer that would break a header is an error, not a header.
        validate_mutations=True,
        # The route that was judged is the route that is taken.
        clear_route_cache=False,
        # Bytes as received: a header that is not UTF-8, or was sent twice, must look like that to a condition.
        encode_raw_headers=True,
        **service(authorization),
    )


def _grpc_service(authorization: Authorization) -> Json:
    return {
        "include_peer_certificate": True,
        "include_tls_session": True,
        "grpc_service": {
            "envoy_grpc": {"cluster_name": authorization.cluster},
            "timeout": seconds(authorization.timeout),
        },
    }


def _http_service(authorization: Authorization) -> Json:
    return {
        "allowed_headers": _any_of_names(HTTP_FACTS + authorization.seen_headers),
        "http_service": {
            "server_uri": {
                "uri": "http://peergate",
                "cluster": authorization.cluster,
                "timeout": seconds(authorization.timeout),
            },
            "authorization_response": {
                "allowed_upstream_headers": _any_of_names(authorization.set_headers, prefix="x-peergate-"),
                "allowed_client_headers": _any_of_names(("content-type",), prefix="x-peergate-"),
            },
        },
    }


def _any_of_names(names: tuple[str, ...], prefix: str | None = None) -> Json:
    patterns: list[JsonValue] = [{"exact": name, "ignore_case": True} for name in names]
    if prefix is not None:
        patterns.append({"prefix": prefix, "ignore_case": True})
    return {"patterns": patterns}
