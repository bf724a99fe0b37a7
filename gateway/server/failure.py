"""Why a handshake failed, in words for the log, and how often that is said."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from gateway.server import limits
from gateway.server.attempt import Attempt
from gateway.server.clear_certificate import leaf_from_clear
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")

#: OpenSSL's reason -> what happened. What a client's alert says is the client's opinion of our certificate.
_WORDS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client sent no certificate, and no rule allows unauthenticated callers",
    "UNSUPPORTED_PROTOCOL": "the client speaks no TLS version that this listener speaks",
    "VERSION_TOO_LOW": "the client speaks no TLS version that this listener speaks",
    "NO_SHARED_CIPHER": "client and listener have no cipher suite in common",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "the client accepts no signature of the listener's key",
    "HTTP_REQUEST": "plain HTTP was sent where TLS is spoken: use https://",
    "HTTPS_PROXY_REQUEST": "an HTTP proxy request was sent where TLS is spoken",
    "WRONG_VERSION_NUMBER": "what was sent is not TLS",
    "RESUMED": "a session was resumed, which this listener never allows",
    "BAD_SIGNATURE": "the client does not have the key of the certificate that it sent",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the CA of the listener's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client refused the listener's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client refused the listener's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client says that the listener's certificate has expired",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the client cannot use the listener's certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "the client refused the listener's certificate",
}
#: X509_V_ERR code (openssl x509_vfy.h) -> what is wrong with the client's certificate.
_VERIFICATION = {
    2: "no CA of the policy issued it, and the chain that was sent does not lead to one",
    7: "a signature in its chain is wrong",
    9: "it, or a CA above it, is not yet valid",
    10: "it, or a CA above it, has expired",
    18: "it is self-signed, and no anchor of the policy",
    19: "its chain ends in a root that is no anchor of the policy",
    20: "no CA of the policy issued it; is its intermediate CA sent along?",
    21: "no CA of the policy issued it; is its intermediate CA sent along?",
    22: "its chain is too long",
    26: "its extended key usage lacks clientAuth",
    66: "its key is too weak",
    67: "a CA above it has too weak a key",
    68: "a signature in its chain is too weak",
}


def words_from_error(error: BaseException) -> str:
    """One sentence about a failed handshake."""
    if isinstance(error, TimeoutError) or (isinstance(error, ConnectionAbortedError) and "longer than" in str(error)):
        return f"the handshake took more than {limits.HANDSHAKE_SECONDS:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _VERIFICATION.get(error.verify_code)
        return f"the client's certificate is refused: {known or error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return "the client went away during the handshake"
    if isinstance(error, ssl.SSLError):
        reason = _reason_of(error)
        return _WORDS.get(reason) or f"TLS failed: {reason.lower().replace('_', ' ')}"
    return str(error) or type(error).__name__


def _reason_of(error: ssl.SSLError) -> str:
    text = str(error)
    start = text.find("[SSL: ")
    return error.reason or (text[start + 6 : text.find("]")] if start >= 0 else text)


class FailureLog:
    """Says who failed, and why, within a bound on lines. For one thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._second = 0.0
        self._lines = 0
        self._unsaid = 0

    def say(self, attempt: Attempt, error: BaseException) -> None:
        """One line about a handshake that failed."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._lines = now, 0
        if self._lines >= limits.MAX_FAILURE_LINES:
            self._unsaid += 1
            return
        self._lines += 1
        facts: dict[str, object] = {"peer": shown_source(attempt)}
        if attempt.sni is not None:
            facts["sni"] = attempt.sni[: limits.MAX_SHOWN_CHARS]
        facts["cause"] = words_from_error(attempt.error or error)
        facts |= _shown_certificate(attempt)
        if self._unsaid:
            facts["unsaid_before"] = self._unsaid
            self._unsaid = 0
        _LOGGER.warning("a handshake failed", extra={"facts": facts})


def _shown_certificate(attempt: Attempt) -> dict[str, object]:
    """Whose certificate was refused, where it can be seen. Its words are the client's own: they are cut."""
    leaf = leaf_from_clear(attempt.received) if attempt.received else None
    if leaf is None:
        return {}
    identity = leaf.identity
    names = {"subject": str(leaf.subject), "uri": ",".join(identity.uri or ()), "dns": ",".join(identity.dns or ())}
    facts: dict[str, object] = {
        name: value[: limits.MAX_SHOWN_CHARS] for name, value in {**names, "issuer": str(leaf.issuer)}.items() if value
    }
    ends = datetime.fromtimestamp(leaf.not_after, UTC).isoformat(timespec="seconds")
    return facts | {"not_after": ends, "sha256": leaf.sha256.hex()}


def shown_source(attempt: Attempt) -> str:
    """The peer as the log names it."""
    if attempt.source is None:
        return "unix"
    host, port = attempt.source
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
