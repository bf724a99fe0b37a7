"""The authored policy: what a file says, with the place of every word; nothing is resolved or compiled here.

A list field holds scalars as written, whether the author wrote one value or a list; an omitted one is empty. Words such
as `mode: shadow` are kept as scalars and judged by the compiler, unless the set of words is closed here.
"""

from dataclasses import dataclass

from policies.language.node import Scalar
from policies.language.problem import Position

Texts = tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class NameDocument:
    """`subject` or `issuer`: one RFC 4514 string, or attributes each with the values it may have."""

    at: Position
    text: Scalar | None
    attributes: tuple[tuple[Scalar, Texts], ...]


@dataclass(frozen=True, slots=True)
class SelectorDocument:
    """An identity selector: an AND of its fields, a list in a field means any of them."""

    at: Position
    trust: Texts = ()
    uri: Texts = ()
    dns: Texts = ()
    email: Texts = ()
    ip_san: Texts = ()
    subject: NameDocument | None = None
    issuer: NameDocument | None = None
    pins: Texts = ()
    fingerprint: Texts = ()
    serial: Texts = ()
    any: "tuple[Scalar | SelectorDocument, ...] | None" = None
    all: "tuple[Scalar | SelectorDocument, ...] | None" = None
    not_: "Scalar | SelectorDocument | None" = None


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """A named selector."""

    name: Scalar
    selector: SelectorDocument


@dataclass(frozen=True, slots=True)
class UrlDocument:
    """CRLs that are fetched: `{url: …}` or `{certificate_urls: […]}`."""

    at: Position
    url: Scalar | None = None
    certificate_urls: Texts = ()
    allow_private: Scalar | None = None


@dataclass(frozen=True, slots=True)
class WorkloadApiDocument:
    """A SPIFFE bundle that is kept up to date: `{workload_api: …}`."""

    at: Position
    workload_api: Scalar


@dataclass(frozen=True, slots=True)
class OcspDocument:
    """Whom an entry asks about its leaves: `{url: …}` or `{certificate_urls: […]}`."""

    at: Position
    url: Scalar | None = None
    certificate_urls: Texts = ()
    allow_private: Scalar | None = None
    method: Scalar | None = None
    nonce: Scalar | None = None


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """One trust entry: who may vouch for a caller."""

    name: Scalar
    at: Position
    anchors: Texts = ()
    spiffe_bundle: "Scalar | WorkloadApiDocument | None" = None
    intermediates: Texts = ()
    spiffe_trust_domain: Scalar | None = None
    crls: "tuple[Scalar | UrlDocument, ...]" = ()
    ocsp: OcspDocument | None = None
    revocation: Scalar | None = None
    max_lifetime: Scalar | None = None
    clock_skew: Scalar | None = None
    min_rsa_bits: Scalar | None = None


@dataclass(frozen=True, slots=True)
class ZoneDocument:
    """A network segment: CIDRs or addresses."""

    name: Scalar
    networks: Texts


@dataclass(frozen=True, slots=True)
class RouteDocument:
    """A set of requests. `name` is None for an inline route."""

    name: Scalar | None
    at: Position
    hosts: Texts = ()
    methods: Texts = ()
    paths: Texts = ()
    grpc: Texts = ()
    headers: tuple[tuple[Scalar, Texts], ...] = ()


@dataclass(frozen=True, slots=True)
class WhenDocument:
    """Conditions of time and SNI, all of which must hold."""

    at: Position
    sni: Texts = ()
    after: Scalar | None = None
    before: Scalar | None = None
    days: Texts = ()
    hours: Texts = ()
    timezone: Scalar | None = None


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One rule. `allow` and `deny`, `to`: names or inline selectors and routes; None = the key is absent."""

    at: Position
    id: Scalar
    allow: "tuple[Scalar | SelectorDocument, ...] | None"
    deny: "tuple[Scalar | SelectorDocument, ...] | None"
    to: "tuple[Scalar | RouteDocument, ...]"
    from_: Texts = ()
    not_from: Texts = ()
    when: WhenDocument | None = None
    mode: Scalar | None = None
    set_headers: tuple[tuple[Scalar, Scalar], ...] = ()
    labels: tuple[tuple[Scalar, Scalar], ...] = ()
    description: Scalar | None = None


@dataclass(frozen=True, slots=True)
class ScopeDocument:
    """`scope: {hosts: […]}`: binds every rule of its file to routes within those hosts."""

    at: Position
    hosts: Texts


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """One policy file. `mode`: of its rules that do not say theirs."""

    file: str
    version: Scalar | None
    trust: tuple[TrustDocument, ...] = ()
    zones: tuple[ZoneDocument, ...] = ()
    identities: tuple[IdentityDocument, ...] = ()
    routes: tuple[RouteDocument, ...] = ()
    rules: tuple[RuleDocument, ...] = ()
    scope: ScopeDocument | None = None
    strict_sni: Scalar | None = None
    mode: Scalar | None = None
