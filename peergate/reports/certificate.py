"""What a certificate says: for people, with the lines that name it in a policy, and as JSON."""

from base64 import b64encode
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from peergate.console import print_facts, styled
from policies.authoring.examination_wording import utc, validity
from policies.peer.certificate import Certificate


def print_certificate(console: Console, leaf: Certificate, time: float) -> None:
    """Names, dates and uses of `leaf` at `time` (epoch seconds), then how `identities` take it."""
    print_facts(console, _facts(leaf, time), indent=2)
    console.print()
    console.print(styled(f'  pins: ["{pin(leaf)}"]', ("  # its key", "dim")), soft_wrap=True)
    console.print(styled("  fingerprint:", ("  # this certificate alone", "dim")), soft_wrap=True)
    console.print(styled(f"    - {fingerprint(leaf)}"), soft_wrap=True)


def certificate_object(certificate: Certificate) -> dict[str, object]:
    """What `certificate` says, for JSON; times are RFC 3339, None is an extension that it does not have."""
    san = certificate.extensions.san
    return {
        "subject": certificate.subject.text,
        "issuer": certificate.issuer.text,
        "serial": f"{certificate.identity.serial:x}",
        "uri": list(san.uri),
        "dns": list(san.dns),
        "email": list(san.email),
        "ip_san": [str(address) for address in san.ip],
        "not_before": utc(certificate.not_before),
        "not_after": utc(certificate.not_after),
        "key": certificate.key_kind,
        "ca": certificate.is_ca,
        "key_usage": _sorted(certificate.key_usage),
        "extended_key_usage": _sorted(certificate.extended_key_usage),
        "fingerprint": fingerprint(certificate),
        "pin": pin(certificate),
    }


def fingerprint(certificate: Certificate) -> str:
    """As `fingerprint` of a selector has it: SHA-256 of the DER, hex."""
    return f"sha256:{certificate.sha256.hex()}"


def pin(certificate: Certificate) -> str:
    """As `pins` of a selector have it: SHA-256 of the SPKI, base64."""
    return f"sha256:{b64encode(certificate.spki_sha256).decode()}"


def _facts(leaf: Certificate, time: float) -> Iterable[tuple[str, Text | str]]:
    san = leaf.extensions.san
    yield "subject", leaf.subject.text or "-"
    yield "issuer", leaf.issuer.text or "-"
    yield "serial", f"{leaf.identity.serial:x}"
    for name, values in (("uri", san.uri), ("dns", san.dns), ("email", san.email), ("ip_san", san.ip)):
        yield from ((name, str(value)) for value in values)
    yield "valid", validity(leaf.not_before, leaf.not_after, time)
    yield "key", leaf.key_kind
    yield "key usage", _listed(leaf.key_usage)
    yield "used for", _listed(leaf.extended_key_usage)
    yield "CA", "yes" if leaf.is_ca else "no"


def _listed(words: frozenset[str] | None) -> str:
    return "anything (no such extension)" if words is None else ", ".join(sorted(words)) or "nothing"


def _sorted(words: frozenset[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)
