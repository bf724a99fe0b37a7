"""The mesh that is measured: `size` services, each allowed to call one route, and the callers' certificates.

Services and routes are spelled as in a real mesh (SPIFFE IDs, service hosts). Callers come from an issuing CA below the
root, so that every chain has a certificate in between.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from pki.authority import Authority, Issued
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import Presented, presented_from_der
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource

TRUST_DOMAIN = "acme.internal"
LITERAL_PATH = "/v1/invoices"
CAPTURED_PATH = "/v1/invoices/in-2041"
ROOT_FILE = "root.pem"
#: And the CRL of the issuing CA, where the policy has one.
CRL_FILE = "issuing.crl"

_HEAD = f"""\
version: 1
trust:
  mesh: {{anchors: [{ROOT_FILE}], spiffe_trust_domain: {TRUST_DOMAIN}}}
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Service number `index` with its certificate; it may call the route of the same number."""

    index: int
    issued: Issued

    @property
    def host(self) -> str:
        """The host that the service may call."""
        return host_of(self.index)

    @property
    def uri(self) -> str:
        """Its SPIFFE ID."""
        return uri_of(self.index)

    @property
    def percent_pem(self) -> str:
        """The leaf as Envoy writes it: PEM, percent-encoded (`source.certificate`, XFCC `Cert`)."""
        return quote(self.issued.pem.decode(), safe="")

    @property
    def xfcc(self) -> str:
        """XFCC of an Envoy with SANITIZE_SET that shows subject, cert, chain, uri and dns."""
        digest = self.issued.certificate.fingerprint(SHA256()).hex()
        chain = quote(self.issued.chain_pem.decode(), safe="")
        return f'Hash={digest};Cert="{self.percent_pem}";Chain="{chain}";Subject="";URI={self.uri}'

    def presented(self) -> Presented:
        """What a TLS peer with this certificate presents."""
        above = [ca.public_bytes(Encoding.DER) for ca in self.issued.intermediates]
        return presented_from_der(self.issued.der, above)

    def request(self, peer: Presented, time: float, path: str = LITERAL_PATH) -> Request:
        """A request that the policy allows, if `peer` is this caller."""
        return Request(peer, "GET", path, self.host, EMPTY_HEADERS, None, None, None, time)


def uri_of(index: int) -> str:
    """The SPIFFE ID of service number `index`."""
    return f"spiffe://{TRUST_DOMAIN}/ns/prod/sa/service-{index}"


def host_of(index: int) -> str:
    """The host of route number `index`."""
    return f"service-{index}.prod.svc"


def policy_text(size: int) -> str:
    """A policy of `size` identities, `size` routes and `size` rules."""
    identities = (f'  service-{number}: {{uri: "{uri_of(number)}"}}\n' for number in range(size))
    routes = (
        f"  route-{number}: {{hosts: [{host_of(number)}], methods: [GET, HEAD], "
        f'paths: [{LITERAL_PATH}, "{LITERAL_PATH}/{{id}}"]}}\n'
        for number in range(size)
    )
    return _whole(identities, routes, size)


def wildcard_policy_text(size: int) -> str:
    """As many of each, wildcards before what tells them apart: SPIFFE IDs, some DNS names, and paths of one host."""
    identities = (f"  service-{number}: {_wildcard_caller(number)}\n" for number in range(size))
    routes = (
        f"  route-{number}: {{hosts: [api.prod.svc], methods: [GET, HEAD], "
        f'paths: ["/v1/*/service-{number}", "/v1/*/service-{number}/{{id}}"]}}\n'
        for number in range(size)
    )
    return _whole(identities, routes, size)


def _wildcard_caller(number: int) -> str:
    if number % 4 == 3:
        return f'{{dns: "*.service-{number}.example"}}'
    return f'{{uri: "spiffe://{TRUST_DOMAIN}/ns/*/sa/service-{number}"}}'


def _whole(identities: Iterable[str], routes: Iterable[str], size: int) -> str:
    rules = (f"  - {{id: rule-{number}, allow: service-{number}, to: route-{number}}}\n" for number in range(size))
    return "".join([_HEAD, "identities:\n", *identities, "routes:\n", *routes, "rules:\n", *rules])


@dataclass(frozen=True, slots=True)
class Mesh:
    """One root, and an issuing CA below it."""

    root: Authority
    issuing: Authority

    @classmethod
    def new(cls) -> "Mesh":
        """A mesh with keys of its own."""
        root = Authority.root("bench root")
        return cls(root, root.intermediate("bench issuing CA"))

    @property
    def time(self) -> float:
        """An instant at which everything is valid, epoch seconds."""
        return self.root.now.timestamp()

    def callers(self, indices: list[int]) -> list[Caller]:
        """These services with their certificates."""
        return [Caller(index, self.issuing.issue(uri=[uri_of(index)])) for index in indices]

    def stranger(self, index: int) -> Caller:
        """Service number `index` from an issuing CA that nobody has seen before."""
        return Caller(index, self.root.intermediate("new CA").issue(uri=[uri_of(index)]))

    def write(self, folder: Path, size: int, text: Callable[[int], str] = policy_text) -> Path:
        """Write a policy of `size` rules and its anchor to `folder`; the path of the policy file."""
        (folder / ROOT_FILE).write_bytes(self.root.pem)
        path = folder / f"policy-{size}.yaml"
        path.write_text(text(size), encoding="utf-8")
        return path

    def write_revocable(self, folder: Path, size: int, *revoked: Certificate) -> Path:
        """The same, with the issuing CA in the policy, and a CRL of it."""
        path = self.write(folder, size)
        (folder / "issuing.pem").write_bytes(self.issuing.pem)
        self.revoke(folder, *revoked)
        anchors = f"anchors: [{ROOT_FILE}]"
        named = f"{anchors}, intermediates: [issuing.pem], crls: [{CRL_FILE}]"
        path.write_text(path.read_text(encoding="utf-8").replace(anchors, named), encoding="utf-8")
        return path

    def revoke(self, folder: Path, *revoked: Certificate) -> None:
        """Write a CRL with these, and no other, beside a policy of `write_revocable`."""
        (folder / CRL_FILE).write_bytes(self.issuing.crl(revoked))


def loaded_policy(path: Path) -> PolicySet:
    """The policy at `path`, loaded as a service loads it. Raises ValueError with its problems."""
    loaded = loaded_from_reading(PolicySource(str(path)).reading())
    if loaded.policy is None:
        raise ValueError("\n".join(map(str, loaded.problems)))
    return loaded.policy


def spread(size: int, count: int) -> list[int]:
    """`count` numbers evenly over range(size)."""
    return [number * (size - 1) // max(1, count - 1) for number in range(count)]
