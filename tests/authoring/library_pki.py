"""Makes the public CA certificates and CRLs that stand in for the reader's own in `policies/library/*/pki`.

    python -m tests.authoring.library_pki

The keys live in this process only and are gone when it ends: nobody can issue a certificate that these anchors accept.
Everything is valid for twenty years, so that `peergate policy check` passes on the library for as long as it is read.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pki.authority import Authority

LIBRARY = Path(__file__).parents[2] / "policies" / "library"
#: Policy folder -> file name of an anchor without its ending -> whether a CRL goes with it.
ANCHORS: dict[str, dict[str, bool]] = {
    "starter": {"mesh-root": False},
    "service-to-service": {"mesh-root": False},
    "partner-api": {"mesh-root": False, "partner-root": True},
    "multi-tenant": {"tenant-root": False},
    "grpc": {"mesh-root": False},
    "health-checks": {"mesh-root": False},
    "break-glass": {"mesh-root": False, "people-root": True},
}
_DAYS = 20 * 365


def write(library: Path, now: datetime) -> None:
    """Write every `pki/` folder below `library`; what was there is replaced."""
    for policy, anchors in ANCHORS.items():
        folder = library / policy / "pki"
        folder.mkdir(exist_ok=True)
        for name, with_crl in anchors.items():
            kind = name.removesuffix("-root")
            authority = Authority.root(f"Example {kind} root, replace me", now=now, days=_DAYS)
            (folder / f"{name}.pem").write_bytes(authority.pem)
            if with_crl:
                crl = authority.crl(next_update=now + timedelta(days=_DAYS))
                (folder / f"{kind}.crl").write_bytes(crl)


if __name__ == "__main__":
    write(LIBRARY, datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC))
