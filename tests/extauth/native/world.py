"""Policies of one mesh and its partner, compiled at the hour at which its root was made."""

from extauth.native.compile import Compiled, compiled_from_policy
from extauth.native.filters import http_filters
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from runtime.address import UnixAddress
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.proto_json import Json
from tests.engine.callers import policy as policy_of_text

ROOT = Authority.root("mesh")
TIME = ROOT.now.timestamp()
PARTNER = Authority.root("partner")
FILES = {"pki/mesh.pem": ROOT.pem, "pki/partner.pem": PARTNER.pem}
MESH = "trust: {mesh: {anchors: [pki/mesh.pem], spiffe_trust_domain: acme.internal}}\n"
#: SHA-256 of a leaf that is presented alone.
LEAF = "ab" * 32


def policy_of(rules: str, trust: str = MESH) -> PolicySet:
    """A policy whose text is `rules`, with one trust entry."""
    return policy_of_text(trust + rules, FILES)


def compiled_of(rules: str, trust: str = MESH) -> Compiled:
    """The same, compiled."""
    return compiled_from_policy(policy_of(rules, trust), TIME, stamped=False)


def filters_of(compiled: Compiled) -> list[Json]:
    """The HTTP filters, asking at a socket that nobody has."""
    return http_filters(compiled, Authorization(UnixAddress("/run/peergate.sock")))
