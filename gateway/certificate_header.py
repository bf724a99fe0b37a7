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
from policies.peer.forwarded import presented_from_xfcc
from policies.peer.haproxy import presented_from_haproxy
from policies.peer.header_value import sole_value
from policies.peer.nginx import presented_from_nginx
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented
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
    """`certificate`, `chain`: names, lower case; `chain` empty if there is none. `_read` raises CertificateError."""

    certificate: str
    chain: str
    _read: Callable[[Values, Values], Presented]

    @property
    def names(self) -> frozenset[str]:
        """The headers that are read."""
        return frozenset({self.certificate, self.chain} - {""})

    def presented(self, certificate: Values, chain: Values) -> Presented:
        """What the values of the headers, in order of receipt, say. Never raises: what cannot be read is malformed."""
        try:
            return self._read(certificate, chain)
        except CertificateError as error:
            return MalformedCertificate(f"{self.certificate}: {error}")


def _from_xfcc(certificate: Values, _: Values) -> Presented:
    value = sole_value(certificate)
    return presented_from_xfcc(value) if value else NO_CERTIFICATE


_CERTIFICATE, _CHAIN = "ssl-client-cert", "ssl-client-cert-chain"
FORMATS = {
    CertificateHeader.NGINX: HeaderFormat(_CERTIFICATE, "", lambda leaf, _: presented_from_nginx(leaf)),
    CertificateHeader.HAPROXY: HeaderFormat(_CERTIFICATE, _CHAIN, presented_from_haproxy),
    CertificateHeader.CADDY: HeaderFormat(_CERTIFICATE, "", lambda leaf, _: presented_from_caddy(leaf)),
    CertificateHeader.TRAEFIK: HeaderFormat(
        "x-forwarded-tls-client-cert", "", lambda leaf, _: presented_from_traefik(leaf)
    ),
    CertificateHeader.CLIENT_CERT: HeaderFormat("client-cert", "client-cert-chain", presented_from_client_cert),
    CertificateHeader.XFCC: HeaderFormat("x-forwarded-client-cert", "", _from_xfcc),
}
