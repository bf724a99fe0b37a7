"""XFCC without Cert: what it tells is a fact, what it does not is unknown, and what could be forged is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.name import DistinguishedName
from policies.peer.names import named_from_xfcc, standing_of_names
from policies.peer.presented import MalformedCertificate, NamedCaller
from policies.peer.reader import PresentedReader
from policies.peer.revocation import Revocation
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import Standing, TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.envoy_xfcc import written_by_envoy

HASH = "ab" * 32
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
TEXT = (
    f'By=spiffe://acme.internal/envoy;Hash={HASH};Subject="CN=billing,O=Acme";URI={BILLING};DNS=a.example;DNS=b.example'
)
MESH = TrustEntry("mesh", (), spiffe_trust_domain=TrustDomain("acme.internal"))
PLAIN = TrustEntry("plain", ())


def named(text: str, principal: str | None = None) -> NamedCaller:
    caller = named_from_xfcc(text, "mesh", principal)
    assert isinstance(caller, NamedCaller), caller
    return caller


def refused(text: str, principal: str | None = None) -> str:
    caller = named_from_xfcc(text, "mesh", principal)
    assert isinstance(caller, MalformedCertificate), caller
    return caller.problem


def standing(text: str, *entries: TrustEntry) -> Standing:
    return standing_of_names(named(text), entries or (MESH,))


# What is told.


def test_uri_dns_subject_and_hash_are_facts_and_all_else_is_unknown() -> None:
    caller = named(TEXT, BILLING)
    facts = caller.facts
    assert (facts.uri, facts.dns) == ((BILLING,), ("a.example", "b.example"))
    assert facts.subject == DistinguishedName.parse("CN=billing,O=Acme")
    assert facts.cert_sha256 == bytes.fromhex(HASH)
    assert (facts.email, facts.ip, facts.issuer, facts.serial, facts.spki_sha256) == (None,) * 5
    assert facts.twin_sha256 is None
    assert caller.verified_for == "mesh"


@pytest.mark.parametrize(
    ("text", "uri", "dns", "subject"),
    [
        (f"Hash={HASH};URI={BILLING}", (BILLING,), None, None),
        ('Subject="";URI=', (), None, ""),
        ("URI=", (), None, None),
        ("DNS=a.example", None, ("a.example",), None),
        ('Subject="CN=x,unknownType=y"', None, None, None),
        (f'[{{"uri":["{BILLING}"]}}]', (BILLING,), None, None),
        ('[{"dns":["a;URI=b,c"],"subject":"CN=x"}]', None, ("a;URI=b,c",), "CN=x"),
        ('[{"hash":"' + "cd" * 32 + '"},{"uri":["https://a","https://b"]}]', ("https://a", "https://b"), None, None),
    ],
)
def test_what_is_not_told_is_unknown_and_not_absent(text: str, uri: object, dns: object, subject: str | None) -> None:
    facts = named(text).facts
    assert (facts.uri, facts.dns) == (uri, dns)
    assert facts.subject == (None if subject is None else DistinguishedName.parse(subject))


def without_certificates(text: str) -> str:
    """What Envoy wrote, as if it had not been told to show `cert` and `chain`."""
    text = re.sub(r'(?:Cert|Chain)="[^"]*";?', "", text)
    return re.sub(r'"(?:cert)":"[^"]*",|"chain":\[[^\]]*\],', "", text)


@pytest.mark.parametrize("case", written_by_envoy("SANITIZE_SET", "plain"), ids=str)
def test_what_envoy_writes_is_read(case: object) -> None:
    facts = named(without_certificates(case.written)).facts  # type: ignore[attr-defined]
    assert (facts.uri, facts.dns) == (("spiffe://td/ns/a",), ("a.example", "b.example"))
    assert facts.subject == DistinguishedName.parse("CN=x,O=Acme")


# What could be forged.


@pytest.mark.parametrize("case", written_by_envoy("SANITIZE_SET", "inject"), ids=str)
def test_a_san_that_writes_keys_of_its_own_is_refused_in_text_and_harmless_in_json(case: object) -> None:
    text = without_certificates(case.written)  # type: ignore[attr-defined]
    if not text.startswith("["):
        refused(text)
        return
    assert named(text).facts.uri == ("spiffe://td/low;URI=spiffe://td/admin",)
    assert standing(text).reason is Reason.SVID_INVALID


@pytest.mark.parametrize(
    "text",
    [
        "URI=spiffe://td/low;URI=spiffe://td/admin",
        "URI=;DNS=a;URI=spiffe://td/admin",
        "DNS=a.example;URI=spiffe://td/admin",
        f"URI=spiffe://td/low;Hash={HASH}",
        'URI=spiffe://td/low;Subject="CN=admin"',
        "URI=spiffe://td/low;By=spiffe://td/envoy",
        "URI=spiffe://td/low,URI=spiffe://td/admin",
        f"By=spiffe://td/first;URI=spiffe://td/caller,By=spiffe://td/envoy;Hash={HASH};URI=spiffe://td/admin",
        'Hash="open,By=spiffe://td/envoy;URI=spiffe://td/admin',
        "URI=spiffe://td/low;Admin=1",
        "URI=spiffe://td/caf\u00e9",
        "URI=spiffe://td/a\tb",
        "DNS=" + ";DNS=".join(f"a{number}.example" for number in range(65)),
        'Chain="x";URI=spiffe://td/a',
        "Cert=",
        'Cert="";URI=spiffe://td/a',
        '[{"cert":"","uri":["spiffe://td/a"]}]',
        "",
        "[]",
        "[{}]x",
        '[{"uri":"spiffe://td/a"}]',
        '[{"uri":["spiffe://td/a"],"uri":["spiffe://td/admin"]}]',
        '[{"uri":["spiffe://td/caf\u00e9"]}]',
        '[{"uri":["spiffe://td/a"],"chain":["x"]}]',
        'URI=;DNS="admin.example"',
        'URI="https://billing.example/"',
        "Subject=CN=admin;URI=",
    ],
)
def test_what_envoy_does_not_write_is_refused(text: str) -> None:
    assert refused(text).startswith("XFCC: ")


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        # The whole first URI is `spiffe://td/admin;DNS=x`: Envoy tells it so as the principal.
        ("URI=spiffe://td/admin;DNS=x", "spiffe://td/admin;DNS=x"),
        ("URI=spiffe://td/admin", "spiffe://td/low"),
        ("URI=;DNS=admin.example", "low.example"),
        ("URI=;DNS=admin.example;DNS=low.example", "low.example"),
        ('Subject="CN=admin";URI=', "CN=low"),
        ('Subject="CN=admin";URI=', "CN=admin,O=x"),
        ("URI=", "spiffe://td/admin"),
        (f"Hash={HASH}", "spiffe://td/admin"),
        # Without the URIs nobody knows that the principal is none.
        ("DNS=a.example", "spiffe://td/admin"),
    ],
)
def test_a_first_name_that_is_not_the_principal_is_refused(text: str, principal: str) -> None:
    named(text)
    assert "the principal" in refused(text, principal)


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        (TEXT, BILLING),
        ("URI=;DNS=a.example", "a.example"),
        ('Subject="CN=x,O=A\\, B";URI=', "CN=x,O=A\\, B"),
    ],
)
def test_the_principal_is_the_first_uri_else_the_first_dns_name_else_the_subject(text: str, principal: str) -> None:
    named(text, principal)


@given(
    st.text(max_size=80) | st.lists(st.sampled_from([*'=;,"[]{}:', "URI", "DNS", "Hash", HASH, BILLING])).map("".join)
)
def test_whatever_is_told_ends_in_names_or_in_a_refusal(text: str) -> None:
    assert isinstance(named_from_xfcc(text, "mesh", None), NamedCaller | MalformedCertificate)


# How it is judged.


def test_names_pass_the_one_entry_at_any_time() -> None:
    found = standing(TEXT)
    assert (found.trust, found.reason, found.maybe) == (frozenset({"mesh"}), None, frozenset())
    assert found.facts == named(TEXT).facts
    assert TrustStore([MESH]).standing(named(TEXT), 0.0) == found


@pytest.mark.parametrize(
    ("text", "entry", "reason", "words"),
    [
        (TEXT, PLAIN, Reason.CERTIFICATE_UNTRUSTED, "no trust entry 'mesh'"),
        (f"URI={BILLING};DNS=*.example", MESH, Reason.CERTIFICATE_UNTRUSTED, "wildcard"),
        ("URI=spiffe://acme.internal/*", MESH, Reason.CERTIFICATE_UNTRUSTED, "wildcard"),
        ("URI=", MESH, Reason.SVID_INVALID, "exactly one URI SAN, this certificate has 0"),
        ("DNS=a.example", MESH, Reason.SVID_INVALID, "does not tell whether there is a URI SAN"),
        ('[{"uri":["spiffe://acme.internal/a","spiffe://acme.internal/b"]}]', MESH, Reason.SVID_INVALID, "has 2"),
        ("URI=spiffe://other.example/a", MESH, Reason.SVID_INVALID, "not of the trust domain"),
        ("URI=spiffe://acme.internal", MESH, Reason.SVID_INVALID, "a leaf needs a path"),
        ("URI=SPIFFE://acme.internal/a", MESH, Reason.SVID_INVALID, "lower case"),
    ],
)
def test_what_names_show_is_judged(text: str, entry: TrustEntry, reason: Reason, words: str) -> None:
    found = standing(text, entry)
    assert (found.trust, found.reason) == (frozenset(), reason)
    assert words in found.problem


@pytest.mark.parametrize(
    ("entry", "reason", "words"),
    [
        (TrustEntry("mesh", (), revocation=Revocation.REQUIRE), Reason.REVOCATION_UNKNOWN, "required"),
        (TrustEntry("mesh", (), max_lifetime=3600.0), Reason.CERTIFICATE_UNTRUSTED, "max_lifetime"),
        (TrustEntry("mesh", (), min_rsa_bits=3072), Reason.CERTIFICATE_UNTRUSTED, "min_rsa_bits"),
    ],
)
def test_a_bound_that_names_cannot_show_refuses(entry: TrustEntry, reason: Reason, words: str) -> None:
    found = standing("URI=;DNS=a.example", entry)
    assert (found.trust, found.reason) == (frozenset(), reason)
    assert words in found.problem


def test_an_entry_without_trust_domain_takes_no_spiffe_id_and_leaves_its_like_unknown() -> None:
    mesh = TrustEntry("mesh", ())
    assert standing(f"URI={BILLING}", mesh).reason is Reason.SVID_INVALID
    found = standing("URI=;DNS=a.example", mesh, PLAIN, TrustEntry("spiffe", (), spiffe_trust_domain=TrustDomain("td")))
    assert (found.trust, found.maybe) == (frozenset({"mesh"}), frozenset({"plain"}))
    assert standing(TEXT, MESH, PLAIN).maybe == frozenset()


# The reader.


def test_without_the_operators_word_names_are_nobody() -> None:
    assert isinstance(PresentedReader().from_xfcc(TEXT), MalformedCertificate)
    assert PresentedReader(verified_for="mesh").from_xfcc(TEXT) == named(TEXT)


def test_names_are_remembered_by_header_and_principal() -> None:
    reader = PresentedReader(verified_for="mesh")
    assert reader.from_xfcc(TEXT, BILLING) is reader.from_xfcc(TEXT, BILLING)
    assert isinstance(reader.from_xfcc(TEXT, "spiffe://acme.internal/other"), MalformedCertificate)
    assert isinstance(reader.from_xfcc(TEXT), NamedCaller)


def test_xfcc_passes_on_if_it_tells_what_was_judged_and_no_more() -> None:
    reader = PresentedReader(verified_for="mesh")
    assert reader.xfcc_may_pass(TEXT, named(TEXT))
    other = f"URI={BILLING}"
    assert not reader.xfcc_may_pass(other, named(TEXT))
    two = f'[{{"uri":["spiffe://td/x"]}},{{"uri":["{BILLING}"]}}]'
    assert not reader.xfcc_may_pass(two, named(two))
    assert not reader.xfcc_may_pass("junk", named(TEXT))
