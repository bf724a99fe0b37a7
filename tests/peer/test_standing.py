"""The window of a verdict: within it, every instant has the equal standing."""

import math
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.chain import Authorities, PathSearch
from policies.peer.crl import Crl, crl_from_bytes
from policies.peer.presented import PresentedCertificate, presented_from_der
from policies.peer.spiffe import TrustDomain
from policies.peer.svid import svid_problem
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from policies.reason import CERTIFICATE_ORDER, Reason
from tests.peer.forge import DAY, NOW, Forged, alternative_names, authority, certificate, key_usage
from tests.peer.test_crl import crl

HOUR = timedelta(hours=1)

ROOT = authority("Root", not_before=NOW - 9 * DAY, not_after=NOW + 9 * DAY)
SHORT = authority("Short", not_before=NOW - 2 * DAY, not_after=NOW + 3 * DAY)
ISSUER = authority("Issuer", issuer=ROOT, not_before=NOW - DAY, not_after=NOW + 5 * DAY)
CROSS = authority("Issuer", issuer=SHORT, key=ISSUER.key, not_before=NOW - 6 * DAY, not_after=NOW + 6 * DAY)
SIGNS = (key_usage("digital_signature"), True)
LEAVES = [
    certificate("a", issuer=ISSUER, serial=11, not_before=NOW - 7 * DAY, not_after=NOW + 7 * DAY),
    certificate("b", issuer=ISSUER, serial=12, not_before=NOW - DAY, not_after=NOW + DAY),
    certificate("c", issuer=ISSUER, serial=13, extensions=[alternative_names(uri=["spiffe://td/a"]), SIGNS]),
    certificate("d", issuer=ROOT, serial=14),
    certificate("e", issuer=authority("Issuer")),
    certificate("f", issuer=ISSUER, extensions=[alternative_names(dns=["*.x"])]),
]
CRLS = [
    crl_from_bytes(data)
    for data in (
        crl(ISSUER, [12], this_update=NOW - 4 * DAY, next_update=NOW - 3 * DAY),
        crl(ISSUER, [], this_update=NOW - 2 * DAY, next_update=NOW + DAY),
        crl(ROOT, [], this_update=NOW + DAY, next_update=NOW + 2 * DAY),
    )
]
KNOWN = {ca: ca.parsed for ca in (ROOT, SHORT, ISSUER, CROSS)}


def known(cas: Iterable[Forged]) -> tuple[Certificate, ...]:
    return tuple(KNOWN[ca] for ca in cas)


entries = st.builds(
    lambda number, anchors, lists, revocation, domain: TrustEntry(
        f"e{number}",
        known(anchors),
        known([ISSUER, ROOT]),
        TrustDomain.parse("td") if domain else None,
        tuple(lists),
        revocation,
    ),
    st.integers(0, 99),
    st.lists(st.sampled_from([ROOT, SHORT, ISSUER]), max_size=2),
    st.lists(st.sampled_from(CRLS), max_size=2),
    st.sampled_from(Revocation),
    st.booleans(),
)
trusts = st.lists(entries, max_size=3, unique_by=lambda entry: entry.name)
# The boundaries lie at whole days, to the second.
days = st.integers(-12, 12).map(lambda count: NOW.timestamp() + count * 86_400)
instants = st.one_of(
    st.floats(-12, 12).map(lambda count: NOW.timestamp() + count * 86_400),
    days,
    days.map(lambda time: math.nextafter(time, math.inf)),
    days.map(lambda time: math.nextafter(time, -math.inf)),
)
presentations = st.sampled_from(
    [
        presented_from_der(leaf.der, [ca.der for ca in others])
        for leaf in LEAVES
        for others in ([], [ISSUER], [CROSS], [CROSS, SHORT], [SHORT, CROSS, ISSUER])
    ]
)


def at_that_instant(
    trusted: list[TrustEntry], presented: PresentedCertificate, time: float
) -> tuple[frozenset[str], Reason | None]:
    """An oracle that knows no windows: trust and reason by looking at every date at this instant."""
    leaf = presented.leaf
    if time < leaf.not_before:
        return frozenset(), Reason.CERTIFICATE_NOT_YET_VALID
    if time > leaf.not_after:
        return frozenset(), Reason.CERTIFICATE_EXPIRED
    named = {entry.name: failure_at(trusted, entry, presented, time) for entry in trusted}
    passed = frozenset(name for name, failure in named.items() if failure is None)
    failures = [failure for failure in named.values() if failure is not None] or [Reason.CERTIFICATE_UNTRUSTED]
    return (passed, None) if passed else (passed, max(failures, key=CERTIFICATE_ORDER.index))


def failure_at(
    trusted: list[TrustEntry], entry: TrustEntry, presented: PresentedCertificate, time: float
) -> Reason | None:
    others = [certificate_from_der(data) for data in presented.intermediates]
    search = PathSearch(Authorities.of(entry.anchors, entry.intermediates), others, signed_by)
    search.run(presented.leaf)
    live = [path for path in search.paths if all(ca.not_before <= time <= ca.not_after for ca in path.certificates)]
    if presented.leaf.wildcard_sans or not live:
        return Reason.CERTIFICATE_UNTRUSTED
    if svid_problem(presented.leaf, entry.spiffe_trust_domain):
        return Reason.SVID_INVALID
    lists = [crl for other in trusted if other.revocation is not Revocation.OFF for crl in other.crls]
    clean = [
        path for path in live if not any(listed(crl, *pair) for crl in lists for pair in pairwise(path.certificates))
    ]
    if not clean:
        return Reason.CERTIFICATE_REVOKED
    issuers = {path.certificates[1] for path in clean}
    current = [crl for crl in entry.crls if crl.this_update <= time <= crl.next_update]
    proven = any(crl.signature.verifies(issuer.public_key) for crl in current for issuer in issuers)
    return None if proven or entry.revocation is not Revocation.REQUIRE else Reason.REVOCATION_UNKNOWN


def signed_by(child: Certificate, issuer: Certificate) -> bool:
    return child.signature.verifies(issuer.public_key)


def listed(crl: Crl, child: Certificate, issuer: Certificate) -> bool:
    return child.identity.serial in crl.serials and crl.signature.verifies(issuer.public_key)


@given(trusts, presentations, instants, st.lists(instants, max_size=5))
def test_law_the_verdict_is_constant_within_its_window_and_right_at_every_instant(
    trusted: list[TrustEntry], presented: PresentedCertificate, time: float, others: list[float]
) -> None:
    store = TrustStore(trusted)
    standing = store.standing(presented, time)
    start, end = standing.valid_from, standing.valid_until
    assert start <= time <= end
    for instant in [time, *(edge for edge in (start, end) if math.isfinite(edge)), *others]:
        at_instant = store.standing(presented, instant)
        assert (at_instant.trust, at_instant.reason) == at_that_instant(trusted, presented, instant)
        if start <= instant <= end:
            assert at_instant == standing


@given(trusts, presentations, instants)
def test_law_windows_meet_without_a_gap(
    trusted: list[TrustEntry], presented: PresentedCertificate, time: float
) -> None:
    store = TrustStore(trusted)
    standing = store.standing(presented, time)
    if math.isfinite(standing.valid_until):
        following = store.standing(presented, math.nextafter(standing.valid_until, math.inf))
        assert following.valid_from == math.nextafter(standing.valid_until, math.inf)
    if math.isfinite(standing.valid_from):
        preceding = store.standing(presented, math.nextafter(standing.valid_from, -math.inf))
        assert preceding.valid_until == math.nextafter(standing.valid_from, -math.inf)


@given(trusts, presentations, instants, instants)
def test_law_the_order_of_questions_and_of_entries_never_changes_who_is_trusted(
    trusted: list[TrustEntry], presented: PresentedCertificate, first: float, second: float
) -> None:
    store, backwards = TrustStore(trusted), TrustStore(trusted[::-1])
    forward = [store.standing(presented, time) for time in (first, second)]
    assert [TrustStore(trusted).standing(presented, time) for time in (second, first)] == forward[::-1]
    reversed_entries = [backwards.standing(presented, time) for time in (first, second)]
    assert [(item.trust, item.reason) for item in reversed_entries] == [(item.trust, item.reason) for item in forward]


@pytest.mark.parametrize("leaf", LEAVES[4:])
def test_a_verdict_that_only_dates_can_change_holds_for_the_life_of_the_leaf(leaf: Forged) -> None:
    standing = TrustStore([TrustEntry("e", known([ROOT]))]).standing(leaf.presented, NOW.timestamp())
    assert (standing.valid_from, standing.valid_until) == (leaf.parsed.not_before, leaf.parsed.not_after)


def test_the_dates_of_every_path_are_boundaries_and_not_those_of_the_first_alone() -> None:
    old, new = authority("Root"), authority("Root", not_before=NOW)
    cross = authority("Root", issuer=old, key=new.key, not_before=NOW - 12 * HOUR)
    leaf = certificate("leaf", issuer=new)
    store = TrustStore([TrustEntry("e", (new.parsed, old.parsed), (cross.parsed,))])
    verdicts = [store.standing(leaf.presented, (NOW + hours * HOUR).timestamp()).reason for hours in (-18, -6, 6)]
    assert verdicts == [Reason.CERTIFICATE_UNTRUSTED, None, None]
