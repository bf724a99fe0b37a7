"""The policy, the certificates and the hour that targets share. Everything is fixed: nothing depends on the clock."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from urllib.parse import quote

from policies.engine.policy_set import PolicySet
from policies.language.load import Loaded, load_policy
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource
from policies.peer.pem import der_from_pem

SEEDS = Path(__file__).parent / "seeds"
NOW = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
METHOD, HOST, PATH = "GET", "invoices.prod.svc", "/v1/invoices"

#: One caller may call one path of one host; nothing else is allowed, whatever is sent.
_POLICY = f"""\
version: 1
trust: {{mesh: {{anchors: [root.pem], spiffe_trust_domain: acme.internal}}}}
identities: {{billing: {{uri: "spiffe://acme.internal/ns/prod/sa/billing"}}}}
routes: {{invoices: {{hosts: [{HOST}], methods: [{METHOD}], paths: [{PATH}]}}}}
rules:
  - {{id: billing-reads, allow: billing, to: invoices}}
  - {{id: no-robots, deny: billing, to: {{headers: {{x-robot: ["yes"]}}}}}}
  - {{id: shadowed, deny: anyone, to: any, from: [192.0.2.0/24], mode: shadow}}
"""


class SeedFiles:
    """Surroundings (`policies.language.surroundings`) that know the seed files, and no time zone but UTC."""

    def read(self, path: str) -> bytes:
        """A seed by its plain name. Raises OSError."""
        if "/" in path or "\0" in path:
            raise FileNotFoundError(2, "No such file or directory", path)
        return (SEEDS / path).read_bytes()

    def folder(self, path: str) -> tuple[str, ...] | None:
        """There are no folders."""
        return None

    def fetched(self, source: CrlSource) -> bytes | None:
        """Nothing is fetched."""
        return None

    def bundle(self, source: BundleSource) -> bytes | None:
        """Nothing is asked."""
        return b""

    def timezone(self, name: str) -> tzinfo:
        """UTC. Raises KeyError for every other name."""
        if name != "UTC":
            raise KeyError(name)
        return UTC


def loaded(files: Mapping[str, bytes]) -> Loaded:
    """A policy among the seed files."""
    return load_policy(files, SeedFiles())


@cache
def policy() -> PolicySet:
    """The policy of this world."""
    found = loaded({"policy.yaml": _POLICY.encode()}).policy
    if found is None:
        raise ValueError("the policy of the fuzz targets has problems")
    return found


@cache
def pem(name: str) -> str:
    """A seed certificate, PEM."""
    return (SEEDS / f"{name}.pem").read_text(encoding="ascii")


@cache
def der(name: str) -> bytes:
    """A seed certificate, DER."""
    (found,) = der_from_pem(pem(name), limit=1)
    return found


def percent_pem(*names: str) -> str:
    """Seed certificates as Envoy writes them."""
    return quote("".join(map(pem, names)), safe="")


def xfcc() -> str:
    """XFCC of the one caller that may call."""
    leaf, chain = percent_pem("billing"), percent_pem("billing", "issuing")
    return f'Cert="{leaf}";Chain="{chain}";Subject="";URI=spiffe://acme.internal/ns/prod/sa/billing'
