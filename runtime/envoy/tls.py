"""TLS towards the clients: Envoy asks for a certificate, peergate judges it.

The handshake proves that the client holds the key. Whether the certificate may call is peergate's answer (law 8:
presented is not verified), so a client CA here is a first sieve, never the decision.
"""

from dataclasses import dataclass
from pathlib import Path

from runtime.envoy import limits
from runtime.envoy.proto_json import FROM_DISCOVERY, Json, typed


@dataclass(frozen=True, slots=True)
class DiscoveredTrust:
    """The client CAs come from the discovery service (`runtime.envoy.discovery`), as the secret `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class InlineTrust:
    """The client CAs stand in the configuration itself, PEM."""

    pem: str


@dataclass(frozen=True, slots=True)
class DownstreamTls:
    """The server certificate, and what is asked of a client.

    - `client_cas`: PEM of the CAs that may vouch for clients: the anchors of the policy's trust entries, in a file or
      inline; or where Envoy asks for them.
    - `require_client_certificate`: False only where a rule allows `unauthenticated`.
    - `admit_untrusted`: let a certificate that the CAs do not vouch for through the handshake, so that peergate refuses
      it with a reason that the caller and the log can read. Nothing is allowed by it.
    """

    certificate: Path
    key: Path
    client_cas: Path | DiscoveredTrust | InlineTrust
    require_client_certificate: bool = True
    admit_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class DiscoveredTls:
    """As `DownstreamTls`, with a certificate that may change while Envoy runs: where it is found (`ConfigSource`).

    The CAs are part of the listener, so that both change at once: what notes there which CAs let a connection in never
    notes others than those that did.
    """

    certificate: Json
    client_cas: InlineTrust
    require_client_certificate: bool


#: The name of the secret.
SERVER_SECRET = "server"  # noqa: S105 - a name


def json_from_discovered_tls(tls: DiscoveredTls) -> Json:
    """`envoy.config.core.v3.TransportSocket` of one filter chain."""
    return _transport_socket(
        {
            "tls_certificate_sds_secret_configs": [{"name": SERVER_SECRET, "sds_config": tls.certificate}],
            "validation_context": _validation_context(tls.client_cas),
        },
        require=tls.require_client_certificate,
    )


def json_from_downstream_tls(tls: DownstreamTls) -> Json:
    """`envoy.config.core.v3.TransportSocket` of one filter chain."""
    return _transport_socket(
        {
            "tls_certificates": [
                {"certificate_chain": {"filename": str(tls.certificate)}, "private_key": {"filename": str(tls.key)}}
            ],
            **_validation(tls),
        },
        require=tls.require_client_certificate,
    )


def _transport_socket(secrets: Json, *, require: bool) -> Json:
    return typed(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate=require,
        common_tls_context={
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            **secrets,
        },
    )


def _validation(tls: DownstreamTls) -> Json:
    if isinstance(tls.client_cas, DiscoveredTrust):
        secret: Json = {"name": tls.client_cas.name, "sds_config": FROM_DISCOVERY}
        return {"validation_context_sds_secret_config": secret}
    validation = _validation_context(tls.client_cas)
    if tls.admit_untrusted:
        validation["trust_chain_verification"] = "ACCEPT_UNTRUSTED"
    return {"validation_context": validation}


def _validation_context(cas: Path | InlineTrust) -> Json:
    return {
        "trusted_ca": {"inline_string": cas.pem} if isinstance(cas, InlineTrust) else {"filename": str(cas)},
        "max_verify_depth": limits.CHAIN_DEPTH,
    }
