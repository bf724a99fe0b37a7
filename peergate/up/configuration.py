"""The settings of `peergate up`, and what they mean together: all mistakes end the start with exit 78."""

from dataclasses import dataclass
from typing import Annotated

from runtime.address import Address, TcpAddress, address_from_text
from runtime.configuration import ServeConfiguration, flag_from_text, text_from_text
from runtime.errors import ConfigurationError
from runtime.listener_tls import TlsFiles, material_from_files
from runtime.settings import Setting


def upstream_from_text(text: str) -> Address:
    """An upstream that speaks plain HTTP/1.1: `http://HOST:PORT`, `HOST:PORT` or `unix:/path`."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return address_from_text(text)
    if scheme != "http":
        raise ConfigurationError(f"{text!r}: the upstream is called over plain HTTP, as in http://127.0.0.1:9000")
    authority = rest.removesuffix("/")
    if "/" in authority or "@" in authority:
        raise ConfigurationError(f"{text!r} has more than a host and a port: write http://HOST:PORT")
    bracketed = authority.endswith("]") or ":" not in authority
    return address_from_text(f"{authority}:80" if bracketed else authority)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpConfiguration(ServeConfiguration):
    """What is set by flag, variable or file. `workers`: threads of Envoy."""

    listen: Annotated[Address, Setting(address_from_text)]
    cert: Annotated[str, Setting(text_from_text)]
    key: Annotated[str, Setting(text_from_text)]
    upstream: Annotated[Address, Setting(upstream_from_text)]
    native: Annotated[bool, Setting(flag_from_text)] = True


@dataclass(frozen=True, slots=True)
class UpSettings:
    """What is put together. `native`: whether Envoy decides by itself what it can."""

    listen: TcpAddress
    tls: TlsFiles
    upstream: Address
    threads: int
    native: bool


def settings_from_configuration(configuration: UpConfiguration) -> UpSettings:
    """Check the settings against each other, and the TLS files against the disk. Raises ConfigurationError."""
    if not isinstance(configuration.listen, TcpAddress):
        raise ConfigurationError(f"--listen {configuration.listen}: Envoy listens on HOST:PORT here")
    files = TlsFiles(configuration.cert, configuration.key, flag_prefix="--")
    material_from_files(files)
    return UpSettings(
        configuration.listen,
        files,
        configuration.upstream,
        configuration.workers,
        # What is decided in Envoy is enforced: it cannot only observe.
        configuration.native and not configuration.observe,
    )
