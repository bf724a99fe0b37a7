"""Makes the certificates and the CRL that targets start from: `python -m fuzz.seeds.make`.

They are checked in, without keys, so that the inputs of a run depend on its seed alone.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from pki.authority import Authority, Issued

HERE = Path(__file__).parent
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_END = _BEGIN + timedelta(days=3650)
_UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def main() -> None:
    """Write every file anew."""
    root = Authority.root("fuzz root", now=_BEGIN, days=7300)
    issuing = root.intermediate("fuzz issuing CA", days=7000)
    billing = issuing.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"], not_after=_END)
    many = _many_names(root)
    for name, content in {"root": root.pem, "issuing": issuing.pem, "billing": billing.pem, "many": many.pem}.items():
        (HERE / f"{name}.pem").write_bytes(content)
    (HERE / "root.crl").write_bytes(root.crl([many.certificate, 7, 2**150], next_update=_END))


def _many_names(root: Authority) -> Issued:
    other = x509.OtherName(_UPN, b"\x0c\x05alice")
    directory = x509.DirectoryName(x509.Name.from_rfc4514_string("CN=other,O=Elsewhere"))
    return root.issue(
        uri=["https://partner.example/x"],
        dns=["a.partner.example", "b.partner.example"],
        email=["ops@partner.example"],
        ip=["192.0.2.1", "2001:db8::1"],
        subject="CN=gateway\\, 1,OU=Payments+OU=Treasury,O=Partner Inc,C=DE,UID=u1",
        not_after=_END,
        extra=[
            (x509.IssuerAlternativeName([other, directory]), False),
            (x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.2.3.4"), None)]), False),
        ],
    )


if __name__ == "__main__":
    main()
