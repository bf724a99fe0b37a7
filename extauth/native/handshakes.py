"""Handshakes that failed at Envoy: its listener's access log tells of connections that never had a request.

Envoy writes a line for whatever went wrong with a connection, also after its handshake; that is left out here.
"""

import json
import re
from datetime import datetime
from typing import Any

from runtime.envoy.limits import HANDSHAKE_SECONDS
from runtime.envoy.proto_json import Json, any_of
from runtime.handshake_failure import words_of_reason, words_of_refusal
from runtime.limits import MAX_SHOWN_CHARS

#: The field that only these lines have, and how a line shows it: no text of a client can have a bare quotation mark.
_WHY = "handshake"
_MARK = f'"{_WHY}":'.encode()
_NAMES = {
    "sni": "%REQUESTED_SERVER_NAME%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "uri": "%DOWNSTREAM_PEER_URI_SAN%",
    "dns": "%DOWNSTREAM_PEER_DNS_SAN%",
    "issuer": "%DOWNSTREAM_PEER_ISSUER%",
}
_FIELDS: Json = {
    _WHY: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "closed": "%CONNECTION_TERMINATION_DETAILS%",
    "done": "%DOWNSTREAM_HANDSHAKE_DURATION%",
    "peer": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "ends": "%DOWNSTREAM_PEER_CERT_V_END%",
    "sha256": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    **_NAMES,
}
#: CEL, by Envoy's attributes of a connection. Without it every connection would be a line.
_WENT_WRONG = " || ".join(
    f'has(connection.{name}) && connection.{name} != ""' for name in ("transport_failure_reason", "termination_details")
)
_TIMEOUT = "transport socket timeout was reached"
_REASON = re.compile(r":OPENSSL_internal:([A-Za-z0-9_]+)")
_VERIFICATION = re.compile(r"error_at_depth_\d+:_([A-Za-z0-9_]+)")
#: What BoringSSL says of a certificate -> X509_V_ERR code.
_CODES = {
    "unable_to_get_issuer_certificate": 2,
    "certificate_signature_failure": 7,
    "certificate_is_not_yet_valid": 9,
    "certificate_has_expired": 10,
    "self_signed_certificate": 18,
    "self_signed_certificate_in_certificate_chain": 19,
    "unable_to_get_local_issuer_certificate": 20,
    "unable_to_verify_the_first_certificate": 21,
    "certificate_chain_too_long": 22,
    "unsupported_certificate_purpose": 26,
}
#: In TLS 1.3 Envoy cannot read the alert of a client that gives up while it looks at the listener's certificate.
_BROKE_OFF = "the client broke off, most likely as it refused the listener's certificate"


def handshake_log(path: str) -> Json:
    """`AccessLog` of a listener: connections that something went wrong with go to the file `path`, a line each."""
    return {
        "name": "envoy.access_loggers.file",
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": any_of(
                    "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=_WENT_WRONG
                ),
            }
        },
        "typed_config": any_of(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog", path=path, log_format={"json_format": _FIELDS}
        ),
    }


def is_of_handshake(line: bytes) -> bool:
    """Whether a line of an access log is one of these."""
    return _MARK in line


def failed_handshake_from_line(line: bytes) -> dict[str, object] | None:
    """What the service log says of it; None if the handshake was done. Raises ValueError."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("the line is no object")  # noqa: TRY004 - one error for whatever is wrong with a line
    if found.get("done") is not None:
        return None
    facts: dict[str, object] = {
        "peer": _text(found, "peer"),
        "sni": _text(found, "sni"),
        "cause": _cause(found),
        **{name: _text(found, name) for name in _NAMES},
        "not_after": _end(_text(found, "ends")),
        "sha256": _text(found, "sha256"),
    }
    return {name: value for name, value in facts.items() if value}


def cause_from_text(text: str) -> str:
    """One sentence, from a transport failure reason of Envoy."""
    reasons = _REASON.findall(text)
    if not reasons:
        return words_of_reason(text[:MAX_SHOWN_CHARS])
    if refusal := _VERIFICATION.search(text):
        why = refusal[1][:MAX_SHOWN_CHARS]
        return words_of_refusal(_CODES.get(why, 0), why.replace("_", " "))
    if "DECRYPTION_FAILED_OR_BAD_RECORD_MAC" in reasons:
        return _BROKE_OFF
    if ":system_library:" in text:
        return "the client went away during the handshake"
    return words_of_reason(reasons[0][:MAX_SHOWN_CHARS])


def _cause(found: dict[str, Any]) -> str:
    if text := _text(found, _WHY, cut=False):
        return cause_from_text(text)
    closed = _text(found, "closed")
    if closed == _TIMEOUT:
        return f"the handshake took more than {HANDSHAKE_SECONDS:g} s"
    return f"Envoy says: {closed}" if closed else "the handshake failed, and Envoy does not say why"


def _end(text: str) -> str:
    """A date as other lines of the log have it; empty if it is none."""
    try:
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _text(found: dict[str, Any], field: str, *, cut: bool = True) -> str:
    value = found.get(field)
    text = value if isinstance(value, str) else ""
    return text[:MAX_SHOWN_CHARS] if cut else text
