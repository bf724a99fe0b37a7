"""TLS to upstreams: our certificate, and proof that who answers is the upstream, before a byte of a request is sent."""

import base64
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.proxy import limits
from policies.peer.certificate import certificate_from_der
from policies.peer.errors import PeerError
from runtime.errors import ConfigurationError
from runtime.service_log import service_logger

_LOGGER = service_logger("proxy")
_SPIFFE = "spiffe://"


@dataclass(frozen=True, slots=True)
class UpstreamTlsFiles:
    """Paths of PEM files. `ca`: who vouches for upstreams, None = the system's CAs. The others: what we show them."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class _ProvenPeer(ssl.SSLObject):
    """The TLS object of a connection to a peer that must prove more than a name."""

    def do_handshake(self) -> None:
        """Go on with it. Raises ssl.SSLCertVerificationError if somebody else answered."""
        super().do_handshake()
        context = self.context
        if isinstance(context, _PeerContext) and not context.is_peer(self.getpeercert(binary_form=True)):
            raise ssl.SSLCertVerificationError(f"the certificate is not that of {context.peer}")


class _PeerContext(ssl.SSLContext):
    """`peer`: a SPIFFE ID or an SPKI pin."""

    sslobject_class = _ProvenPeer
    peer: str

    def is_peer(self, der: bytes | None) -> bool:
        """Whether the certificate is the one that was asked for."""
        try:
            leaf = certificate_from_der(der or b"")
        except PeerError:
            return False
        if self.peer.startswith(_SPIFFE):
            return tuple(leaf.identity.uri or ()) == (self.peer,)
        return f"sha256:{base64.b64encode(leaf.spki_sha256).decode()}" == self.peer


class UpstreamTls:
    """Contexts by who must answer, made anew when a file has changed; a bad change keeps the last good ones."""

    def __init__(self, files: UpstreamTlsFiles, peers: frozenset[str]) -> None:
        """`peers`: as `Destination.peer`. Raises ConfigurationError."""
        if any(peer.startswith(_SPIFFE) for peer in peers) and files.ca is None:
            raise ConfigurationError("a SPIFFE ID proves nothing without --upstream-ca: name the CA of the upstreams")
        if (files.certificate is None) != (files.key is None):
            raise ConfigurationError("--upstream-cert and --upstream-key go together")
        self._files = files
        self._signature = self._now()
        self._contexts = {peer: self._made(peer) for peer in peers}
        self._looked = time.monotonic()

    def context(self, peer: str) -> ssl.SSLContext:
        """For the next connection to `peer`."""
        now = time.monotonic()
        if now - self._looked > limits.TLS_LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._contexts[peer]

    def _look(self) -> None:
        signature = self._now()
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._contexts = {peer: self._made(peer) for peer in self._contexts}
        except ConfigurationError as error:
            facts = {"error": str(error)}
            _LOGGER.error("the new TLS files for upstreams are bad, the last good ones stay", extra={"facts": facts})  # noqa: TRY400 - the message says it all

    def _made(self, peer: str) -> ssl.SSLContext:
        context = _PeerContext(ssl.PROTOCOL_TLS_CLIENT) if peer else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        files = self._files
        try:
            if isinstance(context, _PeerContext):
                context.peer = peer
                context.check_hostname = False
                if files.ca is None:
                    # The pin is the key itself: no CA could say more.
                    context.verify_mode = ssl.CERT_NONE
            if files.ca is not None:
                context.load_verify_locations(files.ca)
            else:
                context.load_default_certs()
            if files.certificate is not None:
                context.load_cert_chain(files.certificate, files.key)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"TLS to upstreams: {error}; check --upstream-ca, --upstream-cert and --upstream-key"
            ) from None
        return context

    def _now(self) -> tuple[tuple[int, int] | None, ...]:
        files = self._files
        return tuple(map(_signature, (files.ca, files.certificate, files.key)))


def _signature(path: str | None) -> tuple[int, int] | None:
    """What changes with the content of a file: its inode and time of change; None if there is none."""
    if path is None:
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
