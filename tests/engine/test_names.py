"""Law 2 for callers of whom a proxy tells names only: nothing that some certificate with these names would not get.

A completion of names is a certificate that has them, and passes the entry that the proxy verified for; whatever is not
told of it may be anything.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.authority import Authority
from policies.authoring.replay import Replay
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import decision_record, line_from_record
from policies.engine.record_lines import RecordLines
from policies.engine.recorded import request_from_record
from policies.engine.request import Request
from policies.peer.certificate import IdentityFacts
from policies.peer.name import DistinguishedName
from policies.peer.presented import AssertedIdentity, NamedCaller, named_caller
from policies.reason import Effect, Reason
from tests.engine.callers import caller, loaded, policy, request
from tests.engine.test_laws import EXTRAS, LAW, REQUESTS, ROUTES, SELECTORS, RuleTuple

FILES = {"root.pem": Authority.root("mesh").pem, "other.pem": Authority.root("other").pem}
ONE = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"
SEVERAL = (
    "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}, plain: {anchors: [root.pem]}, "
    "other: {anchors: [other.pem]}}\n"
)
N1 = "identities: {n1: {uri: 'spiffe://td/a'}}\n"
LISTED = b"\x01" * 32
BILLING = "spiffe://td/a"


def names(uri: tuple[str, ...] | None = (BILLING,), entry: str = "mesh", **facts: Any) -> NamedCaller:
    return named_caller(IdentityFacts(**{"uri": uri, "dns": None, "subject": None, **facts}), entry)


def decided(text: str, peer: NamedCaller | AssertedIdentity, trust: str = ONE) -> Decision:
    return evaluate(policy(trust + text, FILES), request(peer))


# The property.

UNTOLD: dict[str, st.SearchStrategy[Any]] = {
    "dns": st.lists(st.sampled_from(["a.x", "b.x", "A.X"]), max_size=2, unique=True).map(tuple),
    "subject": st.sampled_from(["", "CN=a,O=b", "CN=a"]).map(DistinguishedName.parse),
    "email": st.sampled_from([(), ("q@m",)]),
    "ip": st.sampled_from([(), caller(ip=["10.1.1.1"]).facts.ip]),
    "issuer": st.sampled_from(["CN=i", "CN=j"]).map(DistinguishedName.parse),
    "serial": st.sampled_from([0xA1, 0xB2]),
    "cert_sha256": st.sampled_from([LISTED, b"\x03" * 32]),
    "spki_sha256": st.just(b"\x02" * 32),
    "twin_sha256": st.sampled_from([(), (LISTED,)]),
}


@st.composite
def told(draw: st.DrawFn, entry: str, uris: list[tuple[str, ...]]) -> tuple[NamedCaller, AssertedIdentity]:
    """Names, and a certificate that has them."""
    whole = IdentityFacts(draw(st.sampled_from(uris)), **{name: draw(value) for name, value in UNTOLD.items()})
    hidden = dict.fromkeys(draw(st.sets(st.sampled_from(["dns", "subject", "cert_sha256"]))))
    others = draw(st.sets(st.sampled_from(["other"]))) if entry == "plain" else set()
    named = named_caller(replace(whole, **hidden), entry)
    return named, caller(facts=whole, trust={entry, *others})


def _set_of(rules: list[RuleTuple], trust: str) -> PolicySet | None:
    lines = [
        f"  - {{id: r{at}, {effect}: {who}, to: {to}{extra}}}" for at, (effect, who, to, extra) in enumerate(rules)
    ]
    return loaded("\n".join([f"{trust}{N1}rules:", *lines]), FILES).policy


def _holds(policy: PolicySet, asked: Request, pair: tuple[NamedCaller, AssertedIdentity]) -> None:
    named, whole = pair
    by_names = evaluate(policy, asked._replace(peer=named))
    if by_names.effect is Effect.ALLOW:
        assert evaluate(policy, asked._replace(peer=whole)).effect is Effect.ALLOW


SPIFFE = told("mesh", [("spiffe://td/a",), ("spiffe://td/b",), ("spiffe://td/a/b",)])
OTHERWISE = told("plain", [(), ("urn:x",), ("urn:x", "urn:y")])
#: Rules that bring out what is not told.
PLAIN_RULES: st.SearchStrategy[RuleTuple] = st.sampled_from(
    [
        ("allow", "authenticated", "any", ""),
        ("deny", f'{{trust: mesh, fingerprint: "sha256:{LISTED.hex()}"}}', "any", ""),
        ("deny", "{trust: mesh, not: {issuer: 'CN=i'}}", "any", ""),
        ("deny", "{trust: mesh, dns: b.x}", "any", ""),
    ]
)
WHO = PLAIN_RULES | st.tuples(st.sampled_from(["allow", "allow", "deny"]), SELECTORS, ROUTES, EXTRAS)
ENTRIES = st.sampled_from(["mesh", "plain", "other", "[plain, other]"])
WHOSE = PLAIN_RULES | st.tuples(
    st.sampled_from(["allow", "allow", "deny"]),
    st.tuples(ENTRIES, SELECTORS).map(lambda pair: f"{{trust: {pair[0]}, all: [{pair[1]}]}}")
    | ENTRIES.map(lambda entry: f"{{not: {{trust: {entry}}}}}"),
    ROUTES,
    EXTRAS,
)


@settings(LAW, max_examples=120)
@given(st.lists(WHO, min_size=1, max_size=6), REQUESTS, SPIFFE)
def test_law_2_names_get_nothing_that_a_certificate_with_them_would_not(
    rules: list[RuleTuple], asked: Request, pair: tuple[NamedCaller, AssertedIdentity]
) -> None:
    found = _set_of(rules, ONE)
    if found is not None:
        _holds(found, asked, pair)


@settings(LAW, max_examples=120)
@given(st.lists(WHOSE, min_size=1, max_size=6), REQUESTS, SPIFFE | OTHERWISE)
def test_law_2_nor_where_the_certificate_may_pass_other_entries(
    rules: list[RuleTuple], asked: Request, pair: tuple[NamedCaller, AssertedIdentity]
) -> None:
    found = _set_of(rules, SEVERAL)
    if found is not None:
        _holds(found, asked, pair)


# What that means for a rule.


@pytest.mark.parametrize(
    ("rules", "effect"),
    [
        ('[{id: r, allow: {uri: "spiffe://td/a"}, to: any}]', Effect.ALLOW),
        ("[{id: r, allow: {trust: mesh}, to: any}]", Effect.ALLOW),
        ('[{id: r, allow: {email: "a@b"}, to: any}]', Effect.DENY),
        ("[{id: r, allow: {serial: a1}, to: any}]", Effect.DENY),
        ('[{id: r, allow: {issuer: "CN=i"}, to: any}]', Effect.DENY),
        ("[{id: r, allow: {dns: a.x}, to: any}]", Effect.DENY),
        ('[{id: r, allow: {not: {email: "a@b"}}, to: any}]', Effect.DENY),
        ('[{id: r, allow: {any: [{email: "a@b"}, {uri: "spiffe://td/a"}]}, to: any}]', Effect.ALLOW),
        ("[{id: r, allow: authenticated, to: any}, {id: d, deny: {serial: a1}, to: any}]", Effect.DENY),
        ("[{id: r, allow: authenticated, to: any}, {id: d, deny: {ip_san: 10.0.0.0/8}, to: any}]", Effect.DENY),
        ('[{id: r, allow: authenticated, to: any}, {id: d, deny: {uri: "spiffe://td/b"}, to: any}]', Effect.ALLOW),
        ("[{id: r, allow: unauthenticated, to: {paths: [/]}}]", Effect.DENY),
    ],
)
def test_what_was_not_told_never_allows_and_always_denies(rules: str, effect: Effect) -> None:
    assert decided(f"rules: {rules}\n", names()).effect is effect


def test_a_fingerprint_is_a_fact_and_its_other_form_is_not() -> None:
    listed = f'{{fingerprint: "sha256:{LISTED.hex()}"}}'
    one, other = names(cert_sha256=LISTED), names(cert_sha256=b"\x03" * 32)
    assert decided(f"rules: [{{id: r, allow: {listed}, to: any}}]\n", one).effect is Effect.ALLOW
    assert decided(f"rules: [{{id: r, allow: {listed}, to: any}}]\n", other).effect is Effect.DENY
    block = f"rules: [{{id: r, allow: authenticated, to: any}}, {{id: d, deny: {listed}, to: any}}]\n"
    assert decided(block, one).unknown == ()
    # The certificate may be the listed one with its other, equally valid signature.
    assert decided(block, other).unknown == ("d: identity",)
    assert decided(block, other).effect is Effect.DENY


# The record (law 10).


def _recorded(text: str, peer: NamedCaller, trust: str = ONE) -> tuple[dict[str, Any], Decision, PolicySet]:
    made = policy(trust + text, FILES)
    asked = request(peer)
    decision = evaluate(made, asked)
    about: dict[str, Any] = {
        "decision_id": "0" * 32,
        "enforcement": "extauth",
        "time": asked.time,
        "latency": 0.0,
        "labels": {},
    }
    record = decision_record(decision, asked, **about)
    assert json.loads(RecordLines().line(decision, asked, **about)) == json.loads(line_from_record(record))
    return json.loads(line_from_record(record)), decision, made


@pytest.mark.parametrize(
    ("trust", "rules", "reason"),
    [
        (ONE, '[{id: r, allow: {uri: "spiffe://td/a"}, to: any}]', Reason.ALLOWED_BY_RULE),
        (ONE, "[{id: r, allow: authenticated, to: any}, {id: d, deny: {serial: a1}, to: any}]", Reason.DENIED_BY_RULE),
        (ONE, '[{id: r, allow: {email: "a@b"}, to: any}]', Reason.NO_MATCHING_RULE),
        (
            ONE.replace("td}", "td, max_lifetime: 1d}"),
            "[{id: r, allow: authenticated, to: any}]",
            Reason.CERTIFICATE_UNTRUSTED,
        ),
        (ONE.replace("td}", "other}"), "[{id: r, allow: authenticated, to: any}]", Reason.SVID_INVALID),
    ],
)
def test_law_10_a_record_of_names_says_so_and_is_replayed_as_names(trust: str, rules: str, reason: Reason) -> None:
    peer = names(subject=DistinguishedName.parse("CN=a"), cert_sha256=LISTED)
    record, decision, made = _recorded(f"rules: {rules}\n", peer, trust)
    assert decision.reason is reason
    assert (record["identity.presented"], record["identity.proxy_verified"]) == ("named", "mesh")
    assert (record["identity.email"], record["tls.client.x509.serial_number"]) == (None, None)
    assert request_from_record(record).peer == peer
    answer = Replay(made, lambda: 0.0).answer(json.dumps(record).encode())
    assert (answer["reason"], answer["changed"], tuple(answer["rules"])) == (reason, False, decision.rules)  # type: ignore[arg-type]
    assert "checks" not in answer
