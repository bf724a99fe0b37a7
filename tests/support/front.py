"""An Envoy with mTLS in front of an echoing upstream, asking whatever authorization service a test names."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from policies.peer.trust import TrustStore
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls


@dataclass(frozen=True)
class Front:
    """Where to call, whom to trust there, and what stands behind."""

    address: tuple[str, int]
    server_ca: Path
    upstream: EchoUpstream
    envoy: EnvoyProcess


@contextmanager
def front(
    envoy_binary: Path,
    authorization: Authorization,
    folder: Path,
    native: NativeFilters | None = None,
    client_cas: TrustStore | None = None,
) -> Iterator[Front]:
    """Certificates are asked for, never required, and whatever is shown gets to the authorization service.

    With `client_cas`, only what they vouch for passes the handshake.
    """
    authority = Authority.root("front")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": authority.pem}.items():
        (folder / name).write_bytes(content)
    vouching = [ssl.DER_cert_to_PEM_cert(der) for der in client_cas.client_ca_ders()] if client_cas is not None else []
    (folder / "clients.pem").write_text("".join(vouching) or authority.pem.decode())
    with EchoUpstream() as upstream:
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(
                certificate=folder / "s.pem",
                key=folder / "s.key",
                client_cas=folder / "clients.pem",
                require_client_certificate=False,
                admit_untrusted=client_cas is None,
            ),
            authorization=authorization,
            upstream=TcpAddress("127.0.0.1", upstream.port),
            admin=UnixAddress(str(folder / "admin.sock")),
            access_log=folder / "access.log",
            native=native,
        )
        with EnvoyProcess.start(envoy_binary, settings, folder) as envoy:
            address = envoy.address
            yield Front((address.host, address.port), folder / "ca.pem", upstream, envoy)
