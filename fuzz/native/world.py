"""The authorities and callers of this fuzzing: keys and dates are made anew for each run."""

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.authority import Authority, Issued

#: Serial numbers that the CRLs list, and that rules may name.
REVOKED, NAMED = 0xBAD0, 0xA1


@dataclass(frozen=True, slots=True)
class Caller:
    """What a certificate says, and who issued it. `bare`: presented without the CAs above it. `days`: of its life."""

    by: str
    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()
    subject: str = ""
    serial: int = 0
    days: int = 1
    server_only: bool = False
    bare: bool = False

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """What `to_json` made."""
        facts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in written.items()
        }
        return cls(**facts)

    def to_json(self) -> dict[str, Any]:
        """What is not as usual."""
        usual = asdict(Caller(self.by))
        return {name: value for name, value in asdict(self).items() if name == "by" or value != usual[name]}


def _crossed(authority: Authority, above: Authority) -> Authority:
    """`authority` as a CA below `above`, too: one name, one key, another certificate."""
    subject = authority.issued.certificate.subject
    key = authority.issued.key
    now = authority.now
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.issued.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=19))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(above.issued.key, hashes.SHA256())
    )
    return Authority(Issued(certificate, key), now)


class World:
    """Everybody who issues, and every certificate that was asked for, issued once."""

    def __init__(self) -> None:
        mesh, partners = Authority.root("mesh"), Authority.root("partners")
        late = Authority.root("late", now=mesh.now + timedelta(hours=12))
        short = mesh.intermediate("short", path_length=0)
        self.authorities = {
            "mesh": mesh,
            "issuing": mesh.intermediate("issuing"),
            # What `below` issues has more CAs above it than the path length of `short` lets it have.
            "short": short,
            "below": short.intermediate("below"),
            # What `early` issues is in force, and the CA above it is not yet.
            "late": late,
            "early": replace(late, now=mesh.now).intermediate("early"),
            "partners": partners,
            "branch": partners.intermediate("branch"),
            "stranger": Authority.root("stranger"),
            # Of the name of another authority, and the key of another authority under the roof of a third.
            "posing": partners.intermediate("mesh"),
            "crossed": _crossed(mesh, partners),
        }
        self._issued: dict[Caller, Issued] = {}

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What policies name."""
        found = {f"{name}.pem": authority.pem for name, authority in self.authorities.items()}
        return found | {f"{name}.crl": authority.crl([REVOKED]) for name, authority in self.authorities.items()}

    def issued(self, caller: Caller) -> Issued:
        """The certificate of `caller`."""
        if caller not in self._issued:
            authority = self.authorities[caller.by]
            found = authority.issue(
                uri=caller.uri,
                dns=caller.dns,
                email=caller.email,
                ip=caller.ip,
                subject=caller.subject or None,
                serial=caller.serial or None,
                client=not caller.server_only,
                server=caller.server_only,
                not_after=authority.now + timedelta(days=caller.days),
            )
            self._issued[caller] = Issued(found.certificate, found.key) if caller.bare else found
        return self._issued[caller]
