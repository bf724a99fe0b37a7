"""A file with a certificate is read for what it is; whatever else it holds is named in one line."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from peergate.certificate_file import MAX_CERTIFICATE_FILE_BYTES, presented_from_files
from peergate.errors import ArgumentError
from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.presented import MalformedCertificate, PresentedCertificate, presented_from_der
from tests.peer.forge import authority, certificate

NOW = datetime.now(UTC)
ROOT = Authority.root("Root", now=NOW)
ISSUING = ROOT.intermediate("Issuing")
LEAF = ISSUING.issue(uri=["spiffe://td/a"])
OTHER = ISSUING.issue(subject="CN=other")
EXPECTED = presented_from_der(LEAF.der, [ISSUING.issued.der])

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN, LOCKED = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"secret")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], str]:
    """Writes a file and names it."""

    def write(data: bytes) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.pem"
        path.write_bytes(data)
        return str(path)

    return write


Write = Callable[[bytes], str]


def refusal(path: str, chain: str | None = None) -> str:
    with pytest.raises(ArgumentError) as raised:
        presented_from_files(path, chain)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# What is read.


def test_pem_is_a_leaf_and_then_its_chain(written: Write) -> None:
    assert presented_from_files(written(LEAF.chain_pem)) == EXPECTED


def test_text_around_the_blocks_is_no_matter(written: Write) -> None:
    text = b"subject=CN = \xc3\xa4\n" + LEAF.pem + b"\nissuer\n" + ISSUING.pem
    assert presented_from_files(written(text)) == EXPECTED


def test_der_is_a_leaf_alone(written: Write) -> None:
    assert presented_from_files(written(LEAF.der)) == presented_from_der(LEAF.der)


def words(value: str | bytes) -> str:
    """An id that is the same in every process: keys and certificates are made anew in each."""
    return value if isinstance(value, str) else "data"


@pytest.mark.parametrize("chain", [ISSUING.pem, ISSUING.issued.der, LEAF.chain_pem], ids=["pem", "der", "with leaf"])
def test_a_chain_may_come_in_a_file_of_its_own_with_or_without_the_leaf(written: Write, chain: bytes) -> None:
    assert presented_from_files(written(LEAF.pem), written(chain)) == EXPECTED


def test_a_certificate_that_is_none_is_malformed_and_no_error(written: Write) -> None:
    junk = b"-----BEGIN CERTIFICATE-----\nMAAK\n-----END CERTIFICATE-----\n"
    assert isinstance(presented_from_files(written(junk)), MalformedCertificate)
    assert isinstance(presented_from_files(written(b"\x30\x02\x05\x00")), MalformedCertificate)


def test_a_certificate_over_the_limits_is_malformed_and_no_error(written: Write) -> None:
    many = ROOT.issue(dns=[f"a{number}.example" for number in range(65)])
    found = presented_from_files(written(many.pem))
    assert isinstance(found, MalformedCertificate)
    assert "64" in found.problem


def test_what_came_along_unreadable_is_kept_as_it_would_be_sent(written: Write) -> None:
    junk = b"-----BEGIN CERTIFICATE-----\nMAAK\n-----END CERTIFICATE-----\n"
    found = presented_from_files(written(LEAF.pem + junk))
    assert isinstance(found, PresentedCertificate)
    assert len(found.intermediates) == 1


def test_an_issuer_that_is_no_ca_stays_for_the_examination_to_tell(written: Write) -> None:
    root = authority("Root")
    bad = certificate("Bad", issuer=root)
    leaf = certificate("leaf", issuer=bad)
    found = presented_from_files(written(leaf.pem + bad.pem))
    assert isinstance(found, PresentedCertificate)
    assert certificate_from_der(found.intermediates[0]).subject.text == "CN=Bad"


# What is refused.


def test_two_leaves_are_one_too_many(written: Write) -> None:
    assert refusal(written(LEAF.pem + OTHER.pem)) == (
        "`CN=other` is a second leaf: give one leaf first, then the CA certificates above it"
    )


def test_a_chain_that_begins_with_a_ca_is_told_that_the_leaf_comes_first(written: Write) -> None:
    assert refusal(written(ISSUING.pem + OTHER.pem)).startswith("`CN=other` is a second leaf: give one leaf first")


def test_more_certificates_than_are_read_are_refused(written: Write) -> None:
    cas = b"".join(Authority.root(f"CA {number}").pem for number in range(MAX_INTERMEDIATES + 1))
    assert refusal(written(LEAF.pem + cas)).endswith("more than 9 PEM blocks")
    assert refusal(written(LEAF.chain_pem), written(cas)) == "10 certificates beside the leaf; at most 8 are read"


def private_keys() -> dict[str, bytes]:
    elliptic, long = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    return {
        "PKCS #8": elliptic.private_bytes(DER, PKCS8, PLAIN),
        "EC": elliptic.private_bytes(DER, PKCS1, PLAIN),
        "RSA": long.private_bytes(DER, PKCS1, PLAIN),
        "encrypted": elliptic.private_bytes(DER, PKCS8, LOCKED),
    }


@pytest.mark.parametrize(("kind", "data"), private_keys().items(), ids=words)
def test_a_private_key_in_der_is_named(written: Write, kind: str, data: bytes) -> None:
    said = refusal(written(data))
    assert "private key" in said
    assert kind in said


def test_a_private_key_in_pem_is_named_and_not_shown(written: Write) -> None:
    for text in (LEAF.key_pem, LEAF.pem + LEAF.key_pem):
        said = refusal(written(text))
        assert said.endswith("there is a private key in it; give the certificate alone (openssl x509 -in FILE)")
        assert LEAF.key_pem.splitlines()[1].decode() not in said


def other_files() -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    crl = x509.load_pem_x509_crl(ROOT.crl())
    return {
        "a certificate request": request.public_bytes(DER),
        "a CERTIFICATE REQUEST": request.public_bytes(PEM),
        "a CRL": crl.public_bytes(DER),
        "a X509 CRL": ROOT.crl(),
        "a public key": key.public_key().public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "a PKCS #12 store": pkcs12.serialize_key_and_certificates(b"x", LEAF.key, LEAF.certificate, None, PLAIN),
        "PKCS #7": pkcs7.serialize_certificates([LEAF.certificate], DER),
    }


@pytest.mark.parametrize(("kind", "data"), other_files().items(), ids=words)
def test_what_is_taken_for_a_certificate_is_named(written: Write, kind: str, data: bytes) -> None:
    assert kind in refusal(written(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\x00" * 100, "neither PEM nor DER of a certificate"),
        (os.urandom(64) + b"\xff", "neither PEM nor DER of a certificate"),
        (b"\x7fELF\x02\x01", "neither PEM nor DER of a certificate"),
        (b"hello\n", "neither PEM nor DER of a certificate"),
        (LEAF.der[:-1], "neither PEM nor DER of a certificate"),
        (LEAF.der + b"\n", "neither PEM nor DER of a certificate"),
        (b"\xff" + LEAF.pem, "not a PEM file: it is not UTF-8 text"),
        (LEAF.pem.replace(b"-----END", b"----END"), "the last PEM block has no -----END CERTIFICATE-----"),
        (LEAF.pem + b"-----BEGIN CERTIFICATE----\n", "line "),
        (LEAF.pem[:200], "the last PEM block has no -----END CERTIFICATE-----"),
        (LEAF.pem.replace(b"MII", b"M I"), "is not base64"),
    ],
    ids=words,
)
def test_what_is_no_certificate_at_all_is_one_line(written: Write, data: bytes, said: str) -> None:
    path = written(data)
    found = refusal(path)
    assert found.startswith(f"--cert {path}: ")
    assert said in found


def test_a_file_over_the_limit_is_not_read(written: Write) -> None:
    said = refusal(written(b"#" * (MAX_CERTIFICATE_FILE_BYTES + 1)))
    assert said.endswith(f"larger than {MAX_CERTIFICATE_FILE_BYTES} bytes")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        assert refusal(str(path)) == f"--cert {path}: not a regular file"


@pytest.mark.parametrize("path", ["/nowhere/x.pem", "", "a\0b", "\udcff"])
def test_a_name_that_leads_nowhere_is_one_line(path: str) -> None:
    assert refusal(path).startswith("--cert ")


def test_a_mistake_in_the_chain_names_its_flag(written: Write) -> None:
    assert refusal(written(LEAF.pem), "/nowhere") == "--chain /nowhere: No such file or directory"


def test_what_openssl_writes_is_read(written: Write) -> None:
    path = written(LEAF.pem)
    text = subprocess.run(["openssl", "x509", "-in", path, "-text"], capture_output=True, check=True).stdout
    assert presented_from_files(written(text)) == presented_from_der(LEAF.der)
