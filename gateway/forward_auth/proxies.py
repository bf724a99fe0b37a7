"""What each proxy says of the request that it asks about, and which answers it understands: one row for each.

The names are those that the configurations in `deploy/` set. Every proxy writes its headers anew for each question, so
that nothing under these names is the client's own. Traefik's are fixed by Traefik.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.certificate_header import FORMATS, CertificateHeader, HeaderFormat


class Proxy(StrEnum):
    """A proxy, by the word that configures it."""

    NGINX = "nginx"
    HAPROXY = "haproxy"
    CADDY = "caddy"
    TRAEFIK = "traefik"


@dataclass(frozen=True, slots=True)
class Asking:
    """How one proxy asks. Header names, lower case; each is sent exactly once, `sni` is empty if it cannot be told.

    - `method`, `target`, `host`: of the request, as it would be forwarded. `target` is origin-form, or absolute-form
      whose authority must be the host.
    - `address`: of the client, one IP address; `unix:` where it has none.
    - `sni`: the server name of the client's handshake between double quotes; `""` if it sent none.
    - `certificate`: the format of the client's certificate.
    - `tells_status`: whether a denial may have another status than 403.
    """

    method: str
    target: str
    host: str
    address: str
    sni: str
    certificate: HeaderFormat
    tells_status: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Every header that is read as a fact."""
        own = {self.method, self.target, self.host, self.address, self.sni} - {""}
        return self.certificate.names | own


def _original(header: CertificateHeader, *, tells_status: bool) -> Asking:
    return Asking(
        "x-original-method",
        "x-original-uri",
        "x-original-host",
        "x-original-address",
        "x-original-sni",
        FORMATS[header],
        tells_status,
    )


ASKING = {
    # auth_request knows 2xx, 401 and 403; every other answer is a 500 to the client.
    Proxy.NGINX: _original(CertificateHeader.NGINX, tells_status=False),
    Proxy.HAPROXY: _original(CertificateHeader.HAPROXY, tells_status=True),
    Proxy.CADDY: _original(CertificateHeader.CADDY, tells_status=True),
    Proxy.TRAEFIK: Asking(
        "x-forwarded-method",
        "x-forwarded-uri",
        "x-forwarded-host",
        "x-forwarded-for",
        "",
        FORMATS[CertificateHeader.TRAEFIK],
    ),
}
