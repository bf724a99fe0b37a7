"""What ends, found in a policy's trust and in the certificate of a listener."""

import hashlib
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl
from policies.peer.trust import TrustEntry, TrustStore
from runtime.expiry import Expiring, ExpiryKind
from runtime.limits import MAX_EXPIRY_NAME_CHARS


def expiring_from_trust(store: TrustStore) -> tuple[Expiring, ...]:
    """Every anchor, intermediate and CRL of every entry, each once.

    Of several lists of one CA the one that lasts longest counts: it is what proves certificates good. Lists of an entry
    with `revocation: off` prove nothing.
    """
    return tuple(dict.fromkeys(item for entry in store.entries for item in _of_entry(entry, store)))


def expiring_from_served(chain: bytes) -> tuple[Expiring, ...]:
    """The certificates in a listener's own PEM chain, leaf first; other PEM blocks beside them are passed over.

    Raises ValueError if there is none that can be read.
    """
    return tuple(_served(certificate) for certificate in x509.load_pem_x509_certificates(chain))


def _of_entry(entry: TrustEntry, store: TrustStore) -> Iterator[Expiring]:
    yield from (_authority(ExpiryKind.ANCHOR, entry, ca) for ca in entry.anchors)
    yield from (_authority(ExpiryKind.INTERMEDIATE, entry, ca) for ca in entry.intermediates)
    own = {id(crl) for crl in entry.crls}
    for ca in entry.authorities:
        lists = [crl for crl in store.lists.of(ca) if id(crl) in own]
        if lists:
            yield _crl(entry, _lasting_longest(lists))


def _lasting_longest(lists: Iterable[Crl]) -> Crl:
    return max(lists, key=lambda crl: crl.next_update)


def _authority(kind: ExpiryKind, entry: TrustEntry, ca: Certificate) -> Expiring:
    return Expiring(kind, entry.name, _short(ca.subject.text), ca.sha256, ca.not_before, ca.not_after)


def _crl(entry: TrustEntry, crl: Crl) -> Expiring:
    digest = hashlib.sha256(crl.signature.value).digest()
    return Expiring(ExpiryKind.CRL, entry.name, _short(crl.issuer.text), digest, crl.this_update, crl.next_update)


def _served(certificate: x509.Certificate) -> Expiring:
    starts, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    name = _short(certificate.subject.rfc4514_string())
    return Expiring(ExpiryKind.SERVED, None, name, certificate.fingerprint(SHA256()), starts, ends)


def _short(name: str) -> str:
    return name if len(name) <= MAX_EXPIRY_NAME_CHARS else f"{name[: MAX_EXPIRY_NAME_CHARS - 1]}…"
