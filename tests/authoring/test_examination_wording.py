"""Times, spans and names as an examination writes them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.authoring.examination_wording import called, span, utc, validity
from tests.peer.forge import NOW, alternative_names, certificate, named, parsed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (86_401, "1 d"),
        (90_000, "1 d 1 h"),
        (365 * 86_400, "365 d"),
    ],
)
def test_a_span_has_its_two_largest_units_rounded_down(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_a_time_is_rfc_3339_to_the_second() -> None:
    assert utc(NOW.timestamp() + 0.9) == "2026-06-01T12:00:00Z"


@given(st.floats())
def test_law_every_time_has_words(time: float) -> None:
    assert utc(time).endswith("Z")
    assert validity(0, 1, time)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (-3_600, "begins in 1 h"),
        (0, "1 min left"),
        (60, "0 s left"),
        (120, "ended 1 min ago"),
        (math.nan, "at no time that is known"),
    ],
)
def test_validity_says_how_long_something_still_lasts(time: float, words: str) -> None:
    assert validity(0, 60, time) == f"1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z, {words}"


def test_a_certificate_is_called_by_its_subject_else_by_a_san() -> None:
    names = alternative_names(uri=["spiffe://td/a"], dns=["a.example"])
    assert called(certificate("x", extensions=[names]).parsed) == "`CN=x`"
    assert called(certificate(named("x", organization_name="O")).parsed) == "`CN=x,O=O`"
    assert called(parsed(Authority.root("r", now=NOW).issue(ip=["10.0.0.1"]))) == "`10.0.0.1`"
    assert called(parsed(Authority.root("r", now=NOW).issue())) == "`a certificate without a name`"
