"""Which trust entries a certificate passes: each claim of the design's "Trust" and "Which CA may say it"."""

import gc
import math
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.authority import Authority, Issued
from policies.peer.certificate import Certificate, IdentityFacts, certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.errors import CrlError
from policies.peer.limits import (
    MAX_CACHED_AUTHORITY_BYTES,
    MAX_CACHED_PEER_BYTES,
    MAX_CACHED_PEERS,
    MAX_CERTIFICATE_BYTES,
    MAX_MEMORY_PER_DER_BYTE,
    MEMORY_PER_DER_BYTE,
)
from policies.peer.presented import (
    NO_CERTIFICATE,
    AssertedIdentity,
    MalformedCertificate,
    Presented,
    PresentedCertificate,
    presented_from_der,
)
from policies.peer.spiffe import TrustDomain
from policies.peer.standing import Timeline
from policies.peer.trust import Revocation, Standing, TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import (
    DAY,
    NOW,
    Extension,
    Forged,
    alternative_names,
    authority,
    certificate,
    key_usage,
    parsed,
    presented,
    raw_extension,
    sha1_signed,
    tlv,
)

TIME = NOW.timestamp()
HOUR = 3600
DOMAIN = TrustDomain.parse("td")

MESH, PARTNER = Authority.root("Mesh", now=NOW), Authority.root("Partner", now=NOW)
ISSUING = MESH.intermediate("Issuing")
SVID = ISSUING.issue(uri=["spiffe://td/ns/a"])
GUEST = PARTNER.issue(dns=["guest.example"], subject="CN=guest")


def ca(of: Authority) -> Certificate:
    return certificate_from_der(of.issued.der)


def entry(
    name: str = "mesh",
    anchor: Authority = MESH,
    *,
    intermediates: tuple[Authority, ...] = (),
    domain: TrustDomain | None = None,
    crls: tuple[bytes, ...] = (),
    revocation: Revocation = Revocation.IF_AVAILABLE,
    max_lifetime: float | None = None,
    clock_skew: float = 0,
) -> TrustEntry:
    return TrustEntry(
        name,
        (ca(anchor),),
        tuple(map(ca, intermediates)),
        domain,
        tuple(map(crl_from_bytes, crls)),
        revocation,
        max_lifetime,
        clock_skew,
    )


def judged(leaf: Issued | Forged | Presented, *entries: TrustEntry, time: float = TIME) -> Standing:
    if isinstance(leaf, Issued):
        leaf = presented(leaf)
    if isinstance(leaf, Forged):
        leaf = leaf.presented
    return TrustStore(entries).standing(leaf, time)


def reason(leaf: Issued | Forged | Presented, *entries: TrustEntry, time: float = TIME) -> Reason | None:
    found = judged(leaf, *entries, time=time)
    assert (found.reason is None) is (found.problem == "")
    assert not (found.reason and found.trust)
    return found.reason


MESH_ENTRY = entry("mesh", domain=DOMAIN)
PARTNER_ENTRY = entry("partner", PARTNER)


# What is presented.


def test_no_certificate_is_no_refusal_and_no_trust() -> None:
    found = judged(NO_CERTIFICATE, MESH_ENTRY)
    assert found == Standing(frozenset(), None, None, "", -math.inf, math.inf)


def test_a_malformed_certificate_is_refused_and_never_counts_as_none() -> None:
    found = judged(MalformedCertificate("why"), MESH_ENTRY)
    assert (found.reason, found.problem, found.facts) == (Reason.CERTIFICATE_MALFORMED, "why", None)


def test_an_asserted_identity_passes_the_entries_that_it_names_and_that_exist() -> None:
    facts = IdentityFacts(uri=("spiffe://td/a",))
    found = judged(AssertedIdentity(facts, frozenset({"mesh", "x"}), b""), MESH_ENTRY)
    assert found == Standing(frozenset({"mesh"}), facts, None, "", -math.inf, math.inf)


def test_an_asserted_identity_that_no_entry_vouches_for_is_untrusted() -> None:
    for trust in (frozenset[str](), frozenset({"x"})):
        found = judged(AssertedIdentity(IdentityFacts(uri=("spiffe://td/a",)), trust, b""), MESH_ENTRY)
        assert (found.reason, found.trust) == (Reason.CERTIFICATE_UNTRUSTED, frozenset())


def test_a_certificate_that_passes_has_its_facts_and_entry() -> None:
    found = judged(SVID, MESH_ENTRY, PARTNER_ENTRY)
    assert (found.reason, found.trust) == (None, frozenset({"mesh"}))
    assert found.facts == parsed(SVID).identity


def test_without_any_entry_every_certificate_is_untrusted() -> None:
    assert reason(SVID) is Reason.CERTIFICATE_UNTRUSTED


# Which CA may say it.


def test_each_entry_judges_on_its_own_and_trust_is_the_set_of_those_passed() -> None:
    both = (entry("a", PARTNER), entry("b", PARTNER), entry("c", MESH))
    assert judged(GUEST, *both).trust == {"a", "b"}


def test_an_entry_does_not_lend_its_cas_to_another() -> None:
    leaf_only = presented_from_der(SVID.der)
    apart = (entry("anchor"), TrustEntry("intermediate", (ca(PARTNER),), (ca(ISSUING),)))
    assert reason(leaf_only, *apart) is Reason.CERTIFICATE_UNTRUSTED
    assert judged(leaf_only, entry("both", intermediates=(ISSUING,), domain=DOMAIN)).trust == {"both"}


def test_a_spiffe_name_counts_only_under_the_entry_of_its_trust_domain() -> None:
    plain, other = entry("plain"), entry("other", domain=TrustDomain.parse("other"))
    assert judged(SVID, plain, MESH_ENTRY, other).trust == {"mesh"}


def test_a_leaf_with_a_spiffe_uri_fails_an_entry_without_trust_domain() -> None:
    assert reason(SVID, entry("plain")) is Reason.SVID_INVALID
    assert reason(PARTNER.issue(uri=["SPIFFE://x/a"], dns=["a"]), PARTNER_ENTRY) is Reason.SVID_INVALID
    assert reason(PARTNER.issue(uri=["https://x/", "spiffe://td/a"]), PARTNER_ENTRY) is Reason.SVID_INVALID


def test_a_partner_ca_cannot_speak_for_the_mesh() -> None:
    forged = PARTNER.issue(uri=["spiffe://td/ns/a"])
    assert reason(forged, MESH_ENTRY, PARTNER_ENTRY) is Reason.SVID_INVALID


def test_an_imitation_of_a_ca_by_name_is_untrusted() -> None:
    imitation = Authority.root("Mesh", now=NOW)
    assert reason(imitation.intermediate("Issuing").issue(uri=["spiffe://td/ns/a"]), MESH_ENTRY) is (
        Reason.CERTIFICATE_UNTRUSTED
    )


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["https://td/a"],
        ["spiffe://td/a", "spiffe://td/b"],
        ["spiffe://other/a"],
        ["spiffe://td"],
        ["SPIFFE://td/a"],
    ],
)
def test_every_leaf_of_an_entry_with_a_trust_domain_is_an_svid_of_it(uris: list[str]) -> None:
    leaf = MESH.issue(uri=uris, dns=["a.example"], subject="CN=x")
    assert reason(leaf, MESH_ENTRY) is Reason.SVID_INVALID


@pytest.mark.parametrize("bits", [None, ("key_agreement",), ("digital_signature", "key_cert_sign")])
def test_an_svid_without_its_key_usage_is_invalid(bits: tuple[str, ...] | None) -> None:
    root = authority("Root")
    usage = [] if bits is None else [(key_usage(*bits), True)]
    leaf = certificate(issuer=root, extensions=[alternative_names(uri=["spiffe://td/a"]), *usage])
    assert reason(leaf, TrustEntry("mesh", (root.parsed,), spiffe_trust_domain=DOMAIN)) is Reason.SVID_INVALID


# Chain and leaf.


def test_a_leaf_without_san_is_accepted() -> None:
    assert judged(PARTNER.issue(subject="CN=only,O=Subject"), PARTNER_ENTRY).trust == {"partner"}


def test_a_leaf_is_never_its_own_anchor() -> None:
    lonely = certificate("lonely")
    assert reason(lonely, TrustEntry("e", (lonely.parsed,))) is Reason.CERTIFICATE_UNTRUSTED


def test_an_anchor_may_be_an_intermediate_ca() -> None:
    assert judged(SVID, entry("issuing", ISSUING, domain=DOMAIN)).trust == {"issuing"}


def test_a_ca_as_leaf_is_untrusted() -> None:
    for of in (MESH, ISSUING):
        assert reason(presented_from_der(of.issued.der), entry("mesh")) is Reason.CERTIFICATE_UNTRUSTED


def test_an_extended_key_usage_without_client_auth_is_refused_everywhere() -> None:
    for leaf in (PARTNER.issue(subject="CN=s", client=False, server=True), GUEST):
        expected = None if leaf is GUEST else Reason.CERTIFICATE_UNTRUSTED
        assert reason(leaf, PARTNER_ENTRY) is expected
    anything = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    leaf = PARTNER.issue(subject="CN=s", client=False, extra=[(anything, False)])
    assert reason(leaf, PARTNER_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


def test_no_extended_key_usage_means_any_use() -> None:
    assert judged(PARTNER.issue(subject="CN=x", client=False), PARTNER_ENTRY).trust == {"partner"}


def test_a_key_usage_that_cannot_sign_a_handshake_is_untrusted() -> None:
    root = authority("Root")
    for bits, expected in (
        (("key_encipherment",), Reason.CERTIFICATE_UNTRUSTED),
        (("digital_signature", "key_cert_sign"), Reason.CERTIFICATE_UNTRUSTED),
        (("key_agreement",), None),
        (("digital_signature", "key_encipherment"), None),
    ):
        leaf = certificate("x", issuer=root, extensions=[(key_usage(*bits), True)])
        assert reason(leaf, TrustEntry("e", (root.parsed,))) is expected


@pytest.mark.parametrize(
    "names", [alternative_names(dns=["*.example"]), alternative_names(email=["*@x"]), alternative_names(uri=["urn:*"])]
)
def test_a_wildcard_in_a_certificate_is_refused(names: Extension) -> None:
    leaf = PARTNER.issue(subject="CN=x", extra=[names])
    assert reason(leaf, PARTNER_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


def test_a_wildcard_spiffe_id_is_refused() -> None:
    assert reason(MESH.issue(uri=["spiffe://td/*"]), MESH_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


def test_an_unknown_critical_extension_is_untrusted() -> None:
    leaf = PARTNER.issue(subject="CN=x", extra=[raw_extension("1.2.3.4", b"x", critical=True)])
    assert reason(leaf, PARTNER_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


def test_a_weak_rsa_key_is_untrusted() -> None:
    root = authority("Root")
    leaf = certificate("x", issuer=root, key=rsa.generate_private_key(65537, 1024))
    assert reason(leaf, TrustEntry("e", (root.parsed,))) is Reason.CERTIFICATE_UNTRUSTED


def test_sha_1_is_untrusted() -> None:
    root = authority("Root", key=rsa.generate_private_key(65537, 2048))
    leaf = sha1_signed(certificate("x", issuer=root), root)
    assert reason(leaf, TrustEntry("e", (root.parsed,))) is Reason.CERTIFICATE_UNTRUSTED
    assert "SHA1" in judged(leaf, TrustEntry("e", (root.parsed,))).problem


def test_a_lifetime_over_the_limit_is_untrusted_and_one_at_the_limit_is_not() -> None:
    leaf = PARTNER.issue(subject="CN=x", not_before=NOW - DAY, not_after=NOW + DAY)
    assert reason(leaf, entry("p", PARTNER, max_lifetime=2 * 24 * HOUR)) is None
    assert reason(leaf, entry("p", PARTNER, max_lifetime=2 * 24 * HOUR - 1)) is Reason.CERTIFICATE_UNTRUSTED


def test_min_rsa_bits_is_asked_of_the_leaf_and_of_every_ca_and_of_no_other_kind_of_key() -> None:
    short, long = (rsa.generate_private_key(65537, bits) for bits in (2048, 3072))
    roots = {name: authority(name, key=key) for name, key in (("short", short), ("long", long), ("ec", None))}
    for name, root in roots.items():
        asking = TrustEntry("e", (root.parsed,), min_rsa_bits=3072)
        for key in (short, long, None):
            leaf = certificate("x", issuer=root, key=key)
            refused = key is short or name == "short"
            assert reason(leaf, asking) is (Reason.CERTIFICATE_UNTRUSTED if refused else None)
            assert not refused or "2048 bits, 3072 are asked for" in judged(leaf, asking).problem
            assert reason(leaf, TrustEntry("e", (root.parsed,))) is None


def test_unreadable_presented_certificates_are_only_no_help() -> None:
    issued = presented_from_der(SVID.der, [b"junk", ISSUING.issued.der, b""])
    assert reason(issued, MESH_ENTRY) is None


# Dates.


def test_clock_skew_widens_the_dates_of_the_leaf_at_both_ends_and_by_no_more() -> None:
    leaf = PARTNER.issue(subject="CN=x", not_before=NOW, not_after=NOW + DAY)
    start, end = NOW.timestamp() - 60, (NOW + DAY).timestamp() + 60
    lenient = entry("partner", PARTNER, clock_skew=60)
    verdicts = [reason(leaf, lenient, time=time) for time in (start - 1e-3, start, end, end + 1e-3)]
    assert verdicts == [Reason.CERTIFICATE_NOT_YET_VALID, None, None, Reason.CERTIFICATE_EXPIRED]


def test_clock_skew_widens_the_dates_of_cas() -> None:
    lapsed = MESH.intermediate("Lapsed", days=1)
    leaf = lapsed.issue(dns=["a.example"], not_after=NOW + 9 * DAY)
    end = certificate_from_der(lapsed.issued.der).not_after
    verdicts = [reason(leaf, entry("e", MESH, clock_skew=60), time=time) for time in (end, end + 60, end + 61)]
    assert verdicts == [None, None, Reason.CERTIFICATE_UNTRUSTED]
    assert reason(leaf, entry("e", MESH), time=end + 1) is Reason.CERTIFICATE_UNTRUSTED


def test_clock_skew_widens_the_dates_of_crls_and_pardons_nobody() -> None:
    stolen = PARTNER.issue(subject="CN=stolen")
    crl = PARTNER.crl([stolen.certificate], this_update=NOW - DAY, next_update=NOW)
    lenient = entry("e", PARTNER, crls=(crl,), revocation=Revocation.REQUIRE, clock_skew=60)
    strict = entry("e", PARTNER, crls=(crl,), revocation=Revocation.REQUIRE)
    verdicts = [reason(GUEST, lenient, time=TIME + late) for late in (0, 60, 61)]
    assert verdicts == [None, None, Reason.REVOCATION_UNKNOWN]
    assert reason(GUEST, strict, time=TIME + 1) is Reason.REVOCATION_UNKNOWN
    assert reason(stolen, lenient, time=TIME + 60) is Reason.CERTIFICATE_REVOKED


def test_the_clock_skew_of_one_entry_prolongs_nothing_under_another() -> None:
    leaf = PARTNER.issue(subject="CN=x", not_before=NOW - DAY, not_after=NOW)
    late, strict = TIME + 30, entry("partner", PARTNER)
    assert reason(leaf, strict, entry("mesh", MESH, clock_skew=3600), time=late) is Reason.CERTIFICATE_EXPIRED
    found = judged(leaf, strict, entry("other", PARTNER, clock_skew=60), time=late)
    assert (found.reason, found.trust) == (None, frozenset({"other"}))


def test_a_verdict_under_clock_skew_ends_with_the_widened_dates() -> None:
    leaf, end = PARTNER.issue(subject="CN=x", not_before=NOW, not_after=NOW + DAY), (NOW + DAY).timestamp()
    found = judged(leaf, entry("partner", PARTNER, clock_skew=60), time=end + 5)
    assert (found.reason, found.valid_until) == (None, end + 60)


def test_validity_includes_both_ends_of_the_leaf() -> None:
    leaf = PARTNER.issue(subject="CN=x", not_before=NOW, not_after=NOW + DAY)
    start, end = NOW.timestamp(), (NOW + DAY).timestamp()
    verdicts = [reason(leaf, PARTNER_ENTRY, time=time) for time in (start - 1e-3, start, end, end + 1e-3)]
    assert verdicts == [Reason.CERTIFICATE_NOT_YET_VALID, None, None, Reason.CERTIFICATE_EXPIRED]


def test_the_validity_of_every_certificate_in_the_chain_counts() -> None:
    for root_end, issuer_end in ((NOW + 2 * DAY, NOW + 5 * DAY), (NOW + 5 * DAY, NOW + 2 * DAY)):
        root = authority("Root", not_after=root_end)
        issuer = authority("Issuer", issuer=root, not_after=issuer_end)
        leaf = certificate("x", issuer=issuer, not_after=NOW + 9 * DAY)
        trusted = TrustEntry("e", (root.parsed,), (issuer.parsed,))
        assert reason(leaf, trusted, time=(NOW + 2 * DAY).timestamp()) is None
        found = judged(leaf, trusted, time=(NOW + 2 * DAY).timestamp() + 1)
        assert found.reason is Reason.CERTIFICATE_UNTRUSTED
        assert "has expired" in found.problem


def test_an_anchor_that_is_not_valid_yet_vouches_for_nobody() -> None:
    root = authority("Root", not_before=NOW + DAY)
    found = judged(certificate("x", issuer=root), TrustEntry("e", (root.parsed,)))
    assert (found.reason, "not valid yet" in found.problem) == (Reason.CERTIFICATE_UNTRUSTED, True)


def test_another_path_serves_when_one_is_out_of_date() -> None:
    old = authority("Root", not_after=NOW + DAY)
    new = authority("Root", not_before=NOW)
    cross = authority("Root", issuer=old, key=new.key, not_after=NOW + DAY)
    leaf = certificate("x", issuer=new, not_after=NOW + 5 * DAY)
    store = TrustStore([TrustEntry("e", (old.parsed, new.parsed), (cross.parsed,))])
    for hours in (-12, 0, 12, 48):
        assert store.standing(leaf.presented, TIME + hours * HOUR).reason is None


# Order of reasons.


def test_law_the_first_failure_in_the_order_is_the_reason() -> None:
    expired_and_foreign = Authority.root("X", now=NOW).issue(
        dns=["*.x"], not_before=NOW - 2 * DAY, not_after=NOW - DAY, client=False, server=True
    )
    assert reason(expired_and_foreign, PARTNER_ENTRY) is Reason.CERTIFICATE_EXPIRED
    assert reason(expired_and_foreign, PARTNER_ENTRY, time=TIME - 5 * 24 * HOUR) is Reason.CERTIFICATE_NOT_YET_VALID
    foreign_and_spiffe = Authority.root("X", now=NOW).issue(uri=["spiffe://evil/a"])
    assert reason(foreign_and_spiffe, PARTNER_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


def test_law_the_reason_is_that_of_the_entry_where_the_certificate_got_furthest() -> None:
    svid_invalid = entry("svid", PARTNER, domain=DOMAIN)
    revoked = entry("revoked", PARTNER, crls=(PARTNER.crl([GUEST.certificate]),))
    unknown = entry("unknown", PARTNER, revocation=Revocation.REQUIRE)
    assert reason(GUEST, MESH_ENTRY) is Reason.CERTIFICATE_UNTRUSTED
    assert reason(GUEST, MESH_ENTRY, svid_invalid) is Reason.SVID_INVALID
    assert reason(GUEST, revoked, svid_invalid, MESH_ENTRY) is Reason.CERTIFICATE_REVOKED
    assert reason(GUEST, MESH_ENTRY, unknown, svid_invalid) is Reason.REVOCATION_UNKNOWN
    assert judged(GUEST, MESH_ENTRY, svid_invalid).problem.startswith("svid: ")


# Revocation.

ROGUE = PARTNER.issue(subject="CN=rogue")
LISTS_ROGUE = PARTNER.crl([ROGUE.certificate])


@pytest.mark.parametrize("revocation", [Revocation.IF_AVAILABLE, Revocation.REQUIRE])
def test_a_listed_certificate_is_refused_and_an_unlisted_one_passes(revocation: Revocation) -> None:
    trusted = entry("p", PARTNER, crls=(LISTS_ROGUE,), revocation=revocation)
    assert reason(ROGUE, trusted) is Reason.CERTIFICATE_REVOKED
    assert reason(GUEST, trusted) is None


def test_off_looks_at_no_list() -> None:
    assert reason(ROGUE, entry("p", PARTNER, crls=(LISTS_ROGUE,), revocation=Revocation.OFF)) is None


def test_require_refuses_a_leaf_of_unknown_status() -> None:
    assert reason(GUEST, entry("p", PARTNER, revocation=Revocation.REQUIRE)) is Reason.REVOCATION_UNKNOWN
    assert reason(GUEST, entry("p", PARTNER, revocation=Revocation.IF_AVAILABLE)) is None


def test_require_asks_for_the_list_of_the_issuer_of_the_leaf_and_not_of_the_root() -> None:
    both = {"intermediates": (ISSUING,), "domain": DOMAIN, "revocation": Revocation.REQUIRE}
    of_root = entry(crls=(MESH.crl(),), **both)  # type: ignore[arg-type]  # keyword arguments of mixed types
    of_issuer = entry(crls=(ISSUING.crl(),), **both)  # type: ignore[arg-type]  # keyword arguments of mixed types
    assert reason(SVID, of_root) is Reason.REVOCATION_UNKNOWN
    assert reason(SVID, of_issuer) is None


@pytest.mark.parametrize("offset", [timedelta(days=-3), timedelta(days=3)])
def test_a_crl_that_is_stale_or_from_the_future_revokes_what_it_lists_and_proves_nothing_good(
    offset: timedelta,
) -> None:
    crl = PARTNER.crl([ROGUE.certificate], this_update=NOW + offset, next_update=NOW + offset + DAY)
    required = entry("p", PARTNER, crls=(crl,), revocation=Revocation.REQUIRE)
    available = entry("p", PARTNER, crls=(crl,))
    assert reason(ROGUE, required) is reason(ROGUE, available) is Reason.CERTIFICATE_REVOKED
    assert reason(GUEST, required) is Reason.REVOCATION_UNKNOWN
    assert reason(GUEST, available) is None


def test_a_certificate_known_as_revoked_under_any_entry_is_refused() -> None:
    knows = entry("knows", PARTNER, domain=DOMAIN, crls=(LISTS_ROGUE,))
    for revocation in Revocation:
        crls = (PARTNER.crl(),)
        assert reason(ROGUE, entry("trusts", PARTNER, crls=crls, revocation=revocation), knows) is (
            Reason.CERTIFICATE_REVOKED
        )


def test_the_lists_of_one_entry_prove_nothing_good_for_another() -> None:
    lists = entry("lists", PARTNER, crls=(PARTNER.crl(),), domain=DOMAIN)
    assert reason(GUEST, entry("p", PARTNER, revocation=Revocation.REQUIRE), lists) is Reason.REVOCATION_UNKNOWN


def test_an_intermediate_that_a_crl_lists_is_refused() -> None:
    crl = MESH.crl([ISSUING.issued.certificate])
    assert reason(SVID, entry(domain=DOMAIN, crls=(crl,))) is Reason.CERTIFICATE_REVOKED
    assert reason(SVID, entry(domain=DOMAIN, crls=(crl,), intermediates=(ISSUING,))) is Reason.CERTIFICATE_REVOKED


def test_an_anchor_that_the_crl_of_another_entry_lists_is_refused() -> None:
    crl = MESH.crl([ISSUING.issued.certificate])
    assert reason(SVID, entry("i", ISSUING, domain=DOMAIN), entry("m", crls=(crl,))) is Reason.CERTIFICATE_REVOKED


def test_a_ca_of_a_listed_name_and_number_that_another_key_issued_is_not_revoked() -> None:
    imitation = authority("Mesh")
    serial = ISSUING.issued.certificate.serial_number
    basic = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    twin = certificate("Twin", issuer=imitation, serial=serial, extensions=basic)
    lists = entry("m", crls=(MESH.crl([serial]),))
    assert reason(certificate("x", issuer=twin), TrustEntry("t", (twin.parsed,)), lists) is None


def test_another_path_serves_when_an_intermediate_of_one_is_revoked() -> None:
    old, new = authority("Old"), authority("New")
    first = authority("Issuer", issuer=old)
    second = authority("Issuer", issuer=new, key=first.key)
    leaf = certificate("x", issuer=first)
    old_crl = Authority(Issued(old.certificate, old.key), NOW).crl([first.certificate])  # type: ignore[arg-type]  # EC key
    trusted = TrustEntry("e", (old.parsed, new.parsed), (first.parsed, second.parsed), crls=(crl_from_bytes(old_crl),))
    assert reason(leaf, trusted) is None
    assert reason(leaf, replace(trusted, anchors=(old.parsed,), intermediates=(first.parsed,))) is (
        Reason.CERTIFICATE_REVOKED
    )


def test_crls_are_keyed_by_issuer_name_and_key() -> None:
    imitation = Authority.root("Partner", now=NOW)
    same_serial = imitation.issue(subject="CN=x", serial=ROGUE.certificate.serial_number)
    both = TrustEntry("p", (ca(PARTNER), ca(imitation)), crls=(crl_from_bytes(LISTS_ROGUE),))
    assert reason(ROGUE, both) is Reason.CERTIFICATE_REVOKED
    assert reason(same_serial, both) is None
    assert reason(same_serial, replace(both, revocation=Revocation.REQUIRE)) is Reason.REVOCATION_UNKNOWN


def test_a_list_under_another_key_of_the_ca_revokes_where_both_keys_lead_to_one_anchor() -> None:
    root, other = authority("Root"), authority("Other")
    before, after = authority("Issuing", issuer=root), authority("Issuing", issuer=root)
    leaf, listed = certificate("x", issuer=before), certificate("y", issuer=before)
    crl = crl_from_bytes(authority_of(after).crl([listed.certificate]))
    trusted = TrustEntry("e", (root.parsed,), (before.parsed, after.parsed), crls=(crl,))
    elsewhere = TrustEntry(
        "o", (other.parsed,), (authority("Issuing", issuer=other, key=after.key).parsed,), crls=(crl,)
    )
    assert reason(leaf, trusted) is None
    assert reason(listed, trusted) is Reason.CERTIFICATE_REVOKED
    # Nor does it take the CA that changed its keys to be configured twice.
    shown = presented_from_der(listed.der, [before.der])
    only_new = TrustStore([replace(trusted, intermediates=(after.parsed,))])
    assert only_new.standing(shown, TIME).reason is Reason.CERTIFICATE_REVOKED
    assert reason(listed, replace(trusted, crls=()), elsewhere) is None


def test_a_list_under_another_key_of_the_ca_proves_nothing_good() -> None:
    root = authority("Root")
    before, after = authority("Issuing", issuer=root), authority("Issuing", issuer=root)
    crls = (crl_from_bytes(authority_of(after).crl()),)
    trusted = TrustEntry("e", (root.parsed,), (before.parsed, after.parsed), None, crls, Revocation.REQUIRE)
    assert reason(certificate("x", issuer=before), trusted) is Reason.REVOCATION_UNKNOWN
    assert reason(certificate("x", issuer=after), trusted) is None


def authority_of(ca: Forged) -> Authority:
    """`ca` as one that signs CRLs."""
    return Authority(Issued(ca.certificate, ca.key), NOW)  # type: ignore[arg-type]  # an EC key


def test_two_lists_of_one_ca_revoke_what_either_names() -> None:
    crls = (PARTNER.crl([1], number=1), PARTNER.crl([ROGUE.certificate], number=2), PARTNER.crl([2], number=3))
    assert reason(ROGUE, entry("p", PARTNER, crls=crls)) is Reason.CERTIFICATE_REVOKED


def test_a_crl_that_no_ca_of_its_entry_signed_is_no_store() -> None:
    with pytest.raises(CrlError, match="trust entry mesh"):
        TrustStore([entry("mesh", MESH, crls=(LISTS_ROGUE,))])


def test_a_crl_older_than_the_last_good_one_of_its_ca_is_told() -> None:
    def store(*numbers: int) -> TrustStore:
        return TrustStore([entry("p", PARTNER, crls=tuple(PARTNER.crl(number=number) for number in numbers))])

    key = (ca(PARTNER).subject, ca(PARTNER).spki_sha256)
    assert store(1).crl_rollbacks(store(2)) == {key}
    assert store(1, 2).crl_rollbacks(store(2, 1)) == frozenset()
    assert store(3).crl_rollbacks(store(2)) == frozenset()
    assert store().crl_rollbacks(store(2)) == store(2).crl_rollbacks(store()) == frozenset()


def test_a_crl_of_the_same_age_that_lists_less_than_the_one_in_force_is_told() -> None:
    def store(number: int, *serials: int, previous: TrustStore | None = None) -> TrustStore:
        return TrustStore([entry("p", PARTNER, crls=(PARTNER.crl(serials, number=number),))], previous)

    key = (ca(PARTNER).subject, ca(PARTNER).spki_sha256)
    in_force = store(2, 7, 8)
    assert store(2, 7).crl_rollbacks(in_force) == {key}
    assert store(2, 7, 8).crl_rollbacks(in_force) == store(2, 7, 8, 9).crl_rollbacks(in_force) == frozenset()
    assert store(3, 7).crl_rollbacks(in_force) == frozenset()


# The store.


def test_client_cas_are_every_anchor_and_intermediate_once() -> None:
    store = TrustStore([entry("a", intermediates=(ISSUING,)), entry("b"), entry("c", PARTNER)])
    assert store.client_ca_ders() == (MESH.issued.der, ISSUING.issued.der, PARTNER.issued.der)


def test_a_verdict_is_remembered_and_equal() -> None:
    store = TrustStore([MESH_ENTRY])
    first = store.standing(presented(SVID), TIME)
    assert store.standing(presented(SVID), TIME + 1) is first


def test_equal_keys_with_other_chains_are_judged_apart() -> None:
    store = TrustStore([MESH_ENTRY])
    assert store.standing(presented_from_der(SVID.der), TIME).reason is Reason.CERTIFICATE_UNTRUSTED
    assert store.standing(presented(SVID), TIME).reason is None


class PanicException(BaseException):
    """As pyo3 raises when Rust panics: no Exception."""


@pytest.mark.parametrize("raised", [PanicException("panicked"), RuntimeError("odd"), MemoryError()])
def test_law_standing_never_raises_and_what_surprises_it_refuses(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    def fail(*_: object) -> Standing:
        raise raised

    monkeypatch.setattr(Timeline, "at", fail)
    found = judged(SVID, MESH_ENTRY)
    assert (found.reason, found.trust) == (Reason.CERTIFICATE_UNTRUSTED, frozenset())
    assert (found.valid_from, found.valid_until) == (TIME, TIME)


def test_law_a_presented_certificate_that_is_none_is_refused() -> None:
    broken = PresentedCertificate(cast("Certificate", None), (), b"key", 0)
    assert reason(broken, MESH_ENTRY) is Reason.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_law_no_time_makes_standing_raise_or_trust_outside_validity(time: float) -> None:
    assert reason(SVID, MESH_ENTRY, time=time) in (Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NOT_YET_VALID)


TINY_NAME = tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x06, b"\x55\x04\x03"), tlv(0x0C, b"a"))))
TINY_BASES = [tlv(0x30, tlv(0xA4, TINY_NAME))] * 256
DENSE: Extension = raw_extension("2.5.29.30", tlv(0x30, tlv(0xA0, *TINY_BASES), tlv(0xA1, *TINY_BASES)))
PURPOSES: Extension = raw_extension(
    "2.5.29.37",
    tlv(0x30, tlv(0x06, b"\x2b\x06\x01\x05\x05\x07\x03\x02"), *(tlv(0x06, bytes((85, n))) for n in range(127))),
)
MANY_ATTRIBUTES = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, f"{n}") for n in range(60)])


@pytest.mark.parametrize("as_ca", [False, True])
def test_law_what_a_hostile_certificate_keeps_in_memory_is_within_the_weight_it_is_given(as_ca: bool) -> None:
    extensions = [DENSE, PURPOSES, (x509.BasicConstraints(ca=as_ca, path_length=None), True)]
    ders = [certificate(MANY_ATTRIBUTES, extensions=extensions).der for _ in range(8)]
    store = TrustStore([entry("mesh")])
    store.standing(presented_from_der(ders[0]), TIME)
    tracemalloc.start()
    try:
        for der in ders[1:]:
            store.standing(presented_from_der(der), TIME)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept <= sum(map(len, ders[1:])) * MAX_MEMORY_PER_DER_BYTE


def test_a_flood_of_hostile_certificates_is_forgotten_by_weight() -> None:
    leaf = certificate(MANY_ATTRIBUTES, extensions=[DENSE]).presented
    store = TrustStore([entry("mesh")])
    for number in range(600):
        store.standing(replace(leaf, key=number.to_bytes(32, "big")), TIME)
    held = len(store._timelines)
    assert 0 < held <= MAX_CACHED_PEER_BYTES // (len(leaf.leaf.der) * MAX_MEMORY_PER_DER_BYTE)


def test_a_flood_of_presented_certificates_is_forgotten_by_weight() -> None:
    store = TrustStore([entry("mesh")])
    junk = MAX_CERTIFICATE_BYTES - 4
    for number in range(100):
        store.standing(presented_from_der(SVID.der, [number.to_bytes(4, "big") + bytes(junk)]), TIME)
    assert 0 < len(store._presented) <= MAX_CACHED_AUTHORITY_BYTES // (MAX_CERTIFICATE_BYTES * MAX_MEMORY_PER_DER_BYTE)


def test_ordinary_certificates_that_an_anchor_vouches_for_are_remembered_by_number_and_not_by_weight() -> None:
    ordinary = presented_from_der(MESH.issue(uri=["spiffe://td/ns/a"]).der)
    assert len(ordinary.leaf.der) * MEMORY_PER_DER_BYTE * MAX_CACHED_PEERS <= MAX_CACHED_PEER_BYTES
    store = TrustStore([entry("mesh", domain=DOMAIN)])
    for number in range(MAX_CACHED_PEERS // 2):
        store.standing(replace(ordinary, key=number.to_bytes(32, "big")), TIME)
    assert len(store._timelines) == MAX_CACHED_PEERS // 2
