"""TLS for the gateway: a handshake that keeps its reason and sends its alert, and the chain that was presented.

Laws: a context never changes once it is in use; a reload makes a new one. There is no resumption: a resumed session
would skip the chain, and outlive a change of CAs. What OpenSSL verifies is a first sieve; the policy judges (law 9).
"""

import ssl
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Self, cast

from gateway.connection import TlsExtension
from gateway.server import limits
from gateway.server.attempt import CURRENT, Attempt
from runtime.listener_tls import TlsFiles, TlsMaterial, load_served_chain
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")
_WIRE_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
#: `_ssl.ENCODING_DER`, for the private interface of 3.11 and 3.12.
_DER = 2
#: Where the session id of a ClientHello begins: record (5) and handshake (4) header, version (2), random (32), its
#: length (1). RFC 5246 §6.2.1, §7.4.1.2.
_SESSION_ID = 44


class Handshake(ssl.SSLObject):
    """The TLS object of one connection. `attempt`: whose it is."""

    attempt: Attempt
    context: "GatewayContext"
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _begun = False
    #: All that has come so far, within a bound; given up with the end of the handshake.
    _received = b""

    def do_handshake(self) -> None:
        """Go on with it. Raises ssl.SSLError, after the client was told."""
        if self._incoming.pending:
            self._take()
        try:
            super().do_handshake()
            self._require_full()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLCertVerificationError):
                self.attempt.received = self._received
            self.attempt.failed(error, self._outgoing.read())
            raise
        self._received = b""
        self.context.note(self)

    def _require_full(self) -> None:
        if self.session_reused:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "[SSL: RESUMED] a session was resumed")

    def _take(self) -> None:
        """Look at what has come before OpenSSL does, which reads all of it whenever it is asked."""
        more = self._incoming.read()
        self._incoming.write(more)
        if len(self._received) + len(more) <= limits.MAX_CLEAR_BYTES:
            self._received += more
        if not self._begun:
            self._begin(more)

    def _begin(self, hello: bytes) -> None:
        """Before the first byte is read: who asks for a session that this context knows gets a context that does not.

        OpenSSL keeps sessions of TLS 1.2 in memory whatever is said about tickets, and Python cannot tell it not to.
        """
        self._begun = True
        session = hello[_SESSION_ID : _SESSION_ID + hello[_SESSION_ID - 1]] if len(hello) > _SESSION_ID else b""
        if session and self.context.knows(session):
            other = self.context.fresh()
            self._sslobj = other._wrap_bio(  # type: ignore[attr-defined]  # as ssl.SSLObject itself is made
                self._incoming, self._outgoing, server_side=True, owner=self
            )


class GatewayContext(ssl.SSLContext):
    """A server context. Build it with `of`."""

    sslobject_class = Handshake
    fresh: "Callable[[], GatewayContext]"
    served: str
    _cipher_numbers: dict[str, int]
    _sessions: OrderedDict[bytes, None]

    @classmethod
    def of(
        cls,
        material: TlsMaterial,
        files: TlsFiles,
        client_cas: Iterable[bytes],
        *,
        required: bool,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ) -> Self:
        """A context that shows `material` and asks for certificates of `client_cas`, DER. Raises ConfigurationError."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = minimum
        context.set_alpn_protocols(["http/1.1"])
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        load_served_chain(context, material, files)
        # The defaults differ between versions of Python. An anchor may be an intermediate CA.
        context.verify_flags = ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        for ca in client_cas:
            _trust(context, ca)
        context.sni_callback = _note_sni  # type: ignore[assignment]  # typeshed knows no subclass of SSLObject
        context.fresh = partial(cls.of, material, files, client_cas, required=required, minimum=minimum)
        context.served = _leaf_pem(material.certificate)
        context._cipher_numbers = {cipher["name"]: cipher["id"] & 0xFFFF for cipher in context.get_ciphers()}
        context._sessions = OrderedDict()
        return context

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> Handshake:
        """As asyncio and uvloop call it, in the context of the task that accepted the connection."""
        handshake = cast("Handshake", super().wrap_bio(incoming, outgoing, *args, **kwargs))
        handshake.attempt = CURRENT.get()
        handshake._incoming, handshake._outgoing = incoming, outgoing
        return handshake

    def note(self, handshake: Handshake) -> None:
        """Remember a session that could be resumed."""
        if handshake.version() != "TLSv1.2" or handshake.session is None:
            return
        self._sessions[handshake.session.id] = None
        if len(self._sessions) > limits.MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def knows(self, session: bytes) -> bool:
        """Whether a session of this id could be resumed."""
        return session in self._sessions

    def extension(self, handshake: Handshake) -> TlsExtension:
        """What the application is told of a connection whose handshake is done."""
        cipher = handshake.cipher()
        return {
            "server_cert": self.served,
            "client_cert_chain": tuple(map(ssl.DER_cert_to_PEM_cert, presented_chain(handshake))),
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": _WIRE_VERSIONS.get(handshake.version() or ""),
            "cipher_suite": None if cipher is None else self._cipher_numbers.get(cipher[0]),
        }


def presented_chain(handshake: ssl.SSLObject) -> tuple[bytes, ...]:
    """What the client sent, DER, leaf first; empty if it sent no certificate."""
    if handshake.getpeercert(binary_form=True) is None:
        return ()
    if sys.version_info >= (3, 13):
        return tuple(handshake.get_unverified_chain())
    chain = handshake._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # public from 3.13 on
    return tuple(certificate.public_bytes(_DER) for certificate in chain)


def _note_sni(handshake: Handshake, name: str | None, _context: ssl.SSLContext) -> None:
    handshake.attempt.sni = name


def _trust(context: ssl.SSLContext, ca: bytes) -> None:
    """One by one: a CA that OpenSSL cannot read must not keep out the callers of the others."""
    try:
        context.load_verify_locations(cadata=ca)
    except ssl.SSLError as error:
        _LOGGER.error(  # noqa: TRY400 - the message says it all
            "a trust anchor of the policy is none that OpenSSL can read: its callers fail in the handshake",
            extra={"facts": {"error": error.reason or str(error)}},
        )


def _leaf_pem(chain: bytes) -> str:
    """The first certificate of a PEM text that OpenSSL has loaded."""
    end = ssl.PEM_FOOTER.encode()
    start = chain.index(ssl.PEM_HEADER.encode())
    return chain[start : chain.index(end, start) + len(end)].decode("ascii") + "\n"
