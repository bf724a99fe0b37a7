"""Joining conditions that bind names."""

from policies.engine.limits import MAX_JOINED_PAIRS
from policies.engine.truth import SATISFIED, TRUE, UNDECIDED, UNKNOWN, UNSATISFIED, Solutions, joined
from tests.engine.callers import caller, decided, policy, request
from tests.support.effort import within


def test_one_name_has_one_value_on_both_sides() -> None:
    left: Solutions = ((TRUE, {"t": "a"}), (TRUE, {"t": "b"}))
    right: Solutions = ((TRUE, {"t": "b", "u": "c"}),)
    assert joined(left, right) == ((TRUE, {"t": "b", "u": "c"}),)


def test_the_join_is_as_true_as_its_weaker_side() -> None:
    assert joined(((TRUE, {"t": "a"}),), ((UNKNOWN, {}),)) == ((UNKNOWN, {"t": "a"}),)
    assert joined(SATISFIED, UNDECIDED) == UNDECIDED
    assert joined(UNDECIDED, UNSATISFIED) == UNSATISFIED


def test_more_pairs_than_can_be_looked_at_are_unknown() -> None:
    many: Solutions = tuple((TRUE, {"t": str(number)}) for number in range(MAX_JOINED_PAIRS // 2))
    assert joined(many, many) == UNDECIDED


def test_law_2_a_certificate_with_very_many_ways_is_refused_quickly(mesh: dict[str, bytes]) -> None:
    who = ", ".join(f'{{dns: "{{n{number}}}.d{number}"}}' for number in range(8))
    text = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"
    text += f"rules: [{{id: r, allow: {{all: [{who}]}}, to: any}}]\n"
    names = [f"s{number}.d{domain}" for domain in range(8) for number in range(8)]
    subject = policy(text, mesh)
    with within(1):
        decision = decided(subject, request(caller(dns=names)))
    assert (decision.allowed, decision.unknown) == (False, ("r: identity",))
