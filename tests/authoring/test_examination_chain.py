"""The chain that was built, or how far one could be built, and what would make it whole."""

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from policies.authoring.examination import examination_from_presented
from policies.authoring.examination_check import Check
from policies.authoring.examination_entry import EntryExamination
from policies.peer.limits import MAX_CHAIN_DEPTH
from policies.peer.presented import presented_from_der
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import AnchorSource, TrustEntry, TrustStore
from tests.peer.forge import DAY, NOW, Forged, authority, certificate, key_usage, raw_extension, sha1_signed, tlv

TIME = NOW.timestamp()
ROOT = authority("Root")
SUB = authority("Sub", issuer=ROOT)
LEAF = certificate("leaf", issuer=SUB)


def examined(
    leaf: Forged = LEAF,
    anchors: Sequence[Forged] = (ROOT,),
    intermediates: Sequence[Forged] = (),
    *,
    sent: Sequence[Forged] = (),
    time: float = TIME,
    anchors_from: AnchorSource = AnchorSource.ANCHORS,
) -> EntryExamination:
    """What one entry, called mesh, says."""
    entry = TrustEntry(
        "mesh",
        tuple(ca.parsed for ca in anchors),
        tuple(ca.parsed for ca in intermediates),
        None if anchors_from is AnchorSource.ANCHORS else TrustDomain("td"),
        anchors_from=anchors_from,
    )
    presented = presented_from_der(leaf.der, [ca.der for ca in sent])
    (found,) = examination_from_presented(presented, time, TrustStore([entry])).entries
    return found


def shown(entry: EntryExamination) -> list[tuple[str, str]]:
    return [(link.certificate.subject.text, link.origin.value) for link in entry.links]


def check(entry: EntryExamination, name: str) -> Check:
    (found,) = [check for check in entry.checks if check.name == name]
    return found


def fix(entry: EntryExamination) -> str:
    return check(entry, "chain").fix


# The chain.


def test_a_chain_tells_where_each_certificate_comes_from() -> None:
    sent, configured = examined(sent=[SUB]), examined(intermediates=[SUB])
    assert shown(sent) == [("CN=leaf", "leaf"), ("CN=Sub", "presented"), ("CN=Root", "anchors")]
    assert shown(configured) == [("CN=leaf", "leaf"), ("CN=Sub", "intermediates"), ("CN=Root", "anchors")]
    assert sent.whole
    assert check(sent, "chain").finding == "leads to the anchor `CN=Root`"


def test_a_ca_that_is_sent_and_configured_counts_as_configured() -> None:
    assert shown(examined(sent=[SUB], intermediates=[SUB]))[1] == ("CN=Sub", "intermediates")


def test_several_chains_are_counted_and_one_that_holds_now_is_shown() -> None:
    new = authority("Root", not_before=NOW - DAY)
    old = authority("Root", key=new.key, not_after=NOW - DAY)
    found = examined(certificate("leaf", issuer=new), [old, new])
    assert found.links[-1].certificate == new.parsed
    assert check(found, "chain").finding.endswith(", one of 2 chains")
    assert found.reason is None


def test_a_chain_that_ends_below_an_anchor_is_shown_as_far_as_it_goes() -> None:
    top = authority("Top", issuer=ROOT)
    middle = authority("Middle", issuer=top)
    found = examined(certificate("leaf", issuer=middle), [authority("Other")], [top], sent=[SUB, middle])
    assert shown(found) == [("CN=leaf", "leaf"), ("CN=Middle", "presented"), ("CN=Top", "intermediates")]
    assert not found.whole


def test_without_a_chain_its_dates_and_revocation_are_not_reached() -> None:
    found = examined()
    for name in ("dates of CAs", "revocation"):
        assert (check(found, name).outcome, check(found, name).finding) == ("not_reached", "there is no chain")


# What would make it whole.


def test_a_missing_issuer_is_named_with_both_ways_to_bring_it() -> None:
    assert fix(examined()) == (
        "the issuer `CN=Sub` is not among anchors and intermediates: add it to `intermediates` of mesh, or have the "
        "client send its chain; add it to `anchors` of mesh if it may vouch for callers by itself"
    )


def test_a_self_signed_ca_that_is_no_anchor_is_offered_as_one_with_care() -> None:
    found = examined(anchors=[authority("Other")], sent=[SUB, ROOT])
    assert fix(found) == "if the self-signed `CN=Root` may vouch for callers, add it to `anchors` of mesh"


def test_a_workload_api_that_a_command_does_not_ask_is_told_with_the_way_to_judge_all_the_same() -> None:
    found = examined(anchors=[], sent=[SUB, ROOT], anchors_from=AnchorSource.WORKLOAD_API)
    assert check(found, "chain").finding == "the Workload API of mesh was not asked, which a service does"
    assert fix(found).endswith("in `spiffe_bundle` of mesh")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (AnchorSource.BUNDLE, "put a bundle of td that has it into `spiffe_bundle` of mesh"),
        (AnchorSource.WORKLOAD_API, "have it added to the bundle of td that the Workload API of mesh gives"),
    ],
)
def test_a_missing_or_ended_anchor_belongs_where_the_anchors_of_the_entry_come_from(
    source: AnchorSource, words: str
) -> None:
    other = [authority("Other")]
    assert fix(examined(anchors=other, sent=[SUB], anchors_from=source)).endswith(
        f"{words} if it may vouch for callers by itself"
    )
    assert fix(examined(anchors=other, sent=[SUB, ROOT], anchors_from=source)).endswith(words)
    ended = authority("Root", not_after=NOW - DAY)
    found = examined(certificate("leaf", issuer=ended), [ended], anchors_from=source)
    assert shown(found)[-1] == ("CN=Root", "spiffe_bundle")
    assert check(found, "dates of CAs").fix == f"renew this CA and {words}"


def test_a_self_signed_leaf_needs_a_ca() -> None:
    words = "it is self-signed, so nobody vouches for it: have a CA of mesh issue it"
    lonely = certificate("lonely")
    assert fix(examined(lonely)) == fix(examined(lonely, [lonely])) == fix(examined(ROOT)) == words


def test_a_ca_of_the_same_name_and_another_key_is_told_apart() -> None:
    found = examined(anchors=[ROOT, authority("Sub")])
    assert fix(found).startswith("a CA named `CN=Sub` is there, but with another key")


def test_a_ca_that_may_not_issue_is_to_be_issued_anew() -> None:
    server = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    for bad in (
        authority("Sub", issuer=ROOT, extra=[server]),
        authority("Sub", issuer=ROOT, usage=key_usage("crl_sign")),
        certificate("Sub", issuer=ROOT),
    ):
        found = examined(certificate("leaf", issuer=bad), sent=[bad])
        assert fix(found) == "have the CA `CN=Sub` issued anew as one that may issue client certificates"


def test_a_ca_with_a_weak_key_is_to_be_issued_anew() -> None:
    weak = authority("Weak", issuer=ROOT, key=rsa.generate_private_key(65537, 1024))
    found = examined(certificate("leaf", issuer=weak), sent=[weak])
    assert fix(found) == "have the CA `CN=Weak` issued anew as one that may issue client certificates"


def test_a_limit_of_a_ca_is_told_as_a_limit() -> None:
    flat = authority("Flat", path_length=0)
    below = authority("Sub", issuer=flat)
    assert "path length" in fix(examined(certificate("leaf", issuer=below), [flat], sent=[below]))
    only = tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0xA4, tlv(0x30, tlv(0x31, tlv(0x30, b"\x06\x03\x55\x04\x03\x0c\x01b")))))))
    narrow = authority("Narrow", extra=[raw_extension("2.5.29.30", only, critical=True)])
    found = examined(certificate("leaf", issuer=narrow), [narrow])
    assert "not permitted by a name constraint" in check(found, "chain").finding
    assert "name constraints" in fix(found)


def test_a_chain_that_is_too_long_is_to_be_shortened() -> None:
    cas = [ROOT]
    for level in range(MAX_CHAIN_DEPTH + 1):
        cas.append(authority(f"CA {level}", issuer=cas[-1]))
    found = examined(certificate("leaf", issuer=cas[-1]), intermediates=cas[1:])
    assert not found.whole
    assert "in a shorter chain" in fix(found)


def test_a_weak_signature_on_a_ca_is_to_be_made_anew() -> None:
    root = authority("Root", key=rsa.generate_private_key(65537, 2048))
    weak = sha1_signed(authority("Weak", issuer=root), root)
    found = examined(certificate("leaf", issuer=weak), [root], sent=[weak])
    assert fix(found) == "have `CN=Weak` issued anew with a signature that counts"


# Whose matter it is.


def test_an_entry_is_not_told_to_add_a_ca_for_which_another_has_the_chain() -> None:
    entries = [TrustEntry("mesh", (ROOT.parsed,), (SUB.parsed,)), TrustEntry("partners", (authority("P").parsed,))]
    _, partners = examination_from_presented(LEAF.presented, TIME, TrustStore(entries)).entries
    assert check(partners, "chain").finding.endswith("; the entry mesh has a chain for it")
    assert {item.fix for item in partners.checks} == {""}


# Dates.


@pytest.mark.parametrize(
    ("intermediates", "place"), [([], "have the client send it"), ([0], "put it into `intermediates` of mesh")]
)
def test_a_ca_that_ended_is_to_be_renewed_where_it_comes_from(intermediates: list[int], place: str) -> None:
    old = authority("Sub", issuer=ROOT, not_after=NOW - DAY)
    leaf = certificate("leaf", issuer=old)
    found = check(examined(leaf, intermediates=[old] * len(intermediates), sent=[old]), "dates of CAs")
    assert found.finding.startswith("`CN=Sub`: ")
    assert found.finding.endswith("ended 1 d ago")
    assert found.fix == f"renew this CA and {place}"


def test_a_ca_of_the_future_is_a_matter_of_clocks() -> None:
    young = authority("Root", not_before=NOW + DAY)
    found = check(examined(certificate("leaf", issuer=young), [young]), "dates of CAs")
    assert found.finding.endswith("begins in 1 d")
    assert "compare the clocks" in found.fix


def test_the_ca_that_ends_first_is_told_in_good_time() -> None:
    soon = authority("Sub", issuer=ROOT, not_after=NOW + DAY)
    found = check(examined(certificate("leaf", issuer=soon), sent=[soon]), "dates of CAs")
    assert found.finding.startswith("the first to end is `CN=Sub`: ")
    assert found.finding.endswith("1 d left")
