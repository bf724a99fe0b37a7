"""The two places of enforcement that the demo shows: an Envoy that asks peergate, and the gateway."""

import socket
from contextlib import ExitStack
from pathlib import Path

from peergate.demo.scene import Scene
from peergate.demo.service import ExtauthProcess, GatewayProcess, ServiceProcess
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from runtime.errors import ConfigurationError

#: Seconds that Envoy waits for peergate: more than in production, as laptops are busy.
_AUTHORIZATION_SECONDS = 2.0


class EnvoyScene(Scene):
    """`peergate extauth serve` behind the Envoy that is the binary `envoy`."""

    setting = "peergate as the ext_authz service of an Envoy with mTLS"
    refuses_by_tls = False

    def __init__(self, folder: Path, envoy: Path, port: int) -> None:
        super().__init__(folder, port)
        self._envoy_binary = envoy

    def _start(self, starting: ExitStack, upstream_port: int) -> ServiceProcess:
        service = starting.enter_context(ExtauthProcess.start(self.policy.parent, self.folder))
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", self._port),
            tls=DownstreamTls(
                certificate=self.pki.server.chain,
                key=self.pki.server.key,
                client_cas=self.pki.client_cas,
                # A rule allows probes without a certificate; and the tour wants peergate's reason, not a TLS alert.
                require_client_certificate=False,
                admit_untrusted=True,
            ),
            authorization=Authorization(service.listen, timeout=_AUTHORIZATION_SECONDS),
            upstream=TcpAddress("127.0.0.1", upstream_port),
            admin=UnixAddress(str(self.folder / "admin.sock")),
        )
        envoy = starting.enter_context(EnvoyProcess.start(self._envoy_binary, settings, self.folder))
        self.address = (envoy.address.host, envoy.address.port)
        return service


class GatewayScene(Scene):
    """`peergate gateway serve`."""

    setting = "the gateway with mTLS"
    refuses_by_tls = True

    def _start(self, starting: ExitStack, upstream_port: int) -> ServiceProcess:
        host, port = self.address = _free(self.address)
        flags = [
            *("--listen", f"{host}:{port}"),
            *("--cert", str(self.pki.server.chain), "--key", str(self.pki.server.key)),
            *("--upstream", f"http://127.0.0.1:{upstream_port}"),
        ]
        return starting.enter_context(GatewayProcess.serve(self.policy.parent, self.folder, *flags))


def _free(address: tuple[str, int]) -> tuple[str, int]:
    """The address with a port that nobody has. Raises ConfigurationError."""
    try:
        with socket.create_server(address) as probe:
            host, port = probe.getsockname()
            return str(host), int(port)
    except OSError as error:
        raise ConfigurationError(f"{address[0]}:{address[1]}: {error.strerror}") from error
