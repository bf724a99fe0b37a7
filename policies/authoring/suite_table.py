"""The language of policy tests as tables: every key of a `*.test.yaml`, what value it takes, and what it means."""

from typing import Any

from policies.authoring.suite_document import (
    CallerDocument,
    GenerateDocument,
    NamedCallerDocument,
    PolicyTestDocument,
    RequestDocument,
    SuiteDocument,
)
from policies.language.names import Name
from policies.language.node import Scalar
from policies.language.policy_table import BOOLEANS
from policies.language.shape import Entries, Many, OneOrMany, Text, TextOr, pair
from policies.language.table import Field, Fields

#: The word for a caller that presents no certificate.
UNAUTHENTICATED = "unauthenticated"


def _named_caller(name: Scalar, caller: Any) -> NamedCallerDocument:
    return NamedCallerDocument(name, caller)


_TRUST_NAME = Name("the name of a trust entry", "mesh")
_CALLER_EXAMPLE = '{uri: "spiffe://acme.internal/ns/prod/sa/billing"}'

_URI = Field("uri", OneOrMany(Text("a URI", '"spiffe://acme.internal/ns/prod/sa/billing"')), "URI SANs.")
_DNS = Field("dns", OneOrMany(Text("a DNS name", "gw1.partner.example")), "DNS SANs.")
_EMAIL = Field("email", OneOrMany(Text("an email address", "ada@ops.acme.example")), "Email SANs.")
_IP_SAN = Field("ip_san", OneOrMany(Text("an address", "192.0.2.7")), "IP address SANs.")
_FLAG = Text("true or false", "true", BOOLEANS)

GENERATE: Fields[GenerateDocument] = Fields(
    "generate",
    "`generate`",
    '{uri: "spiffe://acme.internal/ns/prod/sa/billing", expired: true}',
    (
        Field(
            "trust",
            _TRUST_NAME,
            "The trust entry for whose CA another one stands in, which issues the certificate. Left out: the entry of"
            " its SPIFFE trust domain, else the only entry of the policy.",
        ),
        _URI,
        _DNS,
        _EMAIL,
        _IP_SAN,
        Field("subject", Text("a name by RFC 4514", '"CN=gw1,O=Partner Inc"'), "The subject, RFC 4514."),
        Field(
            "issuer",
            Text("a name by RFC 4514", '"CN=Issuing CA 2"'),
            "The name of the CA that issues it. Left out: that of the first anchor of the trust entry.",
        ),
        Field("serial", Text("a serial number in hex", '"4a:0f:19"'), "The serial number, hex."),
        Field("not_before", Text("a moment", "2026-12-01T00:00:00Z"), "Left out: shortly before the request."),
        Field("not_after", Text("a moment", "2026-12-01T00:00:00Z"), "Left out: half a day later."),
        Field("expired", _FLAG, "Whether it ended an hour before the request."),
        Field("revoked", _FLAG, "Whether a CRL of its CA lists it."),
        Field("untrusted", _FLAG, "Whether its CA has the name of the right one, but is another."),
        Field(
            "usage",
            OneOrMany(Text("client or server", "client", ("client", "server"))),
            "The extended key usage. Left out: client.",
        ),
    ),
    GenerateDocument,
    {"ip": "`ip_san` is an address in the certificate", "ca": "write `issuer`, or `trust`"},
)

CALLER: Fields[CallerDocument] = Fields(
    "caller",
    "a caller",
    _CALLER_EXAMPLE,
    (
        Field(
            "certificate",
            Text("the name of a PEM file", "certs/billing.pem"),
            "A PEM file beside the tests: the leaf, then the CA certificates that came with it. It is judged in full.",
        ),
        Field("generate", GENERATE, "A certificate that is made for the test. It is judged in full."),
        Field(
            "trust",
            OneOrMany(_TRUST_NAME),
            "The trust entries that the caller counts as having passed. Left out: the entry of its SPIFFE trust domain,"
            " else the only entry of the policy.",
        ),
        _URI,
        _DNS,
        _EMAIL,
        _IP_SAN,
        Field("subject", OneOrMany(Text("a name by RFC 4514", '"CN=gw1,O=Partner Inc"')), "The subject, RFC 4514."),
        Field("issuer", OneOrMany(Text("a name by RFC 4514", '"CN=Issuing CA 2"')), "The issuer, RFC 4514."),
        Field("serial", OneOrMany(Text("a serial number in hex", '"4a:0f:19"')), "The serial number, hex."),
        Field(
            "fingerprint",
            OneOrMany(
                Text("a fingerprint", '"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"')
            ),
            "sha256: and the SHA-256 of the certificate in hex.",
        ),
        Field(
            "pins",
            OneOrMany(Text("a public key pin", '"sha256:ZLBiI5QGmOKkRYTkVAKSJ1mBKRpmLTRUCsdqg6DXW+8="')),
            "sha256: and the base64 SHA-256 of the certificate's SubjectPublicKeyInfo.",
        ),
    ),
    CallerDocument,
    {"ip": "`ip_san` is an address in the certificate; for that of the connection write `source_ip` into the test"},
)

_METHOD = Field("method", Text("a method", "GET"), "The method.")
_HOST = Field("host", Text("a host", "invoices.prod.svc"), "The host that the request names.")
_PATH = Field("path", Text("a path", '"/v1/invoices?page=2"'), "The path; a query is allowed and not judged.")
#: The facts that a test may say once for all of its requests, beside `host`.
_CIRCUMSTANCES = (
    Field(
        "headers",
        Entries(
            "a mapping of header names to values",
            Text("a header name", "x-api-version"),
            OneOrMany(Text("a header value", '"2"', empty=True)),
            pair,
        ),
        "Headers of the request. One that is not listed was not sent.",
    ),
    Field("source_ip", Text("an address", "10.20.0.7"), "The address of the connection. Left out: unknown."),
    Field(
        "sni",
        Text("a server name", "invoices.prod.svc", empty=True),
        'The TLS server name; "" if the client sent none. Left out: not reported.',
    ),
    Field("time", Text("a moment", "2026-12-01T00:00:00Z"), "RFC 3339 with an offset. Left out: now."),
)
_URL = Field("url", Text("a URL", '"https://invoices.prod.svc/v1/invoices"'), "Instead of host and path.")
_GRPC = Field("grpc", Text("package.Service/Method", "acme.Ledger/Post"), "Instead of method, path and content type.")

DEFAULTS: Fields[RequestDocument] = Fields(
    "defaults",
    "`defaults`",
    "{host: invoices.prod.svc}",
    (_METHOD, _HOST, _PATH, *_CIRCUMSTANCES),
    RequestDocument,
)
REQUEST: Fields[RequestDocument] = Fields(
    "request",
    "a request",
    "{method: GET, path: /v1/invoices}",
    (_METHOD, _HOST, _PATH, _URL, _GRPC, *_CIRCUMSTANCES),
    RequestDocument,
)
_REQUEST_LINE = Text("a request such as GET /path", "GET https://invoices.prod.svc/v1/invoices")
_CALLER_NAME = Name(
    "the name of a caller",
    UNAUTHENTICATED,
    otherwise=f"an identity is written out as a mapping, such as {_CALLER_EXAMPLE}",
)

TEST: Fields[PolicyTestDocument] = Fields(
    "test",
    "a test",
    "{as: billing, request: GET /v1/invoices, expect: allow}",
    (
        Field("name", Text("a sentence", "billing reads invoices"), "What the test claims, for readers."),
        Field(
            "as", OneOrMany(TextOr(_CALLER_NAME, CALLER)), "Who calls: each of these makes each request.", required=True
        ),
        Field("request", OneOrMany(TextOr(_REQUEST_LINE, REQUEST)), "What is called.", required=True),
        Field(
            "expect",
            Text("allow or deny", "deny by pci-only because denied_by_rule"),
            "allow or deny, then `by RULE, RULE` and `because REASON` if they matter.",
            required=True,
        ),
        _HOST,
        *_CIRCUMSTANCES,
    ),
    PolicyTestDocument,
    {
        "requests": "write `request`; it takes a list too",
        "method": "write the method into `request`",
        "path": "write the path into `request`",
        "from": "the address of the connection is `source_ip`",
        "identity": "write `as`",
        "caller": "write `as`",
    },
)

SUITE: Fields[SuiteDocument] = Fields(
    "tests",
    "a file of tests",
    '{version: "1", tests: […]}',
    (
        Field("version", Text("a version", "1", ("1",)), "The version of the language: 1.", required=True),
        Field(
            "callers",
            Entries(
                "a mapping of names to callers",
                Name("the name of a caller", "billing", defines=True),
                TextOr(Text(UNAUTHENTICATED, UNAUTHENTICATED, (UNAUTHENTICATED,)), CALLER),
                _named_caller,
            ),
            "Callers that several tests use, by name.",
        ),
        Field("defaults", DEFAULTS, "What holds for every request that does not say otherwise."),
        Field("tests", Many(TEST), "The tests.", required=True),
    ),
    SuiteDocument,
    {"rules": "rules stand in the policy; a *.test.yaml has tests only"},
)
