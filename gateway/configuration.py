"""The settings of `peergate gateway serve`, and what they mean together: all mistakes end the start with exit 78."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.proxy.upstream_tls import UpstreamTlsFiles
from gateway.server import limits
from gateway.server.bounds import Bounds
from runtime.address import Address, address_from_text
from runtime.configuration import ServeConfiguration, flag_from_text, text_from_text, word_reader
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


def balancer_from_text(text: str) -> str:
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
    cert: Annotated[str, Setting(text_from_text)]
    key: Annotated[str, Setting(text_from_text)]
    upstream: Annotated[tuple[str, ...], Setting(upstream_from_text, several=True)]
    upstream_ca: Annotated[str | None, Setting(text_from_text)] = None
    upstream_cert: Annotated[str | None, Setting(text_from_text)] = None
    upstream_key: Annotated[str | None, Setting(text_from_text)] = None
    upstream_xfcc: Annotated[bool, Setting(flag_from_text)] = False
    tls_min: Annotated[TlsVersion, Setting(word_reader(TlsVersion))] = TlsVersion.V1_2
    proxy_protocol: Annotated[tuple[str, ...], Setting(balancer_from_text, several=True)] = ()
    max_connections: Annotated[int, Setting(number_reader(1_000_000))] = limits.MAX_CONNECTIONS
    max_connections_per_address: Annotated[int, Setting(number_reader(1_000_000))] = limits.MAX_ADDRESS_CONNECTIONS
    max_body_bytes: Annotated[int, Setting(number_reader(2**50))] = limits.MAX_BODY_BYTES
    idle_seconds: Annotated[int, Setting(number_reader(_MOST_SECONDS))] = limits.IDLE_SECONDS
    max_connection_seconds: Annotated[int, Setting(number_reader(_MOST_SECONDS))] = limits.MAX_AGE_SECONDS


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the listener of one process is told."""

    listen: Address
    tls: TlsFiles
    upstreams: tuple[Destination, ...]
    upstream_tls: UpstreamTlsFiles = field(default_factory=UpstreamTlsFiles)
    upstream_xfcc: bool = False
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    balancers: TrustedHops = NO_HOPS
    bounds: Bounds = field(default_factory=Bounds)


def settings_from_configuration(configuration: GatewayConfiguration) -> GatewaySettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    files = TlsFiles(configuration.cert, configuration.key, flag_prefix="--")
    material_from_files(files)
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
    return GatewaySettings(
        configuration.listen,
        files,
        upstreams,
        upstream_files,
        configuration.upstream_xfcc,
        _VERSIONS[configuration.tls_min],
        TrustedHops.of_proxy_protocol(configuration.proxy_protocol),
        bounds,
    )
