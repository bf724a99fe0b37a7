import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.language.suggestion import Vocabulary, did_you_mean
from tests.support.effort import within

KEYS = Vocabulary(["version", "trust", "zones", "identities", "routes", "rules", "spiffe_trust_domain", "not_from"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trsut", "trust"),
        ("rule", "rules"),
        ("routs", "routes"),
        ("Rules", "rules"),
        ("not-from", "not_from"),
        ("notfrom", "not_from"),
        ("spiffe_trustdomain", "spiffe_trust_domain"),
        ("identites", "identities"),
        ("identity", "identities"),
        ("verison", "version"),
    ],
)
def test_a_slip_of_the_pen_finds_the_word_that_was_meant(word: str, meant: str) -> None:
    assert KEYS.nearest(word) == meant


@pytest.mark.parametrize("word", ["", "x", "apiVersion_and_kind", "policy", "r" * 1000])
def test_a_word_that_is_like_no_other_finds_none(word: str) -> None:
    assert KEYS.nearest(word) is None


def test_an_empty_vocabulary_finds_none() -> None:
    assert Vocabulary([]).nearest("a") is None


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1))
def test_a_known_word_is_nearest_to_itself_whatever_the_order(words: list[str]) -> None:
    folded = {word.casefold().replace("_", "-").replace(".", "-"): word for word in sorted(words, reverse=True)}
    for word in folded.values():
        assert Vocabulary(words).nearest(word) == Vocabulary(reversed(words)).nearest(word)
        assert Vocabulary(words).nearest(word) is not None


def test_the_hint_is_a_question_or_nothing() -> None:
    assert did_you_mean("trsut", KEYS) == "did you mean `trust`?"
    assert did_you_mean("zzz", KEYS) == ""


def test_ten_thousand_questions_about_ten_thousand_names_are_answered_soon() -> None:
    names = Vocabulary(f"service-{number}" for number in range(10_000))
    with within(5):
        assert names.nearest("servcie-77") == "service-77"
        for number in range(10_000):
            names.nearest(f"unknown-{number}")
