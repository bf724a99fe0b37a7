"""A policy file as tables: its keys, trust, zones and scope.

The reader, the JSON Schema and the "did you mean" hints all come from these tables and those of selectors, routes and
rules. Patterns, networks, times and words are only texts at this stage; the compiler judges them.
"""

from typing import Any

from policies.language.document import (
    OcspDocument,
    PolicyDocument,
    ScopeDocument,
    Texts,
    TrustDocument,
    UrlDocument,
    WorkloadApiDocument,
    ZoneDocument,
)
from policies.language.modes import MODES
from policies.language.names import Name
from policies.language.node import Scalar
from policies.language.problem import Position
from policies.language.route_table import HOSTS, NAMED_ROUTE
from policies.language.rule_table import RULE
from policies.language.selector_table import IDENTITY, NETWORK
from policies.language.shape import Entries, Many, OneOrMany, Text, TextOr
from policies.language.table import Field, Fields, Records
from policies.peer.ocsp import OcspMethod
from policies.peer.revocation import Revocation

VERSIONS = ("1",)
REVOCATIONS = tuple(word.value for word in Revocation)
BOOLEANS = ("true", "false")
OCSP_METHODS = tuple(word.value for word in OcspMethod)


_ALLOW_PRIVATE = Field(
    "allow_private",
    Text("true or false", "true", BOOLEANS),
    "Whether the host may have a private or loopback address; left out, it must have a public one.",
)
_CRL_URL = Fields(
    "crl_url",
    "a CRL that is fetched",
    '{url: "http://crl.acme.internal/mesh.crl"}',
    (
        Field(
            "url",
            Text("a URL", '"http://crl.acme.internal/mesh.crl"'),
            "Where the CRL is fetched from: http or https. Redirects are not followed.",
        ),
        Field(
            "certificate_urls",
            OneOrMany(Text("a URL", '"http://crl.partner.example/"')),
            "Instead of url: the CRLs that leaves name themselves, if they lie under one of these URLs.",
        ),
        _ALLOW_PRIVATE,
    ),
    UrlDocument,
    one_of=("url", "certificate_urls"),
)


def _workload_api(at: Position, workload_api: Scalar | None = None) -> WorkloadApiDocument | None:
    return None if workload_api is None else WorkloadApiDocument(at, workload_api)


_WORKLOAD_API: Fields[WorkloadApiDocument | None] = Fields(
    "workload_api",
    "a SPIFFE bundle that is kept up to date",
    '{workload_api: "unix:///run/spire/agent.sock"}',
    (
        Field(
            "workload_api",
            Text("the Unix socket of a SPIFFE Workload API", '"unix:///run/spire/agent.sock"'),
            "The SPIFFE Workload API that tells the bundle, and every change of it: unix:///path/of/its.sock.",
            required=True,
        ),
    ),
    _workload_api,
    {"socket": "write `workload_api`", "url": "write `workload_api`", "path": "write `workload_api`"},
)
_OCSP = Fields(
    "ocsp",
    "whom to ask by OCSP",
    '{url: "http://ocsp.acme.internal"}',
    (
        Field(
            "url",
            Text("a URL", '"http://ocsp.acme.internal"'),
            "The responder that is asked about every leaf of this entry: http or https. Redirects are not followed.",
        ),
        Field(
            "certificate_urls",
            OneOrMany(Text("a URL", '"http://ocsp.partner.example/"')),
            "Instead of url: the responder that a leaf names itself, if it lies under one of these URLs.",
        ),
        _ALLOW_PRIVATE,
        Field(
            "method",
            Text("post or get", "get", OCSP_METHODS),
            "How a responder is asked. post is the default; get lets a cache in between answer.",
        ),
        Field(
            "nonce",
            Text("true or false", "true", BOOLEANS),
            "Whether every answer must be made for its question: only where the responder repeats the nonce.",
        ),
    ),
    OcspDocument,
    {"aia": "write `certificate_urls: […]`", "responder": "write `url`", "urls": "write `certificate_urls: […]`"},
    one_of=("url", "certificate_urls"),
)
TRUST_ENTRY: Fields[TrustDocument] = Fields(
    "trust_entry",
    "a trust entry",
    "{anchors: [pki/mesh-root.pem]}",
    (
        Field(
            "anchors",
            OneOrMany(Text("the path of a PEM file", "pki/mesh-root.pem")),
            "PEM files with the CA certificates that are trusted, relative to the policy; also intermediate CAs.",
        ),
        Field(
            "spiffe_bundle",
            TextOr(Text("the path of a SPIFFE bundle", "pki/partner.jwks"), _WORKLOAD_API),
            "Instead of anchors: the SPIFFE bundle of the entry's `spiffe_trust_domain`: a file (a JWK Set), or"
            " {workload_api: …}.",
        ),
        Field(
            "intermediates",
            OneOrMany(Text("the path of a PEM file", "pki/mesh-issuing.pem"), empty=True),
            "PEM files with CA certificates that may complete a chain, for callers whose chain is not shown.",
        ),
        Field(
            "spiffe_trust_domain",
            Text("a SPIFFE trust domain", "acme.internal"),
            "Every leaf of this entry must be a valid X.509-SVID of this trust domain.",
        ),
        Field(
            "crls",
            OneOrMany(TextOr(Text("the path of a CRL file or folder", "pki/mesh.crl"), _CRL_URL), empty=True),
            "Certificate revocation lists: files, folders of files, or {url: …}.",
        ),
        Field(
            "ocsp",
            _OCSP,
            "The OCSP responder that is asked about the leaves of this entry, off the way of requests.",
        ),
        Field(
            "revocation",
            Text("one of off, if-available and require", "require", REVOCATIONS),
            "off: not asked. if-available: a certificate known as revoked is refused. require: one whose status is"
            " unknown is refused too.",
        ),
        Field(
            "max_lifetime", Text("a duration", "90d"), "The longest validity that a leaf may have, such as 24h or 90d."
        ),
        Field(
            "clock_skew",
            Text("a duration", "30s"),
            "By how much clocks may differ: the dates of certificates and CRLs are widened by it. At most 1h.",
        ),
        Field(
            "min_rsa_bits",
            Text("a number of bits", "3072"),
            "The shortest RSA key that the leaf and the CAs above it may have: 2048 (the default) to 8192.",
        ),
    ),
    TrustDocument,
    {
        "ca": "write `anchors: […]`",
        "roots": "write `anchors: […]`",
        "root": "write `anchors: […]`",
        "bundle": "write `anchors: […]` for PEM files, `spiffe_bundle: …` for a JWK Set",
        "trust_domain": "write `spiffe_trust_domain`",
        "crl": "write `crls: […]`",
    },
    one_of=("anchors", "spiffe_bundle"),
)


def _scope(at: Position, hosts: Texts = ()) -> ScopeDocument:
    return ScopeDocument(at, hosts)


_SCOPE = Fields(
    "scope",
    "a scope",
    "{hosts: [invoices.prod.svc]}",
    (Field("hosts", HOSTS, "Every route that rules of this file use must lie within these hosts.", required=True),),
    _scope,
)


def _policy(at: Position, **values: Any) -> PolicyDocument:
    return PolicyDocument(**{"file": at.file, "version": None, **values})


POLICY: Fields[PolicyDocument] = Fields(
    "policy",
    "a policy",
    "{version: 1}",
    (
        Field("version", Text("the number 1", "1", VERSIONS), "The version of the policy language: 1.", required=True),
        Field(
            "trust",
            Records(
                "a mapping of names to trust entries",
                Name("the name of a trust entry", "mesh", defines=True),
                TRUST_ENTRY,
            ),
            "Who may vouch for a caller: CA certificates, and what else must hold for certificates under them.",
        ),
        Field(
            "zones",
            Entries(
                "a mapping of names to networks",
                Name("the name of a zone", "pci", defines=True),
                OneOrMany(NETWORK),
                ZoneDocument,
            ),
            "Network segments: where a connection comes from.",
        ),
        Field(
            "identities",
            Records(
                "a mapping of names to selectors", Name("the name of an identity", "billing", defines=True), IDENTITY
            ),
            "Who: names for selectors of certificates.",
        ),
        Field(
            "routes",
            Records("a mapping of names to routes", Name("the name of a route", "ledger", defines=True), NAMED_ROUTE),
            "What: names for sets of requests.",
        ),
        Field("rules", Many(RULE), "May: which identity is allowed or denied which route. A deny beats any allow."),
        Field("scope", _SCOPE, "Binds the authors of this file to hosts."),
        Field(
            "strict_sni",
            Text("true or false", "true", BOOLEANS),
            "Whether the server name of the TLS handshake must equal the host of every request.",
        ),
        Field(
            "mode",
            Text("one of enforce and shadow", "shadow", MODES),
            "The mode of every rule of this file that does not say its own: enforce (the default), or shadow.",
        ),
    ),
    _policy,
    {
        "shadow": "write `mode: shadow`",
        "tests": "tests stand in a file of their own, *.test.yaml",
        "policy": "`rules` is a key of the file itself",
        "apiVersion": "a policy is no Kubernetes object; its first key is `version: 1`",
        "kind": "a policy is no Kubernetes object; its first key is `version: 1`",
        "metadata": "a policy is no Kubernetes object; its first key is `version: 1`",
        "services": "what is called is described in `routes`",
        "networks": "write `zones`",
        "allow": "`allow` belongs to a rule",
        "deny": "`deny` belongs to a rule",
    },
)
