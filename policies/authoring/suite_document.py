"""Policy tests as authored: what a `*.test.yaml` says, with the place of every word."""

from dataclasses import dataclass

from policies.language.node import Scalar
from policies.language.problem import Position

Texts = tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class GenerateDocument:
    """A certificate that is made for the test."""

    at: Position
    trust: Scalar | None = None
    uri: Texts = ()
    dns: Texts = ()
    email: Texts = ()
    ip_san: Texts = ()
    subject: Scalar | None = None
    issuer: Scalar | None = None
    serial: Scalar | None = None
    not_before: Scalar | None = None
    not_after: Scalar | None = None
    expired: Scalar | None = None
    revoked: Scalar | None = None
    untrusted: Scalar | None = None
    usage: Texts = ()


@dataclass(frozen=True, slots=True)
class CallerDocument:
    """A caller: a certificate, or an identity that is taken for true. `trust` is empty if it is left out."""

    at: Position
    certificate: Scalar | None = None
    generate: GenerateDocument | None = None
    trust: Texts = ()
    uri: Texts = ()
    dns: Texts = ()
    email: Texts = ()
    ip_san: Texts = ()
    subject: Texts = ()
    issuer: Texts = ()
    serial: Texts = ()
    fingerprint: Texts = ()
    pins: Texts = ()


@dataclass(frozen=True, slots=True)
class RequestDocument:
    """A request, or (as `defaults` and in a test) facts that hold for several; None and empty = not said."""

    at: Position
    method: Scalar | None = None
    host: Scalar | None = None
    path: Scalar | None = None
    url: Scalar | None = None
    grpc: Scalar | None = None
    headers: tuple[tuple[Scalar, Texts], ...] = ()
    source_ip: Scalar | None = None
    sni: Scalar | None = None
    time: Scalar | None = None


@dataclass(frozen=True, slots=True)
class NamedCallerDocument:
    """An entry of `callers`: a word or a caller."""

    name: Scalar
    caller: Scalar | CallerDocument


@dataclass(frozen=True, slots=True)
class PolicyTestDocument:
    """One test: every caller of `as_` makes every request."""

    at: Position
    name: Scalar | None = None
    as_: tuple[Scalar | CallerDocument, ...] = ()
    request: tuple[Scalar | RequestDocument, ...] = ()
    expect: Scalar | None = None
    host: Scalar | None = None
    headers: tuple[tuple[Scalar, Texts], ...] = ()
    source_ip: Scalar | None = None
    sni: Scalar | None = None
    time: Scalar | None = None


@dataclass(frozen=True, slots=True)
class SuiteDocument:
    """One file of tests."""

    at: Position
    version: Scalar | None = None
    callers: tuple[NamedCallerDocument, ...] = ()
    defaults: RequestDocument | None = None
    tests: tuple[PolicyTestDocument, ...] = ()
