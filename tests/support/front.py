"""An Envoy with mTLS in front of an echoing upstream, asking whatever authorization service a test names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
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
def front(envoy_binary: Path, authorization: Authorization, folder: Path) -> Iterator[Front]:
    """Certificates are asked for, never required, and whatever is shown gets to the authorization service."""
    authority = Authority.root("front")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": authority.pem}.items():
        (folder / name).write_bytes(content)
    with EchoUpstream() as upstream:
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(
                certificate=folder / "s.pem",
                key=folder / "s.key",
                client_cas=folder / "ca.pem",
                require_client_certificate=False,
                admit_untrusted=True,
            ),
            authorization=authorization,
            upstream=TcpAddress("127.0.0.1", upstream.port),
            admin=UnixAddress(str(folder / "admin.sock")),
        )
        with EnvoyProcess.start(envoy_binary, settings, folder) as envoy:
            address = envoy.address
            yield Front((address.host, address.port), folder / "ca.pem", upstream, envoy)
