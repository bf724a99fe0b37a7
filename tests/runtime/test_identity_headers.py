"""Law 7: the upstream hears about a caller from peergate only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.engine.decision import Decision
from policies.engine.header_names import folded_name, is_identity_header
from policies.peer.presented import NO_CERTIFICATE, Presented, presented_from_der
from policies.reason import Effect, Reason
from runtime.identity_headers import HeaderChanges, header_changes
from runtime.limits import MAX_REMEMBERED_HEADER_NAMES, MAX_REMEMBERED_HEADER_SETS

DECISION_ID = "f" * 32
SPIFFE_ID = "spiffe://acme.internal/ns/prod/sa/billing"
AUTHORITY = Authority.root("root")
BILLING = presented_from_der(AUTHORITY.issue(uri=[SPIFFE_ID]).der)
PARTNER = presented_from_der(AUTHORITY.issue(dns=["a.partner.example"], uri=["https://partner.example/a"]).der)
XFCC = "x-forwarded-client-cert"

#: What DESIGN names, and what never may reach an upstream as sent.
NAMED = [
    *(XFCC, "client-cert", "client-cert-chain", "ssl-client-cert", "ssl-client-verify"),
    *("x-forwarded-tls-client-cert", "x-forwarded-tls-client-cert-info"),
    *("x-peergate-identity", "x-peergate-spiffe-id", "x-peergate-reason"),
    *("x-original-url", "x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override"),
]


def decision(
    *,
    headers: tuple[tuple[str, str], ...] = (),
    identities: tuple[str, ...] = ("billing",),
    trust: tuple[str, ...] = ("mesh",),
) -> Decision:
    return Decision(
        Effect.ALLOW, Reason.ALLOWED_BY_RULE, ("r",), identities, trust, {}, headers, (), (), None, "generation"
    )


def changes(
    *received: str,
    settable: tuple[str, ...] = (),
    presented: Presented = BILLING,
    decided: Decision | None = None,
    xfcc_passes: bool = False,
) -> HeaderChanges:
    return header_changes(
        frozenset(settable), received, presented, decided or decision(), DECISION_ID, xfcc_passes=xfcc_passes
    )


def test_the_upstream_is_told_identity_spiffe_id_and_decision() -> None:
    assert dict(changes().put) == {
        "x-peergate-identity": "billing",
        "x-peergate-spiffe-id": SPIFFE_ID,
        "x-peergate-decision-id": DECISION_ID,
    }


def test_several_identities_are_a_list() -> None:
    assert dict(changes(decided=decision(identities=("a", "b"))).put)["x-peergate-identity"] == "a,b"


def test_a_caller_without_certificate_is_told_as_nobody() -> None:
    unknown = changes(presented=NO_CERTIFICATE, decided=decision(identities=(), trust=()))
    assert dict(unknown.put) == {"x-peergate-decision-id": DECISION_ID}
    assert {"x-peergate-identity", "x-peergate-spiffe-id"} <= set(unknown.removed)


def test_a_spiffe_id_that_no_trust_entry_vouches_for_is_not_told() -> None:
    """Under --observe a certificate that was refused passes too."""
    refused = changes(decided=decision(identities=(), trust=()))
    assert "x-peergate-spiffe-id" not in dict(refused.put)
    assert "x-peergate-spiffe-id" in refused.removed


def test_a_uri_that_is_no_spiffe_id_is_not_told_as_one() -> None:
    assert "x-peergate-spiffe-id" not in dict(changes(presented=PARTNER).put)


@pytest.mark.parametrize("name", NAMED)
def test_an_identity_or_rewriting_header_is_removed_even_if_it_is_not_seen(name: str) -> None:
    """Law 7: an enforcement point may not be shown it."""
    changed = changes()
    assert name in changed.removed or name in dict(changed.put)


@pytest.mark.parametrize("name", NAMED)
def test_a_header_with_underscores_is_removed_where_it_is_seen(name: str) -> None:
    """Law 7: servers cannot tell `_` from `-`."""
    disguised = name.replace("-", "_")
    assert disguised in changes(disguised).removed


@pytest.mark.parametrize("name", ["ssl-client-s-dn", "x-forwarded-tls-anything", "x-peergate-new", "X_Peergate-Role"])
def test_every_member_of_an_identity_family_is_removed_where_it_is_seen(name: str) -> None:
    assert name in changes(name).removed


def test_a_header_that_some_rule_may_set_is_removed_from_every_request() -> None:
    """Law 7: also if the rule that sets it did not match."""
    assert "x-tenant" in changes(settable=("x-tenant",)).removed


@pytest.mark.parametrize("name", ["x_tenant", "X-Tenant", "x_Tenant"])
def test_another_spelling_of_a_settable_header_is_removed(name: str) -> None:
    assert name in changes(name, settable=("x-tenant",)).removed


@pytest.mark.parametrize("name", ["x-tenant", "x_tenant"])
def test_a_settable_header_with_underscore_is_removed_in_both_spellings(name: str) -> None:
    assert name in changes(name, settable=("x_tenant",)).removed


def test_a_header_that_a_rule_sets_is_set_and_not_removed() -> None:
    """A proxy removes after it sets."""
    changed = changes(
        "x-tenant", "x_tenant", settable=("x-tenant", "x-role"), decided=decision(headers=(("x-tenant", "acme"),))
    )
    assert dict(changed.put)["x-tenant"] == "acme"
    assert "x-tenant" not in changed.removed
    assert {"x_tenant", "x-role"} <= set(changed.removed)


def test_a_rule_cannot_speak_for_peergate() -> None:
    told = dict(changes(decided=decision(headers=(("x-peergate-decision-id", "forged"),))).put)
    assert told["x-peergate-decision-id"] == DECISION_ID


def test_other_headers_stay() -> None:
    assert {"authorization", "x-forwarded-for", "host", ":path"}.isdisjoint(
        changes("authorization", "x-forwarded-for", "host", ":path").removed
    )


def test_xfcc_about_the_judged_certificate_passes() -> None:
    assert XFCC not in changes(XFCC, xfcc_passes=True).removed


def test_any_other_xfcc_is_removed() -> None:
    assert XFCC in changes(XFCC, xfcc_passes=False).removed


def test_a_disguised_xfcc_is_removed_even_if_the_real_one_passes() -> None:
    assert "x_forwarded_client_cert" in changes(XFCC, "x_forwarded_client_cert", xfcc_passes=True).removed


def test_a_new_generation_has_its_own_settable_headers() -> None:
    assert "x-a" in changes(settable=("x-a",)).removed
    assert "x-a" not in changes(settable=("x-b",)).removed


@given(st.lists(st.text("aclientpergxsu-_CLX", max_size=24), max_size=8), st.sets(st.sampled_from(["x-a", "x_b"])))
def test_no_received_name_that_folds_to_a_guarded_one_survives(names: list[str], settable: set[str]) -> None:
    """Law 7, for any names: what is neither set nor removed is no identity header and nothing that a rule may set."""
    changed = changes(*names, settable=tuple(settable))
    surviving = set(names) - set(changed.removed) - dict(changed.put).keys()
    folded = {folded_name(name) for name in surviving}
    assert not any(is_identity_header(name) for name in folded)
    assert folded.isdisjoint(map(folded_name, settable))
    assert dict(changed.put).keys().isdisjoint(changed.removed)


def test_more_names_than_are_remembered_are_still_judged() -> None:
    for start in range(0, MAX_REMEMBERED_HEADER_NAMES + 500, 500):
        changes(*(f"x-{number}" for number in range(start, start + 500)))
    assert "x_original_url" in changes("x_original_url").removed


def test_more_sets_of_headers_than_are_remembered_are_still_judged() -> None:
    for number in range(MAX_REMEMBERED_HEADER_SETS + 10):
        changes(decided=decision(headers=((f"x-{number}", "1"),)))
    assert "x-original-url" in changes().removed
