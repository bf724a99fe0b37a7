"""A corpus file made real: authorities, certificates and CRLs in memory and on disk, and the policy's folder."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from peergate.demo.client import Credentials
from pki.authority import Authority
from tests.decisions.corpus import CorpusFile
from tests.support.odd_certificates import Identity, identity_from_issued, reissued
from tests.support.spiffe_bundles import bundle, entry_of

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FACT = re.compile(r"<<(spki|sha256|serial) ([\w-]+)>>")
_CERTIFICATE_KEYS = {
    *(
        "by",
        "uri",
        "dns",
        "email",
        "ip",
        "subject",
        "from",
        "until",
        "usage",
        "ca",
        "key",
        "serial",
        "bare",
        "key_usage",
    ),
}


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a case needs: who is who, and where the policy lies."""

    now: datetime
    authorities: Mapping[str, Authority]
    identities: Mapping[str, Identity]
    credentials: Mapping[str, Credentials]
    policy: Path

    def time(self, at: str) -> float:
        """Seconds since the epoch of `at`: empty (now), an offset, or an RFC 3339 time."""
        return moment(at, self.now).timestamp()


def world_from_file(file: CorpusFile, folder: Path) -> World:
    """Issue everything and write the policy to `folder`, with its PKI beside it."""
    now = datetime.fromisoformat(file.now) if file.now else datetime.now(UTC)
    authorities: dict[str, Authority] = {}
    for name, entry in file.authorities.items():
        authorities[name] = _authority(name, entry, authorities, now)
    first = next(iter(authorities))
    identities = {name: _identity(entry, authorities, first, now) for name, entry in file.certificates.items()}
    pki = folder / "pki"
    pki.mkdir(parents=True)
    for name, authority in authorities.items():
        (pki / f"{name}.pem").write_bytes(authority.pem)
        (pki / f"{name}.jwks").write_bytes(bundle(entry_of(authority)))
    for name, entry in file.crls.items():
        (pki / f"{name}.crl").write_bytes(_crl(entry, authorities, identities, now))
    for name, text in file.policy.items():
        (folder / name).write_text(_FACT.sub(lambda match: _fact(match, identities), text), encoding="utf-8")
    return World(now, authorities, identities, _written(identities, folder.with_suffix(".clients")), folder)


def moment(text: str, now: datetime) -> datetime:
    """A time as the corpus writes it: `-2d`, `+90m`, or RFC 3339."""
    if not text:
        return now
    if text[0] in "+-":
        return now + timedelta(seconds=float(text[:-1]) * _UNITS[text[-1]])
    return datetime.fromisoformat(text)


def _authority(name: str, entry: Mapping[str, Any], above: Mapping[str, Authority], now: datetime) -> Authority:
    days = float(entry.get("days", 20))
    if "under" in entry:
        return above[entry["under"]].intermediate(entry.get("name", name), days=days)
    return Authority.root(entry.get("name", name), now=moment(entry.get("now", ""), now), days=days)


def _identity(entry: Mapping[str, Any], authorities: Mapping[str, Authority], first: str, now: datetime) -> Identity:
    if unknown := entry.keys() - _CERTIFICATE_KEYS:
        raise ValueError(f"unknown keys of a certificate: {sorted(unknown)}")
    authority = authorities[entry.get("by", first)]
    usage = entry.get("usage", "client")
    issued = authority.issue(
        uri=_listed(entry.get("uri", [])),
        dns=_listed(entry.get("dns", [])),
        email=_listed(entry.get("email", [])),
        ip=_listed(entry.get("ip", [])),
        subject=entry.get("subject"),
        client=usage in {"client", "both", "any"},
        server=usage in {"server", "both"},
        serial=int(entry["serial"], 16) if "serial" in entry else None,
        not_before=moment(entry["from"], now) if "from" in entry else None,
        not_after=moment(entry["until"], now) if "until" in entry else None,
    )
    changes = _changes(entry)
    bits = int(entry["key"].removeprefix("rsa-")) if "key" in entry else None
    identity = reissued(authority, issued, rsa_bits=bits, extensions=changes)
    if bits is None and not changes:
        identity = identity_from_issued(issued)
    return Identity(identity.certificate, (), identity.key_pem) if entry.get("bare") else identity


def _changes(entry: Mapping[str, Any]) -> dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None]:
    changes: dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None] = {}
    if entry.get("ca"):
        changes[x509.BasicConstraints] = (x509.BasicConstraints(ca=True, path_length=None), True)
    if entry.get("usage") == "none":
        changes[x509.ExtendedKeyUsage] = None
    if entry.get("usage") == "any":
        any_use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
        changes[x509.ExtendedKeyUsage] = (any_use, False)
    if "key_usage" in entry:
        changes[x509.KeyUsage] = (_key_usage(_listed(entry["key_usage"])), True) if entry["key_usage"] else None
    return changes


def _key_usage(bits: list[str]) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


def _crl(
    entry: Mapping[str, Any], authorities: Mapping[str, Authority], identities: Mapping[str, Identity], now: datetime
) -> bytes:
    listed = _listed(entry.get("revoked", []))
    revoked = [
        authorities[name].issued.certificate if name in authorities else identities[name].certificate for name in listed
    ]
    return authorities[entry["by"]].crl(
        revoked,
        this_update=moment(entry["from"], now) if "from" in entry else None,
        next_update=moment(entry["until"], now) if "until" in entry else None,
    )


def _fact(match: re.Match[str], identities: Mapping[str, Identity]) -> str:
    certificate = identities[match[2]].certificate
    if match[1] == "serial":
        return f"{certificate.serial_number:x}"
    if match[1] == "sha256":
        return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(hashlib.sha256(spki).digest()).decode()


def _written(identities: Mapping[str, Identity], folder: Path) -> dict[str, Credentials]:
    folder.mkdir()
    credentials = {}
    for name, identity in identities.items():
        credentials[name] = Credentials(folder / f"{name}.pem", folder / f"{name}.key")
        credentials[name].chain.write_bytes(identity.chain_pem)
        credentials[name].key.write_bytes(identity.key_pem)
    return credentials


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
