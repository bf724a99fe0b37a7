"""`expect` is read to the letter, and one that no decision could meet is refused."""

import pytest

from policies.authoring.expectation import Expectation, ExpectationError
from policies.language.codes import Code
from policies.reason import Effect, Reason
from tests.authoring.policies import policy_from_text

RULES = {rule.id: rule for rule in policy_from_text().rules}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("allow", Expectation(Effect.ALLOW)),
        ("  deny ", Expectation(Effect.DENY)),
        ("allow by billing-reads", Expectation(Effect.ALLOW, ("billing-reads",))),
        ("allow by billing-reads,own-files", Expectation(Effect.ALLOW, ("billing-reads", "own-files"))),
        ("deny because no_certificate", Expectation(Effect.DENY, (), Reason.NO_CERTIFICATE)),
        (
            "deny  by pci-only  because denied_by_rule",
            Expectation(Effect.DENY, ("pci-only",), Reason.DENIED_BY_RULE),
        ),
    ],
)
def test_an_expectation_is_read(text: str, expected: Expectation) -> None:
    assert Expectation.parse(text, RULES) == expected


@pytest.mark.parametrize(
    "text", ["allow", "deny by pci-only because denied_by_rule", "allow by billing-reads, own-files"]
)
def test_an_expectation_is_shown_as_it_is_written(text: str) -> None:
    assert str(Expectation.parse(text, RULES)) == text


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is no expectation", "allow"),
        ("permit", "is no expectation", "allow"),
        ("Allow", "is no expectation", "allow"),
        ("allow billing-reads", "is no expectation", "by RULE"),
        ("allow by", "is no expectation", "by RULE"),
        ("deny because", "is no expectation", "because REASON"),
        ("deny because a b", "is no expectation", "because REASON"),
        ("allow by biling-reads", "no rule `biling-reads`", "did you mean `billing-reads`?"),
        ("allow by billing-reads,", "no rule ``", ""),
        ("allow by pci-only", "can only deny", "`deny by pci-only`"),
        ("deny by closing", "shadow mode", "leave out"),
        ("deny because no_certficate", "is no reason", "did you mean `no_certificate`?"),
        ("allow because no_certificate", "no request is allowed because", "allowed_by_rule"),
        ("deny because allowed_by_rule", "no request is denied because", "allowed_by_rule"),
        ("deny by pci-only because no_certificate", "no rule decides", "leave out `by`"),
        ("allow" + " " * 10_000, "is no expectation", "allow"),
    ],
)
def test_an_expectation_that_cannot_be_met_is_refused_with_what_to_write(text: str, message: str, hint: str) -> None:
    with pytest.raises(ExpectationError, match=message) as refused:
        Expectation.parse(text, RULES)
    assert hint in refused.value.hint


def test_a_rule_that_does_not_exist_is_an_unknown_name() -> None:
    with pytest.raises(ExpectationError) as refused:
        Expectation.parse("allow by nobody", RULES)
    assert refused.value.code is Code.NAME_UNKNOWN
