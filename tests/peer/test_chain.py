"""Certification paths (RFC 5280 §6.1)."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from policies.peer.certificate import Certificate
from policies.peer.chain import Authorities, Path, PathSearch
from policies.peer.constraints import Name, NameConstraints
from policies.peer.limits import (
    MAX_CHAIN_DEPTH,
    MAX_EXTENSION_ITEMS,
    MAX_NAME_COMPARISONS,
    MAX_PATH_STEPS,
    MAX_PATHS,
    MAX_PRESENTED_SIGNATURES,
    MAX_SANS,
)
from tests.peer.forge import (
    DAY,
    NOW,
    Extension,
    Forged,
    alternative_names,
    authority,
    certificate,
    key_usage,
    named,
    raw_extension,
    sha1_signed,
    tlv,
)


def verify(child: Certificate, issuer: Certificate) -> bool:
    return child.signature.verifies(issuer.public_key)


def search(
    leaf: Forged, anchors: Sequence[Forged], intermediates: Sequence[Forged] = (), presented: Sequence[Forged] = ()
) -> PathSearch:
    known = Authorities.of([ca.parsed for ca in anchors], [ca.parsed for ca in intermediates])
    found = PathSearch(known, [ca.parsed for ca in presented], verify)
    found.run(leaf.parsed)
    return found


def paths(leaf: Forged, anchors: Sequence[Forged], *others: Forged) -> list[Path]:
    return search(leaf, anchors, others).paths


def problem(leaf: Forged, anchors: Sequence[Forged], *others: Forged) -> str:
    found = search(leaf, anchors, others)
    assert found.paths == []
    return found.problem


ROOT = authority("Root")
ISSUER = authority("Issuer", issuer=ROOT)
LEAF = certificate("leaf", issuer=ISSUER)


def test_a_path_leads_from_the_leaf_over_the_intermediate_to_the_anchor() -> None:
    (path,) = paths(LEAF, [ROOT], ISSUER)
    assert path.certificates == (LEAF.parsed, ISSUER.parsed, ROOT.parsed)


def test_an_intermediate_may_be_presented_with_the_leaf() -> None:
    assert len(search(LEAF, [ROOT], presented=[ISSUER]).paths) == 1


def test_without_the_intermediate_there_is_no_path_and_the_missing_issuer_is_named() -> None:
    assert "'CN=Issuer', the issuer of 'CN=leaf'" in problem(LEAF, [ROOT])


def test_an_anchor_may_be_an_intermediate_ca() -> None:
    (path,) = paths(LEAF, [ISSUER])
    assert path.certificates == (LEAF.parsed, ISSUER.parsed)


def test_a_leaf_is_never_its_own_anchor() -> None:
    lonely = certificate("lonely")
    assert paths(lonely, [lonely]) == []
    assert paths(LEAF, [LEAF]) == []


def test_a_ca_that_is_an_anchor_is_not_its_own_anchor_as_a_leaf() -> None:
    assert paths(ROOT, [ROOT]) == []


def test_a_presented_self_signed_root_is_trusted_for_nothing() -> None:
    foreign = authority("Root")
    leaf = certificate("leaf", issuer=foreign)
    found = search(leaf, [ROOT], presented=[foreign])
    assert found.paths == []
    assert "did not sign" in found.problem or "is named" in found.problem or "already" in found.problem


def test_a_ca_of_the_same_name_with_another_key_is_another_ca() -> None:
    imitation = certificate("leaf", issuer=authority("Issuer", issuer=authority("Root")))
    assert "did not sign" in problem(imitation, [ROOT], ISSUER)


def test_names_are_chained_by_comparison_and_not_by_bytes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority(named("Issuing  CA", organization_name="ACME"), issuer=ROOT, key=key)
    leaf = certificate("leaf", issuer=issuer, issuer_name=named("issuing ca", organization_name="Acme"))
    assert len(paths(leaf, [ROOT], issuer)) == 1


def test_a_path_is_valid_while_all_of_it_is_anchor_included() -> None:
    root = authority("Root", not_before=NOW - 3 * DAY, not_after=NOW + 2 * DAY)
    issuer = authority("Issuer", issuer=root, not_before=NOW - 2 * DAY, not_after=NOW + 3 * DAY)
    leaf = certificate("leaf", issuer=issuer, not_before=NOW - 4 * DAY, not_after=NOW + 4 * DAY)
    (path,) = paths(leaf, [root], issuer)
    assert (path.valid_from, path.valid_until) == ((NOW - 2 * DAY).timestamp(), (NOW + 2 * DAY).timestamp())


def test_without_basic_constraints_a_certificate_is_no_ca() -> None:
    end_entity = certificate("Issuer", issuer=ROOT)
    assert "not a CA" in problem(certificate("leaf", issuer=end_entity), [ROOT], end_entity)


def test_an_anchor_that_is_no_ca_issues_nothing() -> None:
    anchor = certificate("Root", extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)])
    assert "not a CA" in problem(certificate("leaf", issuer=anchor), [anchor])


def test_a_ca_without_key_usage_issues() -> None:
    assert ISSUER.parsed.key_usage is None
    assert len(paths(LEAF, [ROOT], ISSUER)) == 1


@pytest.mark.parametrize(("bits", "issues"), [(("key_cert_sign",), True), (("crl_sign", "digital_signature"), False)])
def test_a_ca_with_key_usage_needs_key_cert_sign(bits: tuple[str, ...], issues: bool) -> None:
    issuer = authority("Issuer", issuer=ROOT, usage=key_usage(*bits))
    assert bool(paths(certificate("leaf", issuer=issuer), [ROOT], issuer)) is issues


def purposes(*oids: x509.ObjectIdentifier) -> list[Extension]:
    return [(x509.ExtendedKeyUsage(oids), False)]


@pytest.mark.parametrize(
    ("extra", "issues"),
    [
        ([], True),
        (purposes(ExtendedKeyUsageOID.CLIENT_AUTH), True),
        (purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE), True),
        (purposes(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH), True),
        (purposes(ExtendedKeyUsageOID.SERVER_AUTH), False),
    ],
)
def test_a_ca_whose_extended_key_usage_lacks_client_auth_issues_no_clients(
    extra: list[Extension], issues: bool
) -> None:
    issuer = authority("Issuer", issuer=ROOT, extra=extra)
    assert bool(paths(certificate("leaf", issuer=issuer), [ROOT], issuer)) is issues
    root = authority("Root", extra=extra)
    assert bool(paths(certificate("leaf", issuer=root), [root])) is issues


def test_an_unknown_critical_extension_of_a_ca_ends_the_path() -> None:
    issuer = authority("Issuer", issuer=ROOT, extra=[raw_extension("1.2.3.4", b"x", critical=True)])
    assert "1.2.3.4" in problem(certificate("leaf", issuer=issuer), [ROOT], issuer)


def test_a_weak_ca_key_ends_the_path() -> None:
    issuer = authority("Issuer", issuer=ROOT, key=rsa.generate_private_key(65537, 1024))
    assert "1024 bits" in problem(certificate("leaf", issuer=issuer), [ROOT], issuer)


def test_a_sha_1_signature_on_the_leaf_ends_the_path() -> None:
    root = authority("Root", key=rsa.generate_private_key(65537, 2048))
    assert "SHA1" in problem(sha1_signed(certificate("leaf", issuer=root), root), [root])


def test_a_sha_1_signature_on_an_intermediate_ends_the_path() -> None:
    root = authority("Root", key=rsa.generate_private_key(65537, 2048))
    issuer = sha1_signed(authority("Issuer", issuer=root), root)
    assert "SHA1" in problem(certificate("leaf", issuer=issuer), [root], issuer)


def test_the_signature_on_an_anchor_does_not_count() -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = authority("Root", key=key)
    assert len(paths(certificate("leaf", issuer=root), [sha1_signed(root, root)])) == 1
    issuer = authority("Issuer", issuer=root)
    assert len(paths(certificate("leaf", issuer=issuer), [sha1_signed(issuer, root)])) == 1


def test_ed25519_chains_are_fine() -> None:
    root_key = ed25519.Ed25519PrivateKey.generate()
    basic: list[Extension] = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    root = certificate("Root", key=root_key, pure=True, extensions=basic)
    assert len(paths(certificate("leaf", issuer=root, pure=True), [root])) == 1


def test_path_length_counts_the_cas_below() -> None:
    for length, issues in ((0, False), (1, True), (2, True)):
        root = authority("Root", path_length=length)
        issuer = authority("Issuer", issuer=root)
        assert bool(paths(certificate("leaf", issuer=issuer), [root], issuer)) is issues


def test_what_a_ca_issues_has_a_path_only_if_those_above_allow_a_ca_below() -> None:
    for length, count in ((0, 0), (1, 1), (None, 1)):
        root = authority("Root", path_length=length)
        issuer = authority("Issuer", issuer=root)
        found = PathSearch(Authorities.of([root.parsed], [issuer.parsed]), [], verify)
        found.run_below(issuer.parsed)
        assert len(found.paths) == count


def test_path_length_does_not_count_self_issued_cas() -> None:
    root = authority("Root", path_length=0)
    new_key = ec.generate_private_key(ec.SECP256R1())
    rolled = authority("Root", issuer=root, key=new_key)
    assert len(paths(certificate("leaf", issuer=rolled), [root], rolled)) == 1


def test_name_constraints_of_any_ca_above_hold_for_the_leaf() -> None:
    nameable: Extension = (x509.NameConstraints([x509.DNSName("acme.example")], None), True)
    for root_extra, issuer_extra in (([nameable], []), ([], [nameable])):
        root = authority("Root", extra=root_extra)
        issuer = authority("Issuer", issuer=root, extra=issuer_extra)
        good = certificate("leaf", issuer=issuer, extensions=[alternative_names(dns=["a.acme.example"])])
        bad = certificate("leaf", issuer=issuer, extensions=[alternative_names(dns=["evil.example"])])
        assert len(paths(good, [root], issuer)) == 1
        assert "not permitted" in problem(bad, [root], issuer)


def test_name_constraints_hold_for_the_subject_too() -> None:
    acme = x509.DirectoryName(x509.Name(list(named("x", organization_name="Acme"))[:1]))
    root = authority("Root", extra=[(x509.NameConstraints([acme], None), True)])
    assert len(paths(certificate(named("a", organization_name="ACME"), issuer=root), [root])) == 1
    assert "not permitted" in problem(certificate("a", issuer=root), [root])


def test_name_constraints_skip_self_issued_cas_and_not_a_self_issued_leaf() -> None:
    acme = x509.DirectoryName(x509.Name(list(named("x", organization_name="Acme"))[:1]))
    root = authority("Root", extra=[(x509.NameConstraints([acme], None), True)])
    rolled = authority("Root", issuer=root, key=ec.generate_private_key(ec.SECP256R1()))
    good = certificate(named("a", organization_name="Acme"), issuer=rolled)
    assert len(paths(good, [root], rolled)) == 1
    assert paths(certificate("Root", issuer=rolled), [root], rolled) == []


def test_law_names_are_held_against_constraints_only_on_a_path_to_an_anchor(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[NameConstraints] = []
    violation = NameConstraints.violation

    def counted(constraints: NameConstraints, names: Sequence[Name]) -> str:
        held.append(constraints)
        return violation(constraints, names)

    monkeypatch.setattr(NameConstraints, "violation", counted)
    own = authority("Own", extra=[(x509.NameConstraints([x509.DNSName("acme.example")], None), True)])
    leaf = certificate("leaf", issuer=own, extensions=[alternative_names(dns=["acme.example"])])
    assert search(leaf, [ROOT], presented=[own]).paths == []
    assert held == []
    assert len(search(leaf, [own]).paths) == 1
    assert held == [own.parsed.extensions.name_constraints]


def crowded(cas: int, hosts: int, bases: int) -> tuple[Forged, list[Forged]]:
    """A leaf with `hosts` URIs under `cas` CAs, root first, that each exclude `bases` others."""
    others = tlv(0x30, tlv(0xA1, *(tlv(0x30, tlv(0x86, b"z%d" % number)) for number in range(bases))))
    extra = [raw_extension("2.5.29.30", others, critical=True)]
    found = [authority("CA 0", extra=extra)]
    for number in range(1, cas):
        found.append(authority(f"CA {number}", issuer=found[-1], extra=extra))
    names = alternative_names(uri=[f"a://h/{number}" for number in range(hosts)])
    return certificate("leaf", issuer=found[-1], extensions=[names]), found


def test_names_and_constraints_at_the_limits_of_a_certificate_pass() -> None:
    leaf, (root, issuer) = crowded(2, MAX_SANS, MAX_EXTENSION_ITEMS)
    assert len(paths(leaf, [root], issuer)) == 1


def test_law_all_paths_of_one_search_share_one_budget_of_comparisons() -> None:
    leaf, (root,) = crowded(1, MAX_SANS, MAX_EXTENSION_ITEMS)
    extensions = [(extension.value, extension.critical) for extension in root.certificate.extensions]
    again = [certificate("CA 0", key=root.key, issuer_name=named(f"Top {n}"), extensions=extensions) for n in range(20)]
    found = search(leaf, again)
    assert 0 < len(found.paths) <= MAX_NAME_COMPARISONS // (MAX_SANS * MAX_EXTENSION_ITEMS)
    assert f"more than {MAX_NAME_COMPARISONS} comparisons" in found.problem


def test_every_path_of_a_ca_roll_over_is_found() -> None:
    old, new = authority("Root"), authority("Root")
    cross = authority("Root", issuer=old, key=new.key)
    leaf = certificate("leaf", issuer=new)
    found = paths(leaf, [old, new], cross)
    assert {path.certificates[-1] for path in found} == {old.parsed, new.parsed}
    assert len(paths(leaf, [old], cross)) == 1
    assert len(paths(leaf, [new], cross)) == 1


def test_key_identifiers_that_differ_exclude_a_candidate() -> None:
    def identified(key: ec.EllipticCurvePrivateKey) -> list[Extension]:
        return [(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)]

    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = authority("Root", key=key, extra=identified(key))
    names_other = [(x509.AuthorityKeyIdentifier.from_issuer_public_key(other.public_key()), False)]
    names_it = [(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)]
    assert "key identifier" in problem(certificate("leaf", issuer=root, extensions=names_other), [root])
    assert len(paths(certificate("leaf", issuer=root, extensions=names_it), [root])) == 1


def ladder(rungs: int) -> tuple[Forged, list[Forged], Forged]:
    """An anchor, CAs below it, and a leaf of the last."""
    anchor = authority("CA 0")
    cas = [anchor]
    for rung in range(1, rungs + 1):
        cas.append(authority(f"CA {rung}", issuer=cas[-1]))
    return anchor, cas[1:], certificate("leaf", issuer=cas[-1])


def test_eight_cas_may_stand_between_leaf_and_anchor_and_no_more() -> None:
    anchor, cas, leaf = ladder(MAX_CHAIN_DEPTH)
    assert len(paths(leaf, [anchor], *cas)) == 1
    anchor, cas, leaf = ladder(MAX_CHAIN_DEPTH + 1)
    assert "more than 8" in problem(leaf, [anchor], *cas)


def test_a_maze_of_presented_certificates_costs_a_bounded_number_of_signatures() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(8)]
    maze = [
        authority("Maze", key=key, issuer=Forged(authority("Maze").certificate, keys[index - 1]))
        for index, key in enumerate(keys)
    ]
    leaf = certificate("leaf", issuer=maze[0])
    tried: list[tuple[Certificate, Certificate]] = []

    def counted(child: Certificate, issuer: Certificate) -> bool:
        tried.append((child, issuer))
        return True

    found = PathSearch(Authorities.of([ROOT.parsed], []), [ca.parsed for ca in maze], counted)
    found.run(leaf.parsed)
    assert found.paths == []
    assert len(tried) == MAX_PRESENTED_SIGNATURES


def configured_maze(levels: int, width: int) -> list[Certificate]:
    """CAs of which each level could have issued the one before: the last level names Root as its issuer."""
    names = [*(f"L{level}" for level in range(levels)), "Root"]
    return [
        authority(name, issuer_name=named(above), issuer=ROOT).parsed
        for name, above in pairwise(names)
        for _ in range(width)
    ]


def test_the_paths_of_a_maze_of_configured_cas_are_bounded() -> None:
    known = Authorities.of([ROOT.parsed], configured_maze(levels=4, width=3))
    found = PathSearch(known, (), lambda child, issuer: True)
    found.run(certificate("leaf", issuer_name=named("L0")).parsed)
    assert len(found.paths) == MAX_PATHS


def test_a_maze_of_configured_cas_without_a_way_out_is_left_after_a_bounded_number_of_steps() -> None:
    tried: list[Certificate] = []

    def counted(child: Certificate, issuer: Certificate) -> bool:
        tried.append(issuer)
        return True

    known = Authorities.of([], configured_maze(levels=6, width=4))
    found = PathSearch(known, (), counted)
    found.run(certificate("leaf", issuer_name=named("L0")).parsed)
    assert found.paths == []
    assert len(tried) <= MAX_PATH_STEPS


def test_a_presented_ca_of_the_right_key_and_another_name_is_not_the_issuer() -> None:
    renamed = authority("Other", issuer=ROOT, key=ISSUER.key)
    assert search(LEAF, [ROOT], presented=[renamed]).paths == []
