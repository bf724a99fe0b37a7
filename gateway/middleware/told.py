"""What a connection tells of its client, remembered in the very object that it tells with each request."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.connection import CONNECTION, TLS, Told
from gateway.middleware.presented import Scope, connection_facts, presented_from_tls
from policies.engine.request import UNREPORTED, Unreported
from policies.peer.presented import Presented
from policies.peer.reader import PresentedReader
from runtime.hops import IpAddress, address_from_text


class ClientFacts(NamedTuple):
    """Of the client, as a `Request` has them."""

    peer: Presented
    source_ip: IpAddress | None
    sni: Unreported | str | None


class ConnectionReader:
    """Thread-safe."""

    def __init__(self, reader: PresentedReader) -> None:
        self._reader = reader

    def facts_from_scope(self, scope: Scope, extensions: Mapping[str, object]) -> ClientFacts:
        """`extensions`: those of `scope`."""
        told, tls = extensions.get(CONNECTION), extensions.get(TLS)
        known = told.read if type(told) is Told else None
        if known is not None and known[0] is self and known[1] is tls:
            remembered: ClientFacts = known[2]
            return remembered
        source_ip, sni = _told_of_connection(scope, connection_facts(extensions))
        facts = ClientFacts(presented_from_tls(self._reader, tls, scope.get("scheme")), source_ip, sni)
        # Neither of the two ever changes, and while one holds the other, nothing else has its identity.
        if type(told) is Told and type(tls) is Told and "source" in told:
            told.read = (self, tls, facts)
        return facts


def _told_of_connection(scope: Scope, told: Mapping[str, object]) -> tuple[IpAddress | None, str | Unreported | None]:
    """The transport peer, of ASGI's `client` where our server told nothing, None on a Unix socket; and the SNI."""
    client = told["source"] if "source" in told else scope.get("client")
    source_ip = None
    if isinstance(client, (tuple, list)) and client and isinstance(client[0], str):
        source_ip = address_from_text(client[0])
    sni = told.get("sni", UNREPORTED)
    return source_ip, sni if sni is None or isinstance(sni, str) else UNREPORTED
