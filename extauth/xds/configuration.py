"""The settings of `peergate xds serve`, and what they mean together: all mistakes end the start with exit 78."""

from dataclasses import dataclass
from typing import Annotated

from runtime.address import Address, TcpAddress, address_from_text
from runtime.configuration import ServeConfiguration, text_from_text
from runtime.errors import ConfigurationError
from runtime.listener_tls import TlsFiles, material_from_files
from runtime.settings import Setting


def port_from_text(text: str) -> int:
    """A TCP port, from 1 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise ConfigurationError(f"{text!r} is no port from 1 to 65535")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class XdsConfiguration(ServeConfiguration):
    """What is set by flag, variable or file."""

    listen: Annotated[Address, Setting(address_from_text)]
    tls_cert: Annotated[str, Setting(text_from_text)]
    tls_key: Annotated[str, Setting(text_from_text)]
    listener_port: Annotated[tuple[int, ...], Setting(port_from_text, several=True)] = ()


@dataclass(frozen=True, slots=True)
class XdsSettings:
    """What the listener is told."""

    listen: TcpAddress
    tls: TlsFiles
    listener_ports: tuple[int, ...] = ()


def settings_from_configuration(configuration: XdsConfiguration) -> XdsSettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    if not isinstance(configuration.listen, TcpAddress):
        raise ConfigurationError(f"--listen {configuration.listen}: Envoys are known by their certificates, over TCP")
    if configuration.workers != 1:
        raise ConfigurationError(
            "workers: the discovery service is one process; start several, each with a port of its own, and give all "
            "of them to the Envoys"
        )
    if configuration.observe:
        raise ConfigurationError(
            "observe: the discovery service decides who gets the policy; it has nothing to observe"
        )
    if configuration.shadow_policy is not None:
        raise ConfigurationError(
            "shadow-policy: the Envoys decide on requests, so there is nothing to compare; give it to `extauth serve`"
        )
    files = TlsFiles(configuration.tls_cert, configuration.tls_key)
    material_from_files(files)
    return XdsSettings(configuration.listen, files, configuration.listener_port)
