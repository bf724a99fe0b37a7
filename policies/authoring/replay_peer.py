"""Who calls, by a replayed line: PEM certificates that are judged in full, an asserted identity, or nobody.

Law kept here: something was presented or nothing was. A certificate that cannot be read is malformed, never absent.
"""

from collections.abc import Mapping

from policies.authoring.claim import CLAIM_FIELDS, Claim, ClaimError, asserted_from_claim
from policies.authoring.json_line import LineError, shown
from policies.authoring.limits import MAX_REMEMBERED_CERTIFICATES
from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_CERTIFICATE_BYTES, MAX_INTERMEDIATES
from policies.peer.pem import der_from_pem
from policies.peer.presented import (
    NO_CERTIFICATE,
    MalformedCertificate,
    Presented,
    presented_from_der,
)
from policies.peer.trust import TrustStore

PEER_FIELDS = frozenset({"certificate", "chain", "identity"})
#: PEM is 4/3 of DER, with line ends and markers.
_MAX_PEM_CHARS = 2 * MAX_CERTIFICATE_BYTES


class PeerReader:
    """Reads what lines say of the caller; what a certificate says is remembered, as traffic repeats its callers."""

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust
        self._remembered: dict[tuple[str, ...], Presented] = {}

    def presented(self, fields: Mapping[str, object]) -> Presented:
        """What the caller presented, or asserts. Raises LineError if the line does not say it in one way."""
        given = [name for name in sorted(PEER_FIELDS) if fields.get(name) is not None]
        if not given:
            return NO_CERTIFICATE
        if len(given) > 1:
            raise LineError(f"`{given[0]}` and `{given[1]}` exclude each other")
        if given[0] == "identity":
            return self._asserted(fields["identity"])
        return self._certificates(_texts(given[0], fields[given[0]]))

    def _certificates(self, pems: tuple[str, ...]) -> Presented:
        found = self._remembered.get(pems)
        if found is None:
            found = _presented_from_pem(pems)
            if len(self._remembered) >= MAX_REMEMBERED_CERTIFICATES:
                self._remembered.clear()
            self._remembered[pems] = found
        return found

    def _asserted(self, value: object) -> Presented:
        if not isinstance(value, dict):
            raise LineError("`identity` is not an object")
        unknown = sorted(value.keys() - set(CLAIM_FIELDS))
        if unknown:
            raise LineError(f"`identity` has no field {shown(unknown[0])}; it has {', '.join(CLAIM_FIELDS)}")
        said = {name: _texts(f"identity.{name}", item) for name, item in value.items() if item is not None}
        try:
            return asserted_from_claim(Claim(**said), self._trust)
        except ClaimError as error:
            raise LineError(f"`identity.{error.field}`: {error}") from None


def _texts(name: str, value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise LineError(f"`{name}` is neither text nor a list of texts")
    return tuple(texts)


def _presented_from_pem(pems: tuple[str, ...]) -> Presented:
    if not 1 <= len(pems) <= 1 + MAX_INTERMEDIATES:
        return MalformedCertificate(f"{len(pems)} certificates; a leaf and at most {MAX_INTERMEDIATES} others are read")
    try:
        leaf, *intermediates = [_der_from_pem(pem) for pem in pems]
        return presented_from_der(leaf, intermediates)
    except CertificateError as error:
        return MalformedCertificate(str(error))


def _der_from_pem(pem: str) -> bytes:
    """The one certificate of a PEM text. Raises CertificateError."""
    if len(pem) > _MAX_PEM_CHARS or not pem.isascii():
        raise CertificateError(f"not PEM, or longer than {_MAX_PEM_CHARS} characters")
    (der,) = der_from_pem(pem, limit=1, explained=True)
    return der
