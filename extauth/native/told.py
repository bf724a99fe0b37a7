"""What Envoy's access log tells of a request that Envoy decided, so far as a policy may ask for it.

Law: what a line does not tell exactly as it was received is not told at all; nobody guesses.
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from extauth.native.limits import MAX_TOLD_HEADERS
from extauth.native.mentioned import goes_beyond_names
from policies.engine.policy_set import PolicySet
from policies.peer.presented import NO_CERTIFICATE, NoCertificate
from policies.peer.reader import PresentedReader, Read
from runtime.envoy.proto_json import Json, JsonValue

#: Filter state, and field of a line: JSON with what only some policies ask for.
TOLD = "peergate.told"
_TOLD_FIELD = "told"
_CERTIFICATE, _CHAIN, _HEADERS = "certificate", "chain", "headers"
_FINGERPRINT, _CONTENT_TYPE = "fingerprint", "content_type"
#: Names that stand in an expression as they are; Envoy drops those with `_` before anybody sees them.
_PLAIN_NAME = re.compile(r"[a-z0-9._-]+")


class UntoldError(ValueError):
    """A line does not tell what a policy asks for. The message says what, in a few words."""


@dataclass(frozen=True, slots=True)
class Told:
    """What lines tell beyond the facts of every record.

    `certificate`: the leaf whole, and the fingerprints of what came with it. `headers`: names, lower case.
    """

    certificate: bool = False
    headers: tuple[str, ...] = ()


NOTHING_MORE = Told()


def told_for(policy: PolicySet | None, following: PolicySet | None) -> Told:
    """What lines must tell so that `policy` can name every rule, and `following`, the next one, can be asked."""
    # The names of the policy in force come first: those of the next one never push them out.
    asking = [asked for asked in (policy, following) if asked is not None]
    listed = dict.fromkeys(name for asked in asking for name in sorted(asked.condition_headers))
    names = [name for name in listed if name != "content-type" and _PLAIN_NAME.fullmatch(name)]
    certificate = following is not None or (policy is not None and goes_beyond_names(policy))
    return Told(certificate, tuple(names[:MAX_TOLD_HEADERS]))


def field_of_line() -> Json:
    """The field of the access log that has what `fields_from_told` tells."""
    return {_TOLD_FIELD: f"%FILTER_STATE({TOLD}:PLAIN)%"}


def fields_from_told(told: Told) -> Json:
    """Fields of a `json_format`. A header that occurs several times has its values joined by a comma."""
    fields: Json = {}
    if told.certificate:
        fields |= {_CERTIFICATE: "%DOWNSTREAM_PEER_CERT%", _CHAIN: "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%"}
    if told.headers:
        values: dict[str, JsonValue] = {name: f"%CEL(request.headers['{name}'])%" for name in told.headers}
        fields[_HEADERS] = values
    return fields


def told_from_line(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a line tells beyond the facts of every record; nothing, if it cannot be read."""
    text = line.get(_TOLD_FIELD)
    try:
        told = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def headers_from_line(line: Mapping[str, Any], names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The headers `names` as a `Request` has them. Raises UntoldError."""
    told = line.get(_HEADERS)
    values = {**(told if isinstance(told, dict) else {}), "content-type": line.get(_CONTENT_TYPE)}
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(names):
        if name not in values:
            raise UntoldError(f"the header {name}")
        value = values[name]
        if value is None:
            continue
        # Envoy writes bytes that are no UTF-8 as other characters.
        if not isinstance(value, str) or not value.isascii():
            raise UntoldError(f"the header {name} as it was sent")
        found[name] = (value,)
    return found


def presented_from_line(
    line: Mapping[str, Any], reader: PresentedReader, authorities: Mapping[str, str]
) -> Read | NoCertificate:
    """The certificate with its chain; `authorities`: as `authorities_from_policy`. Raises UntoldError."""
    if not isinstance(line.get(_FINGERPRINT), str):
        return NO_CERTIFICATE
    certificate, chain = line.get(_CERTIFICATE), line.get(_CHAIN)
    if not isinstance(certificate, str) or not isinstance(chain, str):
        raise UntoldError("the certificate")
    _, *above = chain.split(",")
    try:
        pems = [authorities[fingerprint] for fingerprint in above]
    except KeyError:
        raise UntoldError("a certificate of the chain") from None
    return reader.from_percent_pem(certificate, certificate + "".join(pems) if pems else "")


def authorities_from_policy(policy: PolicySet) -> dict[str, str]:
    """Every anchor and intermediate, percent-encoded PEM, by SHA-256 (hex).

    No other CA comes with a leaf about which Envoy decides.
    """
    cas = {ca.sha256.hex(): ca.der for entry in policy.trust.entries for ca in entry.authorities}
    return {fingerprint: quote(ssl.DER_cert_to_PEM_cert(der)) for fingerprint, der in cas.items()}
