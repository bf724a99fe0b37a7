"""What a policy set says of itself."""

from policies.engine.limits import MAX_CACHED_CALLERS
from policies.reason import Reason
from tests.engine.callers import caller, decided, policy, request

TRUST = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"


def test_rules_are_known_by_their_sorted_ids(mesh: dict[str, bytes]) -> None:
    text = TRUST + "rules: [{id: b, allow: authenticated, to: any}, {id: a, deny: anyone, to: {paths: [/x]}}]\n"
    assert policy(text, mesh).rule_ids == ("a", "b")


def test_labels_of_several_rules_are_merged_in_the_order_of_ids(mesh: dict[str, bytes]) -> None:
    text = TRUST + (
        "rules:\n"
        "  - {id: b, allow: authenticated, to: any, labels: {team: b, ticket: T-1}}\n"
        "  - {id: a, allow: authenticated, to: any, labels: {team: a}}\n"
    )
    subject = policy(text, mesh)
    assert subject.labels(["b", "a"]) == {"team": "a", "ticket": "T-1"}
    assert subject.labels([]) == {}


def test_it_names_the_headers_that_conditions_read_and_rules_set(mesh: dict[str, bytes]) -> None:
    text = TRUST + (
        "rules:\n"
        "  - {id: a, allow: authenticated, to: {headers: {X-Env: [a]}}, set_headers: {X-Role: r}}\n"
        "  - {id: b, allow: authenticated, to: any, mode: shadow, set_headers: {x-other: r}}\n"
    )
    subject = policy(text, mesh)
    assert subject.condition_headers == {"x-env", "content-type"}
    assert subject.settable_headers == {"x-role", "x-other"}


def test_the_cache_of_callers_is_bounded(mesh: dict[str, bytes]) -> None:
    subject = policy(TRUST + "rules: [{id: a, allow: authenticated, to: any}]\n", mesh)
    for number in range(MAX_CACHED_CALLERS + 10):
        assert decided(subject, request(caller([f"spiffe://td/{number}"]))).allowed
    assert subject.cached_callers <= MAX_CACHED_CALLERS


def test_a_caller_of_another_time_is_judged_again(mesh: dict[str, bytes]) -> None:
    """The cache holds a verdict only for the interval in which it is constant; certificates are in tests/peer."""
    subject = policy(TRUST + "rules: [{id: a, allow: authenticated, to: any}]\n", mesh)
    asked = request(caller(["spiffe://td/a"]), time=0.0)
    assert decided(subject, asked).reason is Reason.ALLOWED_BY_RULE
    assert decided(subject, request(caller(["spiffe://td/a"]), time=1e12)).reason is Reason.ALLOWED_BY_RULE
