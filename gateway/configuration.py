"""The settings of `peergate gateway serve`, and what they mean together: all mistakes end the start with exit 78."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from gateway.certificate_header import CertificateHeader
from gateway.hops import FrontHop, FrontHops
from gateway.listener import ListenerSettings
from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.proxy.forwarded_headers import CertificateHeaders
from gateway.proxy.upstream_tls import UpstreamTlsFiles
from gateway.server import limits
from gateway.server.bounds import Bounds
from runtime.address import Address, UnixAddress, address_from_text
from runtime.configuration import (
    ServeConfiguration,
    entry_name_from_text,
    flag_from_text,
    text_from_text,
    word_reader,
)
from runtime.errors import ConfigurationError
from runtime.hops import NO_HOPS, TrustedHops
from runtime.listener_tls import TlsFiles, material_from_files
from runtime.settings import Setting

_MOST_SECONDS = 30 * 86_400


class TlsVersion(StrEnum):
    """The least version of TLS that the listener speaks."""

    V1_2 = "1.2"
    V1_3 = "1.3"


_VERSIONS = {TlsVersion.V1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.V1_3: ssl.TLSVersion.TLSv1_3}


def trusted_hop_from_text(text: str) -> str:
    """A value of `--trusted-hop` as written, if it is one."""
    FrontHop.parse(text)
    return text


def balancer_from_text(text: str) -> str:
    """A value of `--balancer` as written, if it is one."""
    TrustedHops.of_balancers((text,))
    return text


def proxy_protocol_from_text(text: str) -> str:
    """A value of `--proxy-protocol` as written, if it is one."""
    TrustedHops.of_proxy_protocol((text,))
    return text


def upstream_from_text(text: str) -> str:
    """A value of `--upstream` as written, if it is one."""
    Destination.parse(text)
    return text


def number_reader(most: int) -> Callable[[str], int]:
    """A reader for a whole number from 1 to `most`."""

    def number_from_text(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not digits or not 1 <= int(text) <= most:
            raise ConfigurationError(f"{text!r} is no number from 1 to {most}")
        return int(text)

    return number_from_text


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfiguration(ServeConfiguration):
    """What is set by flag, variable or file: paths as written, what may be repeated as its flag takes it.

    The bounds are those of one worker.
    """

    listen: Annotated[Address, Setting(address_from_text)]
    upstream: Annotated[tuple[str, ...], Setting(upstream_from_text, several=True)]
    cert: Annotated[str | None, Setting(text_from_text)] = None
    key: Annotated[str | None, Setting(text_from_text)] = None
    certificate_header: Annotated[CertificateHeader | None, Setting(word_reader(CertificateHeader))] = None
    trusted_hop: Annotated[tuple[str, ...], Setting(trusted_hop_from_text, several=True)] = ()
    proxy_verified: Annotated[str | None, Setting(entry_name_from_text)] = None
    balancer: Annotated[tuple[str, ...], Setting(balancer_from_text, several=True)] = ()
    upstream_ca: Annotated[str | None, Setting(text_from_text)] = None
    upstream_cert: Annotated[str | None, Setting(text_from_text)] = None
    upstream_key: Annotated[str | None, Setting(text_from_text)] = None
    upstream_client_cert_chain: Annotated[bool, Setting(flag_from_text)] = False
    upstream_xfcc: Annotated[bool, Setting(flag_from_text)] = False
    tls_min: Annotated[TlsVersion, Setting(word_reader(TlsVersion))] = TlsVersion.V1_2
    proxy_protocol: Annotated[tuple[str, ...], Setting(proxy_protocol_from_text, several=True)] = ()
    max_connections: Annotated[int, Setting(number_reader(1_000_000))] = limits.MAX_CONNECTIONS
    max_connections_per_address: Annotated[int, Setting(number_reader(1_000_000))] = limits.MAX_ADDRESS_CONNECTIONS
    max_body_bytes: Annotated[int, Setting(number_reader(2**50))] = limits.MAX_BODY_BYTES
    idle_seconds: Annotated[int, Setting(number_reader(_MOST_SECONDS))] = limits.IDLE_SECONDS
    max_connection_seconds: Annotated[int, Setting(number_reader(_MOST_SECONDS))] = limits.MAX_AGE_SECONDS


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What one process is told. `header`: set if proxies in front say who the client is.

    `appenders`: the proxies that append an address to X-Forwarded-For. `proxy_verified`: the trust entry for which the
    proxies have verified their clients.
    """

    listener: ListenerSettings
    upstreams: tuple[Destination, ...]
    upstream_tls: UpstreamTlsFiles = field(default_factory=UpstreamTlsFiles)
    upstream_told: CertificateHeaders = field(default_factory=CertificateHeaders)
    header: CertificateHeader | None = None
    appenders: TrustedHops = NO_HOPS
    proxy_verified: str | None = None


def settings_from_configuration(configuration: GatewayConfiguration) -> GatewaySettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    hops = _hops(configuration)
    files = tls_files(configuration.cert, configuration.key, hops)
    if hops is None and files is None:
        raise ConfigurationError("--cert and --key are missing: without them nobody can show a certificate")
    upstreams = tuple(map(Destination.parse, configuration.upstream))
    upstream_files = UpstreamTlsFiles(
        configuration.upstream_ca, configuration.upstream_cert, configuration.upstream_key
    )
    ReverseProxy(upstreams, upstream_files)
    bounds = Bounds(
        configuration.max_connections,
        configuration.max_connections_per_address,
        configuration.idle_seconds,
        configuration.max_connection_seconds,
        configuration.max_body_bytes,
    )
    listener = ListenerSettings(
        configuration.listen,
        files,
        _VERSIONS[configuration.tls_min],
        TrustedHops.of_proxy_protocol(configuration.proxy_protocol),
        bounds,
        hops,
    )
    appenders = TrustedHops.of_balancers(configuration.balancer)
    told = CertificateHeaders(configuration.upstream_client_cert_chain, configuration.upstream_xfcc)
    header, entry = configuration.certificate_header, configuration.proxy_verified
    check_proxy_verified(entry, listener)
    return GatewaySettings(listener, upstreams, upstream_files, told, header, appenders, entry)


def check_proxy_verified(entry: str | None, listener: ListenerSettings) -> None:
    """Raise ConfigurationError unless it is known who may say that a client is verified (law 8)."""
    if entry is None:
        return
    if listener.hops is None:
        raise ConfigurationError("--proxy-verified is about --certificate-header: this listener verifies its clients")
    verified = listener.tls is not None and listener.hops.are_all_named
    if not (verified or isinstance(listener.listen, UnixAddress)):
        raise ConfigurationError(
            f"--proxy-verified {entry}: on {listener.listen} anybody could say who calls; name the certificate of "
            "each proxy (--trusted-hop CIDR,spiffe=ID, with --cert and --key), or listen on unix:/path"
        )


def tls_files(cert: str | None, key: str | None, hops: FrontHops | None) -> TlsFiles | None:
    """The TLS files of a listener, None for plain HTTP. Raises ConfigurationError."""
    if cert is None and key is None:
        if hops is not None and hops.are_named:
            raise ConfigurationError("--trusted-hop with spiffe= needs --cert and --key: only over TLS has it a name")
        return None
    if cert is None or key is None:
        raise ConfigurationError("--cert and --key go together")
    files = TlsFiles(cert, key, flag_prefix="--")
    material_from_files(files)
    return files


def _hops(configuration: GatewayConfiguration) -> FrontHops | None:
    """Who connects, if only proxies do. Raises ConfigurationError if the settings about them do not fit together."""
    if configuration.certificate_header is None:
        for flag, value in (("--trusted-hop", configuration.trusted_hop), ("--balancer", configuration.balancer)):
            if value:
                raise ConfigurationError(f"{flag} is about --certificate-header: say what the proxy in front sends")
        return None
    if not configuration.trusted_hop:
        raise ConfigurationError(
            "--certificate-header needs --trusted-hop: the certificate is what the caller says it is, so say whom to "
            "believe, such as --trusted-hop 127.0.0.1/32, or unix"
        )
    if configuration.proxy_protocol:
        raise ConfigurationError("--proxy-protocol hides the hop's address, by which --certificate-header is believed")
    return FrontHops.parse(configuration.trusted_hop)
