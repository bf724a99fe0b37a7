"""The settings of `peergate extauth serve`, and what they mean together: all mistakes end the start with exit 78."""

from dataclasses import dataclass
from typing import Annotated

from runtime.address import Address, TcpAddress, UnixAddress, address_from_text
from runtime.configuration import ServeConfiguration, entry_name_from_text, header_names_from_text, text_from_text
from runtime.errors import ConfigurationError
from runtime.hops import NO_HOPS, TrustedHops
from runtime.listener_tls import TlsFiles, material_from_files
from runtime.settings import Setting


def trusted_hop_from_text(text: str) -> str:
    """A value of `--trusted-hop` as written, if it is one."""
    TrustedHops.parse((text,))
    return text


def balancer_from_text(text: str) -> str:
    """A value of `--balancer` as written, if it is one."""
    TrustedHops.of_balancers((text,))
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtauthConfiguration(ServeConfiguration):
    """What is set by flag, variable or file: paths as written, what may be repeated as its flag takes it."""

    listen: Annotated[Address, Setting(address_from_text)]
    http: Annotated[Address | None, Setting(address_from_text)] = None
    tls_cert: Annotated[str | None, Setting(text_from_text)] = None
    tls_key: Annotated[str | None, Setting(text_from_text)] = None
    tls_client_ca: Annotated[str | None, Setting(text_from_text)] = None
    proxy_verified: Annotated[str | None, Setting(entry_name_from_text)] = None
    trusted_hop: Annotated[tuple[str, ...], Setting(trusted_hop_from_text, several=True)] = ()
    balancer: Annotated[tuple[str, ...], Setting(balancer_from_text, several=True)] = ()
    seen_headers: Annotated[tuple[str, ...], Setting(header_names_from_text, several=True)] = ()


@dataclass(frozen=True, slots=True)
class ExtauthSettings:
    """What the listeners of one process are told. `seen_headers`: lower case, shown over HTTP beside Envoy's own.

    `proxy_verified`: the trust entry for which whoever asks has verified the callers.
    """

    listen: Address
    http: Address | None = None
    tls: TlsFiles | None = None
    hops: TrustedHops = NO_HOPS
    balancers: TrustedHops = NO_HOPS
    seen_headers: frozenset[str] = frozenset()
    proxy_verified: str | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens."""
        return (self.listen,) if self.http is None else (self.listen, self.http)


def settings_from_configuration(configuration: ExtauthConfiguration) -> ExtauthSettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    hops = TrustedHops.parse(configuration.trusted_hop)
    if configuration.http is not None:
        if not hops:
            raise ConfigurationError(
                "--http needs --trusted-hop: over HTTP the certificate is what the caller says it is, so say whom to "
                "believe, such as --trusted-hop 127.0.0.1/32, or unix"
            )
        _check_apart(configuration.listen, configuration.http)
    elif configuration.seen_headers:
        raise ConfigurationError("--seen-headers is about --http; over gRPC Envoy shows every header")
    names = frozenset(name for names in configuration.seen_headers for name in names.split(","))
    balancers = TrustedHops.of_balancers(configuration.balancer)
    settings = ExtauthSettings(
        configuration.listen,
        configuration.http,
        _tls_files(configuration),
        hops,
        balancers,
        names,
        configuration.proxy_verified,
    )
    _check_proxy_verified(settings)
    return settings


def _check_proxy_verified(settings: ExtauthSettings) -> None:
    """Law 8: who may speak of a caller so that it is believed is known, on every listener."""
    if settings.proxy_verified is None or (settings.tls is not None and settings.tls.client_ca is not None):
        return
    for address in settings.addresses:
        if not isinstance(address, UnixAddress):
            raise ConfigurationError(
                f"--proxy-verified {settings.proxy_verified}: on {address} anybody could say who calls; "
                "let the listener verify its clients (--tls-client-ca), or listen on unix:/path"
            )


def _check_apart(listen: Address, http: Address) -> None:
    """Workers share ports, so the system would not notice that two listeners have the same."""
    same_port = isinstance(listen, TcpAddress) and isinstance(http, TcpAddress) and listen.port == http.port != 0
    if same_port or listen == http:
        raise ConfigurationError(f"--listen {listen} and --http {http}: give them different ports")


def _tls_files(configuration: ExtauthConfiguration) -> TlsFiles | None:
    certificate, key, client_ca = configuration.tls_cert, configuration.tls_key, configuration.tls_client_ca
    if certificate is None and key is None:
        if client_ca is not None:
            raise ConfigurationError("--tls-client-ca needs --tls-cert and --tls-key")
        return None
    if certificate is None or key is None:
        raise ConfigurationError("--tls-cert and --tls-key go together")
    files = TlsFiles(certificate, key, client_ca)
    material_from_files(files)
    return files
