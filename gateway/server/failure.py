"""Why a handshake of the gateway failed, as the log says it (`runtime.handshake_failure`)."""

import asyncio
import ssl
from datetime import UTC, datetime

from gateway.server import limits
from gateway.server.attempt import Attempt
from gateway.server.clear_certificate import leaf_from_clear
from runtime.handshake_failure import words_of_reason, words_of_refusal
from runtime.limits import MAX_SHOWN_CHARS


def words_from_error(error: BaseException) -> str:
    """One sentence about a failed handshake."""
    if isinstance(error, TimeoutError) or (isinstance(error, ConnectionAbortedError) and "longer than" in str(error)):
        return f"the handshake took more than {limits.HANDSHAKE_SECONDS:g} s"
    if isinstance(error, asyncio.CancelledError):
        return "the gateway was stopped during the handshake"
    if isinstance(error, ssl.SSLCertVerificationError):
        return words_of_refusal(error.verify_code, error.verify_message)
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return "the client went away during the handshake"
    if isinstance(error, ssl.SSLError):
        return words_of_reason(_reason_of(error))
    return str(error) or type(error).__name__


def _reason_of(error: ssl.SSLError) -> str:
    text = str(error)
    start = text.find("[SSL: ")
    return error.reason or (text[start + 6 : text.find("]")] if start >= 0 else text)


def facts_from_attempt(attempt: Attempt, error: BaseException) -> dict[str, object]:
    """What the log says of a handshake that failed."""
    facts: dict[str, object] = {"peer": shown_source(attempt)}
    if attempt.sni is not None:
        facts["sni"] = attempt.sni[:MAX_SHOWN_CHARS]
    return facts | {"cause": words_from_error(attempt.error or error)} | _shown_certificate(attempt)


def _shown_certificate(attempt: Attempt) -> dict[str, object]:
    """Whose certificate was refused, where it can be seen. Its words are the client's own: they are cut."""
    leaf = leaf_from_clear(attempt.received) if attempt.received else None
    if leaf is None:
        return {}
    identity = leaf.identity
    names = {"subject": str(leaf.subject), "uri": ",".join(identity.uri or ()), "dns": ",".join(identity.dns or ())}
    facts: dict[str, object] = {
        name: value[:MAX_SHOWN_CHARS] for name, value in {**names, "issuer": str(leaf.issuer)}.items() if value
    }
    ends = datetime.fromtimestamp(leaf.not_after, UTC).isoformat(timespec="seconds")
    return facts | {"not_after": ends, "sha256": leaf.sha256.hex()}


def shown_source(attempt: Attempt) -> str:
    """The peer as the log names it."""
    if attempt.source is None:
        return "unix"
    host, port = attempt.source
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
