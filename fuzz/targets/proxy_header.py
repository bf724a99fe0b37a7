"""Headers in which other proxies forward the client certificate."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from fuzz.target import Target, require
from fuzz.world import der, percent_pem
from policies.peer.caddy import PLACEHOLDER, presented_from_caddy
from policies.peer.client_cert import presented_from_client_cert
from policies.peer.errors import CertificateError
from policies.peer.haproxy import presented_from_haproxy
from policies.peer.nginx import presented_from_nginx
from policies.peer.presented import NoCertificate, PresentedCertificate
from policies.peer.traefik import presented_from_traefik

Read = PresentedCertificate | NoCertificate
_TOKENS = (b",", b":", b";", b"=", b"%", b"%0A", b"%3D", b"%2B", b" ", b"\n", b"-----", b"AAAA", b"{", b"MII")


def _base64(name: str) -> str:
    return b64encode(der(name)).decode("ascii")


def _target(name: str, read: Callable[[Sequence[str], Sequence[str]], Read], *seeds: str) -> Target:
    """`read` takes the values of the certificate's header and of the chain's: a line of the input each."""

    def check(data: bytes) -> None:
        certificate, line, chain = data.decode("utf-8", "surrogateescape").partition("\n")
        try:
            found = read([certificate], [chain] if line else [])
        except CertificateError:
            return
        if isinstance(found, NoCertificate):
            require(certificate in ("", PLACEHOLDER), "no certificate is only what a proxy writes for none")
        else:
            require(_leaf(certificate) == found.leaf.der, "the certificate is the first that the header holds")

    law = f"the header of {name} is read to the certificate that it holds, or refused with one error"
    return Target(name, law, [seed.encode() for seed in seeds], check, _TOKENS)


def _leaf(text: str) -> bytes:
    """The first certificate of a value that was read, found without any of the parsers."""
    first = unquote(text.split(",", maxsplit=1)[0])
    lines = [line for line in first.splitlines() if "-----" not in line]
    return b64decode("".join(lines).replace(":", ""))


_LEAF, _ISSUER = _base64("billing"), _base64("issuing")
_CHAIN = b64encode(der("issuing") * 2).decode("ascii")
TARGETS = (
    _target("client-cert", presented_from_client_cert, f":{_LEAF}:", f":{_LEAF}:\n:{_ISSUER}:, :{_ISSUER}:"),
    _target("nginx", lambda leaf, _: presented_from_nginx(leaf), percent_pem("billing")),
    _target(
        "traefik",
        lambda leaf, _: presented_from_traefik(leaf),
        f"{_LEAF},{_ISSUER}",
        f"{quote(_LEAF, safe='')},{quote(_ISSUER, safe='')}",
    ),
    _target("caddy", lambda leaf, _: presented_from_caddy(leaf), _LEAF, PLACEHOLDER),
    _target("haproxy", presented_from_haproxy, f"{_LEAF}\n{_CHAIN}", _LEAF),
)
