"""Why a TLS handshake failed, in words for the log, and how often that is said: whoever makes the handshakes."""

from collections.abc import Callable
from time import monotonic

from runtime import limits
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")

#: OpenSSL's reason, and BoringSSL's -> what happened. A client's alert is its opinion of our certificate.
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


def words_of_reason(reason: str) -> str:
    """What a reason of OpenSSL or BoringSSL means, as in `HTTP_REQUEST`."""
    return _WORDS.get(reason) or f"TLS failed: {reason.lower().replace('_', ' ')}"


def words_of_refusal(code: int, otherwise: str) -> str:
    """What is said of a certificate that is not verified, by its X509_V_ERR `code`; `otherwise`, if nobody knows it."""
    return f"the client's certificate is refused: {_VERIFICATION.get(code) or otherwise}"


class FailureLog:
    """Says who failed, and why, within a bound on lines. For one thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._second = 0.0
        self._lines = 0
        self._unsaid = 0

    def say(self, facts_of: Callable[[], dict[str, object]]) -> None:
        """One line about a handshake that failed. `facts_of` is called only if it is said."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._lines = now, 0
        if self._lines >= limits.MAX_HANDSHAKE_LINES:
            self._unsaid += 1
            return
        self._lines += 1
        facts = facts_of()
        if self._unsaid:
            facts["unsaid_before"] = self._unsaid
            self._unsaid = 0
        _LOGGER.warning("a handshake failed", extra={"facts": facts})
