"""The formats in which a proxy forwards the client's certificate: one is configured, none is guessed.

Each has header names of its own, all of which law 7 keeps from the upstream. Where a proxy lets its user choose the
name, it is `ssl-client-cert`, and `ssl-client-cert-chain` for what came with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policies.peer.caddy import presented_from_caddy
from policies.peer.client_cert import presented_from_client_cert
from policies.peer.errors import CertificateError
from policies.peer.forwarded import presented_from_xfcc, shows_certificate
from policies.peer.haproxy import presented_from_haproxy
from policies.peer.header_value import sole_value
from policies.peer.names import named_from_xfcc
from policies.peer.nginx import presented_from_nginx
from policies.peer.presented import (
    NO_CERTIFICATE,
    MalformedCertificate,
    Presented,
    PresentedCertificate,
    proxy_verified,
)
from policies.peer.traefik import presented_from_traefik

Values = Sequence[str]


class CertificateHeader(StrEnum):
    """A format, by the word that configures it."""

    NGINX = "nginx"
    HAPROXY = "haproxy"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    CLIENT_CERT = "client-cert"
    XFCC = "xfcc"


@dataclass(frozen=True, slots=True)
class HeaderFormat:
    """`certificate`, `chain`: names, lower case; `chain` empty if there is none. `_read` raises CertificateError.

    `_names`: reads a value that shows no certificate, verified for a trust entry; None where the format has none such.
    """

    certificate: str
    chain: str
    _read: Callable[[Values, Values], Presented]
    _names: Callable[[str, str], Presented | None] = lambda _value, _entry: None

    @property
    def names(self) -> frozenset[str]:
        """The headers that are read."""
        return frozenset({self.certificate, self.chain} - {""})

    def presented(self, certificate: Values, chain: Values, verified_for: str | None = None) -> Presented:
        """What the values of the headers, in order of receipt, say. Never raises: what cannot be read is malformed.

        `verified_for`: the trust entry for which whoever sends them has verified the client (`--proxy-verified`).
        """
        try:
            if verified_for is not None and (named := self._names(sole_value(certificate), verified_for)) is not None:
                return named
            read = self._read(certificate, chain)
        except CertificateError as error:
            return MalformedCertificate(f"{self.certificate}: {error}")
        if verified_for is None or not isinstance(read, PresentedCertificate):
            return read
        return proxy_verified(read, verified_for)


def _from_xfcc(certificate: Values, _: Values) -> Presented:
    value = sole_value(certificate)
    return presented_from_xfcc(value) if value else NO_CERTIFICATE


def _names_from_xfcc(value: str, entry: str) -> Presented | None:
    return named_from_xfcc(value, entry, None) if value and not shows_certificate(value) else None


_CERTIFICATE, _CHAIN = "ssl-client-cert", "ssl-client-cert-chain"
FORMATS = {
    CertificateHeader.NGINX: HeaderFormat(_CERTIFICATE, "", lambda leaf, _: presented_from_nginx(leaf)),
    CertificateHeader.HAPROXY: HeaderFormat(_CERTIFICATE, _CHAIN, presented_from_haproxy),
    CertificateHeader.CADDY: HeaderFormat(_CERTIFICATE, "", lambda leaf, _: presented_from_caddy(leaf)),
    CertificateHeader.TRAEFIK: HeaderFormat(
        "x-forwarded-tls-client-cert", "", lambda leaf, _: presented_from_traefik(leaf)
    ),
    CertificateHeader.CLIENT_CERT: HeaderFormat("client-cert", "client-cert-chain", presented_from_client_cert),
    CertificateHeader.XFCC: HeaderFormat("x-forwarded-client-cert", "", _from_xfcc, _names_from_xfcc),
}
