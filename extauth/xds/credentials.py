"""The TLS of the discovery service: its own certificate, and the CAs of the Envoys, which are the policy's anchors.

Both are asked for at each handshake, so that a renewed certificate and a new policy count from the next connection on.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from ssl import DER_cert_to_PEM_cert

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from policies.engine.policy_set import PolicySet
from runtime.current_policy import CurrentPolicy
from runtime.listener_tls import LiveTls, TlsMaterial


def live_credentials(tls: LiveTls, live: CurrentPolicy) -> grpc.ServerCredentials:
    """Credentials that follow the files of `tls` and the policy in force."""
    handed_out: list[tuple[TlsMaterial, bytes]] = [(tls.material, _client_cas(live.current))]

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        tls.look()
        now = tls.material, _client_cas(live.current)
        if now == handed_out[0]:
            return None
        handed_out[0] = now
        return _configuration(*now)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(*handed_out[0]),
        renewed,  # type: ignore[arg-type]  # the stubs miss that None means unchanged
        require_client_authentication=True,
    )


def _configuration(material: TlsMaterial, client_cas: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], client_cas)


def _client_cas(policy: PolicySet | None) -> bytes:
    ders = () if policy is None else policy.trust.client_ca_ders()
    return _pem(ders) or _nobodys_ca()


def _pem(ders: Iterable[bytes]) -> bytes:
    return "".join(map(DER_cert_to_PEM_cert, ders)).encode("ascii")


@cache
def _nobodys_ca() -> bytes:
    """A CA that can vouch for nobody, as its key is gone: gRPC takes no empty list, and takes none as no check."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peergate: no policy, no trust")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
