"""The settings of `peergate gateway forward-auth`, and what they mean together; a mistake is exit 78."""

from dataclasses import dataclass
from typing import Annotated

from gateway.configuration import check_proxy_verified, tls_files, trusted_hop_from_text
from gateway.forward_auth.proxies import Proxy
from gateway.hops import FrontHops
from gateway.listener import ListenerSettings
from gateway.server.bounds import Bounds
from gateway.server.limits import MAX_CONNECTIONS
from runtime.address import Address, UnixAddress, address_from_text
from runtime.configuration import (
    ServeConfiguration,
    entry_name_from_text,
    header_names_from_text,
    text_from_text,
    word_reader,
)
from runtime.errors import ConfigurationError
from runtime.settings import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuthConfiguration(ServeConfiguration):
    """What is set by flag, variable or file: paths as written, what may be repeated as its flag takes it."""

    proxy: Annotated[Proxy, Setting(word_reader(Proxy))]
    listen: Annotated[Address, Setting(address_from_text)]
    trusted_hop: Annotated[tuple[str, ...], Setting(trusted_hop_from_text, several=True)]
    proxy_verified: Annotated[str | None, Setting(entry_name_from_text)] = None
    seen_headers: Annotated[tuple[str, ...], Setting(header_names_from_text, several=True)] = ()
    cert: Annotated[str | None, Setting(text_from_text)] = None
    key: Annotated[str | None, Setting(text_from_text)] = None


@dataclass(frozen=True, slots=True)
class ForwardAuthSettings:
    """What one process is told. `seen_headers`: lower case. `proxy_verified`: as `GatewaySettings` has it."""

    listener: ListenerSettings
    hops: FrontHops
    proxy: Proxy
    seen_headers: frozenset[str] = frozenset()
    proxy_verified: str | None = None


def settings_from_configuration(configuration: ForwardAuthConfiguration) -> ForwardAuthSettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    hops = FrontHops.parse(configuration.trusted_hop)
    if not hops.can_reach(configuration.listen):
        raise ConfigurationError(_nobody_could_ask(configuration))
    files = tls_files(configuration.cert, configuration.key, hops)
    # All connections come from a few proxies, so one address may have all of them.
    bounds = Bounds(max_address_connections=MAX_CONNECTIONS)
    listener = ListenerSettings(configuration.listen, files, bounds=bounds, hops=hops)
    seen = frozenset(name for names in configuration.seen_headers for name in names.split(","))
    check_proxy_verified(configuration.proxy_verified, listener)
    return ForwardAuthSettings(listener, hops, configuration.proxy, seen, configuration.proxy_verified)


def _nobody_could_ask(configuration: ForwardAuthConfiguration) -> str:
    over_unix = isinstance(configuration.listen, UnixAddress)
    socket, hop = ("a Unix socket", "unix") if over_unix else ("TCP", "127.0.0.1/32")
    told = " ".join(configuration.trusted_hop)
    return f"--trusted-hop {told}: nobody of these comes over {socket}, where --listen is; write --trusted-hop {hop}"
