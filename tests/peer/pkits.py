"""NIST PKITS (Public Key Interoperability Test Suite, 2011 keys): its test cases, and what peergate makes of each.

https://csrc.nist.gov/projects/pki-testing. Certificates, CRLs and signed messages come with `cryptography-vectors`.
`data/pkits.txt` tells the end entity, CAs and CRLs of each case.
"""

from dataclasses import dataclass
from email import message_from_bytes
from functools import cache
from pathlib import Path

import cryptography_vectors

from policies.peer import der
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.crl import Crl, crl_from_bytes, crl_key
from policies.peer.errors import CertificateError, CrlError
from policies.peer.presented import MalformedCertificate, PresentedCertificate, presented_from_der
from policies.peer.trust import Revocation, Standing, TrustEntry, TrustStore

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
#: All of PKITS that is meant to be valid is so from 2011 to 2030.
TIME = 1_600_000_000.0

SECTIONS = {
    "4.1": "signatures",
    "4.2": "validity periods",
    "4.3": "name chaining",
    "4.4": "revocation by CRL",
    "4.5": "self-issued certificates",
    "4.6": "basic constraints, path length",
    "4.7": "key usage",
    "4.13": "name constraints",
    "4.14": "CRL distribution points",
    "4.15": "delta CRLs",
}


@dataclass(frozen=True)
class Case:
    """One test case. `leaf`, `cas`, `crls`: file names without ending; `valid`: what PKITS expects."""

    number: str
    valid: bool
    leaf: str
    cas: tuple[str, ...]
    crls: tuple[str, ...]

    @property
    def section(self) -> str:
        """Such as `4.13`."""
        return self.number.rpartition(".")[0]


def _cases() -> tuple[Case, ...]:
    lines = (Path(__file__).parent / "data" / "pkits.txt").read_text().splitlines()
    rows = [[column.strip() for column in line.split("|")] for line in lines if line and not line.startswith("#")]
    return tuple(
        Case(number, {"valid": True, "invalid": False}[verdict], leaf, tuple(cas.split()), tuple(crls.split()))
        for number, verdict, leaf, cas, crls in rows
    )


CASES = _cases()


def certificate_der(name: str) -> bytes:
    return (DATA / "certs" / f"{name}.crt").read_bytes()


def crl_der(name: str) -> bytes:
    return (DATA / "crls" / f"{name}.crl").read_bytes()


@cache
def certificate(name: str) -> Certificate:
    return certificate_from_der(certificate_der(name))


@cache
def crl(name: str) -> Crl:
    return crl_from_bytes(crl_der(name))


def anchor() -> Certificate:
    return certificate("TrustAnchorRootCertificate")


@dataclass(frozen=True)
class Files:
    """What a policy that names the files of a case can use, and the problem of each file that it cannot."""

    cas: tuple[Certificate, ...]
    crls: tuple[Crl, ...]
    refused: dict[str, str]


def files(case: Case) -> Files:
    """The CAs and CRLs of `case`, read as the `trust` section of a policy reads them."""
    cas: list[Certificate] = []
    crls: list[Crl] = []
    refused: dict[str, str] = {}
    for name in case.cas:
        try:
            cas.append(certificate(name))
        except CertificateError as error:
            refused[name] = str(error)
    for name in case.crls:
        try:
            crl_key(crl(name), (anchor(), *cas))
            crls.append(crl(name))
        except CrlError as error:
            refused[name] = str(error)
    return Files(tuple(cas), tuple(crls), refused)


def standing_by_path(case: Case) -> Standing:
    """Path validation alone: the peer presents the CAs, nobody looks at revocation."""
    return _standing(TrustEntry("pkits", (anchor(),), revocation=Revocation.OFF), case.leaf, case.cas)


def standing_with_crls(case: Case, revocation: Revocation = Revocation.REQUIRE) -> Standing:
    """The CAs and those CRLs of `case` that are not refused are configured; the peer presents its leaf alone."""
    found = files(case)
    return _standing(TrustEntry("pkits", (anchor(),), found.cas, crls=found.crls, revocation=revocation), case.leaf)


def _standing(entry: TrustEntry, leaf: str, cas: tuple[str, ...] = ()) -> Standing:
    presented: PresentedCertificate | MalformedCertificate
    try:
        presented = presented_from_der(certificate_der(leaf), [certificate_der(name) for name in cas])
    except CertificateError as error:
        presented = MalformedCertificate(str(error))
    return TrustStore([entry]).standing(presented, TIME)


@cache
def messages() -> dict[str, tuple[frozenset[bytes], frozenset[bytes]]]:
    """End entity -> certificates and CRLs, DER, of the S/MIME messages that NIST signed for each case."""
    by_der = {path.read_bytes(): path.stem for path in (DATA / "certs").iterdir()}
    found = {}
    for path in (DATA / "smime").iterdir():
        certificates, crls = _signed_data(path.read_bytes())
        (leaf,) = [by_der[data] for data in certificates if by_der[data].endswith("EE")]
        found[leaf] = certificates, crls
    return found


def _signed_data(message: bytes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The `certificates` [0] and `crls` [1] of the CMS SignedData (RFC 5652 §5.1) in an S/MIME message."""
    parts = message_from_bytes(message).walk()
    (signature,) = [part for part in parts if part.get_content_type() == "application/pkcs7-signature"]
    cms = signature.get_payload(decode=True)
    assert isinstance(cms, bytes)
    content = der.children(der.only(cms, der.SEQUENCE), 2)[1]
    fields = der.children(der.only(content.value, der.SEQUENCE), 6)
    certificates, crls = (
        frozenset(item.raw for field in fields if field.tag == tag for item in der.children(field.value, 99))
        for tag in (0xA0, 0xA1)
    )
    return certificates, crls


def table(rows: list[list[str]]) -> str:
    """Markdown; the first row is the head."""
    head, *rest = (f"| {' | '.join(row)} |\n" for row in rows)
    return "".join((head, f"|{'---|' * len(rows[0])}\n", *rest))
