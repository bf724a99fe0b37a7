"""Callers and policies for tests of the engine: identities are asserted, so no certificate has to be issued."""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from hashlib import sha256
from ipaddress import ip_address
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request, Unreported
from policies.language.load import Loaded, load_policy
from policies.peer.bundle_source import BundleSource
from policies.peer.certificate import IdentityFacts
from policies.peer.crl_source import CrlSource
from policies.peer.name import DistinguishedName
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity, Presented

NOW = 1_790_000_000.0
MESH = "acme.internal"


class NoFiles:
    """Surroundings with the given files and the real time zones."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})

    def read(self, path: str) -> bytes:
        """As Surroundings.read."""
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None

    def folder(self, path: str) -> tuple[str, ...] | None:
        """As Surroundings.folder."""
        inside = sorted(name.removeprefix(path + "/") for name in self.files if name.startswith(path + "/"))
        return tuple(inside) or None

    def fetched(self, source: CrlSource) -> bytes | None:
        """Nothing is fetched."""
        return None

    def bundle(self, source: BundleSource) -> bytes | None:
        """Nothing is asked."""
        return b""

    def timezone(self, name: str) -> tzinfo:
        """As Surroundings.timezone."""
        try:
            return UTC if name == "UTC" else ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise KeyError(name) from None


def loaded(text: str, files: Mapping[str, bytes] | None = None) -> Loaded:
    """Load one policy text; `version: 1` is added."""
    return load_policy({"policy.yaml": f"version: 1\n{text}".encode()}, NoFiles(files))


def policy(text: str, files: Mapping[str, bytes] | None = None) -> PolicySet:
    """The policy of one text without problems."""
    found = loaded(text, files)
    assert found.policy is not None, "\n".join(map(str, found.problems))
    return found.policy


def caller(
    uri: Iterable[str] = (),
    *,
    dns: Iterable[str] = (),
    email: Iterable[str] = (),
    ip: Iterable[str] = (),
    subject: str = "",
    issuer: str = "",
    trust: Iterable[str] = ("mesh",),
    facts: IdentityFacts | None = None,
) -> AssertedIdentity:
    """A caller whose certificate passed the entries in `trust`."""
    if facts is None:
        facts = IdentityFacts(
            uri=tuple(uri),
            dns=tuple(dns),
            email=tuple(email),
            ip=tuple(map(ip_address, ip)),
            subject=DistinguishedName.parse(subject),
            issuer=DistinguishedName.parse(issuer),
            serial=0xA1,
            cert_sha256=b"\x01" * 32,
            spki_sha256=b"\x02" * 32,
        )
    key = sha256(repr((facts, sorted(trust))).encode()).digest()
    return AssertedIdentity(facts, frozenset(trust), key)


def service(name: str) -> AssertedIdentity:
    """A workload of the mesh."""
    return caller([f"spiffe://{MESH}/ns/prod/sa/{name}"])


def request(
    peer: Presented = NO_CERTIFICATE,
    target: str = "/",
    *,
    method: str = "GET",
    host: str = "h.example",
    headers: Mapping[str, Iterable[str]] | None = None,
    seen: Iterable[str] | None = None,
    source: str | None = "10.0.0.1",
    sni: str | Unreported | None = None,
    time: float = NOW,
) -> Request:
    """One request, harmless unless said otherwise."""
    return Request(
        peer,
        method,
        target,
        host,
        {name: tuple(values) for name, values in (headers or {}).items()},
        frozenset(seen) if seen is not None else None,
        ip_address(source) if source is not None else None,
        sni,
        time,
    )


def decided(rules: PolicySet | str, asked: Request) -> Decision:
    """The decision of a policy, or of its text."""
    return evaluate(policy(rules) if isinstance(rules, str) else rules, asked)
