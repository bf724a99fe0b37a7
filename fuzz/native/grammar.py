"""Random scenarios: few words, so that what rules say and what callers send often meets, or nearly does."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from fuzz.native.cases import Call, Question, Scenario
from fuzz.native.world import NAMED, REVOKED, Caller


@dataclass(frozen=True, slots=True)
class Trust:
    """The trust entries of a policy, who issues callers that they trust, and how those are told.

    `issuers`: each with the trust domain of its callers, None for callers with DNS names. `named`: what a selector of
    DNS names says of its entry.
    """

    entries: str
    issuers: tuple[tuple[str, str | None], ...]
    named: str = ""

    @property
    def domains(self) -> tuple[str | None, ...]:
        """Trust domains, and None for DNS names."""
        return tuple(dict.fromkeys(domain for _, domain in self.issuers))


def _spiffe(mesh: str, *issuers: str) -> Trust:
    return Trust(f"{{mesh: {{spiffe_trust_domain: td, {mesh}}}}}", tuple((issuer, "td") for issuer in issuers))


_BELOW = "anchors: [mesh.pem], intermediates: [issuing.pem]"
_TD, _OTHER = "mesh: {spiffe_trust_domain: td, anchors: ", "partners: {spiffe_trust_domain: other, anchors: "
ONE = (
    _spiffe("anchors: [mesh.pem]", "mesh"),
    _spiffe(_BELOW, "mesh", "issuing"),
    _spiffe("anchors: [mesh.pem], crls: [mesh.crl], revocation: require", "mesh"),
    _spiffe(_BELOW + ", crls: [mesh.crl], revocation: require", "mesh", "issuing"),
    _spiffe(_BELOW + ", crls: [mesh.crl, issuing.crl], revocation: require", "mesh", "issuing"),
    _spiffe("anchors: [issuing.pem], max_lifetime: 2d", "issuing"),
    _spiffe("anchors: [short.pem], intermediates: [below.pem]", "short", "below"),
    Trust("{mesh: {anchors: [mesh.pem]}}", (("mesh", None),)),
    Trust(
        "{mesh: {anchors: [issuing.pem, partners.pem], intermediates: [branch.pem], crls: [partners.crl]}}",
        (("issuing", None), ("partners", None), ("branch", None)),
    ),
    Trust("{mesh: {anchors: [issuing.pem, partners.pem], max_lifetime: 2d}}", (("issuing", None), ("partners", None))),
)
_BOTH = (("mesh", "td"), ("partners", "other"))
SEVERAL = (
    Trust(f"{{{_TD}[mesh.pem]}}, {_OTHER}[partners.pem]}}}}", _BOTH),
    Trust(
        f"{{{_TD}[mesh.pem], crls: [mesh.crl], revocation: require}}, {_OTHER}[partners.pem], max_lifetime: 2d}}}}",
        _BOTH,
    ),
    Trust(
        f"{{{_TD}[mesh.pem]}}, partners: {{anchors: [partners.pem]}}}}",
        (("mesh", "td"), ("partners", None)),
        "partners",
    ),
    Trust(
        "{mesh: {anchors: [mesh.pem]}, partners: {anchors: [partners.pem]}}",
        (("mesh", None), ("partners", None)),
        "partners",
    ),
    # Below one root, which no entry has.
    Trust(f"{{{_TD}[issuing.pem]}}, {_OTHER}[short.pem]}}}}", (("issuing", "td"), ("short", "other"))),
    # One above the other, one twice, one of the name of another: these are asked about, and not because of them others.
    Trust(f"{{{_TD}[mesh.pem]}}, {_OTHER}[issuing.pem]}}}}", (("mesh", "td"), ("issuing", "other"))),
    Trust(
        f"{{{_TD}[mesh.pem]}}, again: {{anchors: [mesh.pem]}}, {_OTHER}[partners.pem]}}}}",
        (*_BOTH, ("mesh", None)),
        "again",
    ),
    Trust(
        f"{{{_TD}[mesh.pem]}}, {_OTHER}[partners.pem], intermediates: [posing.pem]}}, more: {{anchors: [short.pem]}}}}",
        (*_BOTH, ("posing", "other"), ("short", None)),
        "more",
    ),
    # One whose callers are asked about, and one that is judged.
    Trust(
        f"{{{_TD}[mesh.pem], min_rsa_bits: 3072}}, {_OTHER}[partners.pem], intermediates: [branch.pem]}}}}",
        (*_BOTH, ("branch", "other")),
    ),
)
_SEGMENTS = ("a", "b", "prod", "*", "a", "b", "prod", "*", "{t}", "{u}")
_NAMES = ("a.x", "b.x", "*.x", "{t}.x", "*.a.x", "a.b.x")
_OTHERS = (
    *("{trust: mesh}", "authenticated", "{trust: mesh}", "authenticated", f"{{trust: mesh, serial: {NAMED:x}}}"),
    *("{trust: mesh, email: '*@m'}", "{trust: mesh, subject: {CN: a}}"),
)
_HOSTS = (
    "",
    "",
    "",
    "",
    "hosts: [h.x]",
    'hosts: ["*.x"]',
    'hosts: ["**.x", y]',
    'hosts: ["{t}.x"]',
    "hosts: [10.0.0.1]",
)
_PATHS = (
    *(
        "",
        "",
        "",
        "",
        "paths: [/]",
        "paths: [/a]",
        "paths: [/a/]",
        'paths: ["/a/*"]',
        'paths: ["/a/**"]',
        'paths: ["/{t}/b"]',
    ),
    *('paths: ["/**"]', 'paths: ["/a/{u}/**", /b]', 'paths: ["/a%20b"]', 'paths: ["/{t}/{t}"]', 'paths: ["/*/"]'),
)
_METHODS = ("", "", "", "", "methods: [GET]", "methods: [POST, GET]", "methods: [get]")
_CONDITIONS = (*[""] * 9, "headers: {x-h: [v]}")
_ROUTES = ("any", "{grpc: [a.B/C]}", '{grpc: ["a.B/*"], hosts: [h.x]}')
_EXTRAS = (
    *("", "", "", "", "", "", "", "", "", "", "", ", from: 127.1.0.0/16", ", not_from: [127.1.0.0/16, '::/0']"),
    *(", mode: shadow", ", mode: shadow", ", when: {after: 2026-01-01T00:00:00Z}", ", set_headers: {x-set: 'v'}"),
)
_PLAIN_TARGETS = (
    *("/", "/a", "/a/", "/b", "/a/b", "/a/b/c", "/b/b", "/a?q=/b", "/a.B/C", "/a.B/x", "/A", "/a/b/", "/c"),
)
_TARGETS = (
    *("/", "/a", "/a/", "/b", "/a/b", "/a/b/c", "/b/b", "/a?q=/b", "/a.B/C", "/a.B/x", "/a%20b", "/a//b", "/A"),
    *("/.a", "/a/..", "/a;x", "/a%41", "/a%C3%A9", "*", "http://h.x/a", "/" + "a" * 300, "/a\\b"),
    # About as long, and as deep, as Envoy judges; and more.
    *("/" + "a" * 63, "/" + "a" * 64, "/a" * 15, "/a" * 16, "/a/" + "b" * 4093, "/a/" + "b" * 4094, "/a/" + "b" * 9000),
    *("/a?" + "q" * 9000, "/a/b?" + "/" * 4096),
    *("/a?", "/a/b?x", "/%61", "/a/%2e%2e/b", "/a/./b", "//a", "/a,b", "/a@", "/a/b/", "/?"),
)
_TAILS = ("/", "?", "/b", "//", "%2f", ";", ".", "..", "/..", "%00", "%FF", ",", "a", "/*", "\\", "~", "%", "&=")
_PLAIN_HOSTS = ("h.x", "y", "b.x", "a.b.x", "x", "h.x:8443", "a.x")
_SENT_HOSTS = (
    *("h.x", "h.x", "h.x", "y", "b.x", "a.b.x", "x", "H.x", "h.x.", "h.x:8443", "h.x:1", "10.0.0.1", "[::1]", "h.x,y"),
    *("a" * 31 + ".x", "a" * 32 + ".x", "a" * 64 + ".x", "a." * 6 + "x", "a." * 7 + "x"),
    *("h.0x1", "h_h.x", "-.x", "h..x", "h.x:", ".x", "a.x", "h.x:08443", "127.1", "xn--a.x", "h.x:84430"),
)
_SENT_METHODS = ("GET", "GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PATCH")
#: Envoy takes no such requests; each ends its connection, so they are few.
_ODD_METHODS = ("get", "A" * 40, "TRACE", "CONNECT")
_ODD_TAILS = ("#", "?x#y", " x", "\x00", "\xff", "\xc3\xa9")
_SENT_HEADERS: tuple[tuple[tuple[str, str], ...], ...] = (
    *((), (), (), (), (("x-h", "v"),), (("x-h", "v"), ("x-h", "v")), (("X-H", " v ,"),), (("x-set", "v"),)),
    *((("content-type", "application/grpc+proto"),), (("content-type", "APPLICATION/gRPC"),)),
    *((("content-type", "application/grpcx"),), (("content-type", "x/grpc"),), (("x-set", ""),)),
    *((("x-peergate-spiffe-id", "spiffe://td/a"),), (("x-forwarded-for", "127.1.0.9"),), (("x-original-url", "/a"),)),
    *((("x-peergate-not-after", "9999999999"),), (("x-forwarded-client-cert", "URI=spiffe://td/a"),)),
)
_SOURCES = ("127.0.0.2", "127.0.0.2", "127.1.0.1")
_SPIFFE_PATHS = (
    *("a", "b", "prod", "a/b", "b/a", "a/prod", "prod/a/b", "a/b/c", "c", "..a", "a/b/prod/c", "A"),
    # About as long, and as deep, as needs no second look; as a SPIFFE ID may be; and more.
    *("a/" * 7 + "b", "a/" * 8 + "b", "a" * 63, "a" * 64, "a/" + "b" * 2034, "a/" + "b" * 2035, "a/" + "b" * 3000),
)
_DNS_NAMES = (
    *("a.x", "b.x", "a.x", "b.x", "c.x", "A.x", "a.b.x", "q.a.x", "x", "other", "a-b.x"),
    *("a" * 31 + ".x", "a" * 32 + ".x", "a." * 6 + "x", "a." * 7 + "x"),
)
_ISSUERS = ("mesh", "mesh", "issuing", "partners", "branch", "stranger", "posing", "crossed", "short")


def scenario(random: Random, *, calls: int = 8, questions: int = 40) -> Scenario:
    """One policy, which may have problems, and `calls` that ask `questions` each."""
    trust = random.choice(ONE if random.random() < 0.6 else SEVERAL)
    rules = tuple(_rule(random, trust, number) for number in range(random.randint(1, 6)))
    asked = tuple(question(random) for _ in range(questions))
    return Scenario(
        trust.entries,
        rules,
        tuple(Call(caller(random, trust), random.choice(_SOURCES), asked) for _ in range(calls)),
    )


def question(random: Random) -> Question:
    """One request; now and then a target that nobody wrote down."""
    target = random.choice(_PLAIN_TARGETS if random.random() < 0.8 else _TARGETS)
    while random.random() < 0.1:
        target += random.choice(_TAILS)
    hosts: tuple[str, ...] = (random.choice(_PLAIN_HOSTS if random.random() < 0.8 else _SENT_HOSTS),)
    if random.random() < 0.003:
        hosts = random.choice(((), (*hosts, "h.x"), (*hosts, *hosts)))
    if random.random() < 0.003:
        target += random.choice(_ODD_TAILS)
    method = random.choice(_SENT_METHODS if random.random() < 0.997 else _ODD_METHODS)
    return Question(method, target, hosts, random.choice(_SENT_HEADERS))


def caller(random: Random, trust: Trust) -> Caller | None:
    """Who might be allowed, or only looks like it; None: shows no certificate."""
    if random.random() < 0.1:
        return None
    issuer, domain = random.choice(trust.issuers)
    if random.random() < 0.2:
        issuer, domain = random.choice(_ISSUERS), random.choice((*trust.domains, "td", "other", None))
    uri, dns = _names_of_caller(random, domain)
    oddity = random.random()
    return Caller(
        by=issuer,
        uri=uri,
        dns=dns,
        email=("q@m",) if oddity < 0.02 else (),
        ip=("10.0.0.9",) if 0.02 < oddity < 0.04 else (),
        subject=random.choice(("", "", "CN=a", "CN=b")),
        serial=random.choice((REVOKED, NAMED)) if random.random() < 0.03 else 0,
        days=10 if 0.04 < oddity < 0.08 else 1,
        server_only=0.12 < oddity < 0.13,
        bare=0.2 < oddity < 0.3,
    )


def _names_of_caller(random: Random, domain: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """URI and DNS SANs; few, so that a certificate serves many scenarios."""
    uri = f"spiffe://{domain or 'td'}/{random.choice(_SPIFFE_PATHS)}"
    name = random.choice(_DNS_NAMES)
    odd = random.random()
    if odd < 0.02:
        return (uri, "spiffe://td/b"), ()
    if odd < 0.05:
        return (uri,), (name,)
    if odd < 0.07:
        return (), (name, "b.x")
    if odd < 0.08:
        return (), ()
    return ((), (name,)) if domain is None else ((uri,), ())


def _rule(random: Random, trust: Trust, number: int) -> str:
    effect = random.choice(("allow", "allow", "allow", "deny"))
    return f"{{id: r{number}, {effect}: {_selector(random, trust)}, to: {_route(random)}{random.choice(_EXTRAS)}}}"


def _selector(random: Random, trust: Trust, depth: int = 0) -> str:
    if depth < 2 and random.random() < 0.15:
        parts = [_selector(random, trust, depth + 1) for _ in range(random.randint(1, 3))]
        form = random.choice(("{{any: [{}]}}", "{{all: [{}]}}", "{{not: {}}}"))
        return form.format(parts[0] if "not" in form else ", ".join(parts))
    if random.random() < 0.12:
        return random.choice(_OTHERS if depth else (*_OTHERS, "unauthenticated", "anyone"))
    domain = random.choice(trust.domains)
    if domain is None:
        return f'{{{f"trust: {trust.named}, " if trust.named else ""}dns: "{random.choice(_NAMES)}"}}'
    segments = [random.choice(_SEGMENTS) for _ in range(random.randint(1, 3))]
    uri = "/".join([f"spiffe://{domain}", *segments])
    return f'{{uri: "{uri}{random.choice(("", "", "/**"))}"}}'


def _route(random: Random) -> str:
    if random.random() < 0.15:
        return random.choice(_ROUTES)
    choices: Sequence[Sequence[str]] = (_HOSTS, _PATHS, _METHODS, _CONDITIONS)
    parts = ", ".join(filter(None, (random.choice(words) for words in choices)))
    return f"{{{parts}}}" if parts else "any"
