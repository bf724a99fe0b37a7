"""SDS: whom a listener trusts, from the policy's `trust`. `trust/NAME` is one entry, `trust` is all of them.

What a listener is told is a first sieve: a caller that it lets through is judged on every request. So that it refuses
nobody whom the policy would let in, CRLs are sent only for entries with `revocation: require` without another source:
with a CRL, Envoy refuses every certificate whose issuer's list is missing or past its nextUpdate. That is what
`require` means, and what `if-available`, an OCSP responder and lists that certificates name do not. And so that it lets
in nobody whom the policy would refuse, it is told the anchors only: to Envoy every certificate in `trusted_ca` is the
end of a chain.
"""

from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from ssl import DER_cert_to_PEM_cert
from textwrap import wrap

from extauth.wire.encode import message_from_json
from extauth.xds.limits import MAX_NAMES
from policies.peer.certificate import Certificate
from policies.peer.crl import Crl
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from runtime.envoy.limits import CHAIN_DEPTH
from runtime.envoy.proto_json import Json

ALL_ENTRIES = "trust"
_TYPE = "envoy.extensions.transport_sockets.tls.v3.Secret"
#: No certificate has this SHA-256.
_NO_CERTIFICATE = "0" * 64


def secret_name(entry: str) -> str:
    """The name of the secret of one trust entry."""
    return f"{ALL_ENTRIES}/{entry}"


def secrets_from_trust(store: TrustStore) -> dict[str, bytes]:
    """Every entry, and all together: name -> encoded `Secret`."""
    secrets = {secret_name(entry.name): _secret(secret_name(entry.name), store, (entry,)) for entry in store.entries}
    return {ALL_ENTRIES: _secret(ALL_ENTRIES, store, store.entries)} | secrets


@lru_cache(maxsize=MAX_NAMES)
def secret_that_trusts_nobody(name: str) -> bytes:
    """For a name that no trust entry has: no certificate passes."""
    return _encoded(name, {"verify_certificate_hash": [_NO_CERTIFICATE]})


def _secret(name: str, store: TrustStore, entries: tuple[TrustEntry, ...]) -> bytes:
    anchors = tuple(
        dict.fromkeys(ca for entry in entries for ca in entry.anchors if ca not in store.revoked_authorities)
    )
    if not anchors:
        return secret_that_trusts_nobody(name)
    context: Json = {"trusted_ca": {"inline_string": _pem(anchors)}, "max_verify_depth": CHAIN_DEPTH}
    if all(map(_depends_on_lists, entries)):
        context |= _revocation(store, entries)
    return _encoded(name, context)


def _depends_on_lists(entry: TrustEntry) -> bool:
    """Whether nobody passes without a current list among those of the policy."""
    return entry.revocation is Revocation.REQUIRE and entry.ocsp is None and not entry.crl_urls


def _revocation(store: TrustStore, entries: tuple[TrustEntry, ...]) -> Json:
    """The newest CRL of each CA. Only the leaf's issuer needs one, unless every CA of the entries has one."""
    authorities = {(ca.subject, ca.spki_sha256): ca for entry in entries for ca in entry.authorities}
    crls = [store.lists.newest(key) for key, ca in authorities.items() if store.lists.of(ca)]
    if not crls:
        return {"verify_certificate_hash": [_NO_CERTIFICATE]}
    return {
        "crl": {"inline_string": "".join(_crl_pem(crl) for crl in crls)},
        "only_verify_leaf_cert_crl": len(crls) < len(authorities),
    }


def _encoded(name: str, context: Json) -> bytes:
    return message_from_json(_TYPE, {"name": name, "validation_context": context})


def _pem(certificates: Iterable[Certificate]) -> str:
    return "".join(DER_cert_to_PEM_cert(certificate.der) for certificate in certificates)


def _crl_pem(crl: Crl) -> str:
    lines = wrap(b64encode(crl.der).decode("ascii"), 64)
    return "\n".join(["-----BEGIN X509 CRL-----", *lines, "-----END X509 CRL-----", ""])
