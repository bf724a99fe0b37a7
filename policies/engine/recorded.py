"""From a decision record back to the request that was judged: the way of `policy replay`, and law 10's other half.

A verified caller comes back as an `AssertedIdentity` (the record names what it proved and the trust entries it passed);
a refused one comes back as its certificates, and one that was only named as its names, to be judged again.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from policies.engine.record import Presentation
from policies.engine.request import UNREPORTED, Request
from policies.peer.certificate import IdentityFacts
from policies.peer.errors import PeerError
from policies.peer.limits import MAX_CERTIFICATE_BYTES, MAX_INTERMEDIATES
from policies.peer.name import DistinguishedName
from policies.peer.pem import der_from_pem
from policies.peer.presented import (
    NO_CERTIFICATE,
    AssertedIdentity,
    MalformedCertificate,
    Presented,
    PresentedCertificate,
    named_caller,
    presented_from_der,
    proxy_verified,
)

#: RFC 3339 §5.6, upper case, up to nanoseconds.
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
#: All that `_presented` reads.
_CALLER_FIELDS = (
    "identity.presented",
    "identity.problem",
    "identity.trust",
    "identity.uri",
    "identity.dns",
    "identity.email",
    "identity.ip_san",
    "tls.client.subject",
    "tls.client.issuer",
    "tls.client.x509.serial_number",
    "tls.client.hash.sha256",
    "identity.spki_sha256",
    "tls.client.certificate_chain",
)
_HEX = re.compile(r"-?[0-9A-Fa-f]{1,64}")


class RecordError(ValueError):
    """Not a decision record that can be judged again. The message names the field."""


def request_from_record(record: Mapping[str, object]) -> Request:
    """The request that a decision record speaks of. Raises RecordError, and nothing else, whatever the record holds."""
    fields = _Fields(record)
    return _request(fields, _presented(fields))


class RecordReader:
    """Reads many records that repeat their callers. `remembered`: callers kept; all are dropped when there are more."""

    def __init__(self, remembered: int) -> None:
        self._limit = remembered
        self._callers: dict[str, Presented] = {}

    def request(self, record: Mapping[str, object]) -> Request:
        """As `request_from_record`."""
        fields = _Fields(record)
        key = fields.key(_CALLER_FIELDS)
        caller = self._callers.get(key)
        if caller is None:
            caller = _presented(fields)
            if len(self._callers) >= self._limit:
                self._callers.clear()
            self._callers[key] = caller
        return _request(fields, caller)


def _request(fields: "_Fields", caller: Presented) -> Request:
    method = fields.text("http.request.method")
    query = "?" if fields.flag("request.query_present") else ""
    return Request(
        peer=caller,
        method=method,
        target=fields.text("url.path") + query,
        host=fields.text("url.domain"),
        headers=_headers(fields),
        seen_headers=_seen_headers(fields),
        source_ip=fields.address("source.ip"),
        sni=fields.text_or_none("tls.client.server_name") if "tls.client.server_name" in fields else UNREPORTED,
        time=epoch_from_timestamp(fields.text("@timestamp")),
    )


def epoch_from_timestamp(text: str) -> float:
    """Epoch seconds of an RFC 3339 time; the inverse of `timestamp_from_epoch`. Raises RecordError."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise RecordError(f"{text[:40]!r} is no RFC 3339 time such as 2026-01-31T12:00:00Z")
    try:
        whole = datetime.fromisoformat(match[1] + match[3]).timestamp()
    except (ValueError, OverflowError) as error:
        raise RecordError(f"{text!r} is no time: {error}") from error
    return whole + float(f"0.{match[2] or 0}")


class _Fields:
    """A record whose fields are read with their type; `raw` puts back the texts that are not Unicode."""

    def __init__(self, record: Mapping[str, object]) -> None:
        self._record = {**record, **_raw(record)} if "raw" in record else record

    def __contains__(self, name: str) -> bool:
        return name in self._record

    def key(self, names: Iterable[str]) -> str:
        """Equal for equal values of these fields, and for no others: JSON values are written as they are read."""
        return repr([self._record.get(name) for name in names])

    def text(self, name: str) -> str:
        value = self._record.get(name)
        if not isinstance(value, str):
            raise RecordError(f"{name} is not text" if name in self._record else f"{name} is missing")
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self._record.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        value = self._record.get(name, False)
        if not isinstance(value, bool):
            raise RecordError(f"{name} is not true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        return _texts(name, self._record.get(name))

    def texts_or_none(self, name: str) -> tuple[str, ...] | None:
        return None if self._record.get(name) is None else self.texts(name)

    def mapping(self, name: str) -> Mapping[object, object]:
        value = self._record.get(name, {})
        if not isinstance(value, Mapping):
            raise RecordError(f"{name} is not a mapping")
        return value

    def address(self, name: str) -> IPv4Address | IPv6Address | None:
        text = self.text_or_none(name)
        return None if text is None else _address(name, text)

    def digest(self, name: str, text: str | None) -> bytes | None:
        """SHA-256 in hex."""
        if text is None:
            return None
        if not _HEX.fullmatch(text) or len(text) != 64:
            raise RecordError(f"{name} is no SHA-256 in hex")
        return bytes.fromhex(text)


def _raw(record: Mapping[str, object]) -> dict[str, object]:
    try:
        raw = json.loads(base64.b64decode(str(record["raw"]), validate=True))
    except (ValueError, RecursionError) as error:
        raise RecordError("raw is not base64 of JSON") from error
    if not isinstance(raw, dict):
        raise RecordError("raw is not base64 of a JSON object")
    return raw


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise RecordError(f"{name} is not a list of texts")
    return tuple(value)


def _address(name: str, text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise RecordError(f"{name} is no IP address") from error


def _headers(fields: _Fields) -> Mapping[str, tuple[str, ...]]:
    named = fields.mapping("request.headers")
    headers = {str(name): _texts("request.headers", values) for name, values in named.items()}
    if "request.content_type" in fields:
        headers["content-type"] = fields.texts("request.content_type")
    return headers


def _seen_headers(fields: _Fields) -> frozenset[str] | None:
    seen = fields.texts_or_none("request.seen_headers")
    return None if seen is None else frozenset(seen)


def _presented(fields: _Fields) -> Presented:
    word = fields.text("identity.presented")
    if word == Presentation.NONE:
        return NO_CERTIFICATE
    if word == Presentation.MALFORMED:
        return MalformedCertificate(fields.text("identity.problem"))
    if word in {Presentation.VERIFIED, Presentation.ASSERTED}:
        return _asserted(_facts(fields), frozenset(fields.texts("identity.trust")))
    verified_for = fields.text_or_none("identity.proxy_verified")
    if word == Presentation.NAMED and verified_for is not None:
        return named_caller(_facts(fields), verified_for)
    if word in {Presentation.REFUSED, Presentation.UNJUDGED}:
        read = _certificates(fields)
        return read if verified_for is None else proxy_verified(read, verified_for)
    raise RecordError(f"identity.presented is {word[:40]!r}, none of {', '.join(Presentation)}")


def _asserted(facts: IdentityFacts, trust: frozenset[str]) -> AssertedIdentity:
    key = hashlib.sha256(repr((facts, sorted(trust))).encode("utf-8", "surrogatepass")).digest()
    return AssertedIdentity(facts, trust, key)


def _facts(fields: _Fields) -> IdentityFacts:
    addresses = fields.texts_or_none("identity.ip_san")
    return IdentityFacts(
        uri=fields.texts_or_none("identity.uri"),
        dns=fields.texts_or_none("identity.dns"),
        email=fields.texts_or_none("identity.email"),
        ip=None if addresses is None else tuple(_address("identity.ip_san", text) for text in addresses),
        subject=_name(fields, "tls.client.subject"),
        issuer=_name(fields, "tls.client.issuer"),
        serial=_serial(fields.text_or_none("tls.client.x509.serial_number")),
        cert_sha256=fields.digest("tls.client.hash.sha256", fields.text_or_none("tls.client.hash.sha256")),
        spki_sha256=_pin(fields.text_or_none("identity.spki_sha256")),
    )


def _name(fields: _Fields, name: str) -> DistinguishedName | None:
    text = fields.text_or_none(name)
    try:
        return None if text is None else DistinguishedName.parse(text)
    except PeerError as error:
        raise RecordError(f"{name}: {error}") from error


def _serial(text: str | None) -> int | None:
    if text is not None and not _HEX.fullmatch(text):
        raise RecordError("tls.client.x509.serial_number is not hex")
    return None if text is None else int(text, 16)


def _pin(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = base64.b64decode(text.removeprefix("sha256:"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError("identity.spki_sha256 is not base64") from error
    if len(digest) != 32 or not text.startswith("sha256:"):
        raise RecordError("identity.spki_sha256 is no SHA-256")
    return digest


def _certificates(fields: _Fields) -> PresentedCertificate:
    pems = fields.texts("tls.client.certificate_chain")
    if not 1 <= len(pems) <= 1 + MAX_INTERMEDIATES or max(map(len, pems)) > 2 * MAX_CERTIFICATE_BYTES:
        raise RecordError("tls.client.certificate_chain is no chain of certificates, leaf first")
    try:
        leaf, *intermediates = [der_from_pem(pem, limit=1)[0] for pem in pems]
        return presented_from_der(leaf, intermediates)
    except PeerError as error:
        raise RecordError(f"tls.client.certificate_chain: {error}") from error
