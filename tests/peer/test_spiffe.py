"""SPIFFE IDs and trust domains, by the standard to the letter."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.errors import SpiffeIdError
from policies.peer.spiffe import SpiffeId, TrustDomain, claims_spiffe

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "spiffe_ids.json"

# Where a source of the vectors and the standard disagree, the standard decides.
DISAGREEMENTS = {
    "SPIFFE://example.org/service": "py-spiffe lower-cases the scheme; §2 has `spiffe`, and we refuse",
    "spiffe://EXAMPLE.ORG/service": "py-spiffe lower-cases the trust domain; §2.1 has lower-case letters only",
    "SpIfFe://Example.Org/service": "both of the above",
}


def accepted(text: str) -> bool:
    try:
        SpiffeId.parse(text)
    except SpiffeIdError:
        return False
    return True


@pytest.mark.skipif(not VECTORS.exists(), reason="the third-party vectors are not beside this checkout")
def test_the_vectors_of_other_implementations_hold_save_the_listed_disagreements() -> None:
    cases = json.loads(VECTORS.read_text())["cases"]
    different = {case["id"] for case in cases if accepted(case["id"]) != case["valid"]}
    assert len(cases) == 579
    assert different == set(DISAGREEMENTS)


@pytest.mark.skipif(not VECTORS.exists(), reason="the third-party vectors are not beside this checkout")
def test_where_the_sources_disagree_with_each_other_the_id_is_refused() -> None:
    verdicts: dict[str, set[bool]] = {}
    for case in json.loads(VECTORS.read_text())["cases"]:
        verdicts.setdefault(case["id"].lower(), set()).add(case["valid"])
    assert not any(accepted(text) for text in DISAGREEMENTS)


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://td",
        "spiffe://acme.internal/ns/prod/sa/billing",
        "spiffe://1.2.3.4/service",
        "spiffe://a_b-c.d/Foo_-.9",
        "spiffe://td/...",
        "spiffe://td/.hidden",
    ],
)
def test_a_well_formed_id_is_kept_byte_for_byte(text: str) -> None:
    assert str(SpiffeId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "spiffe:", "spiffe:/", "spiffe:///path", "spiffe://", "http://td/a", "Spiffe://td/a", "SPIFFE://td/a"),
        *("spiffe://TD/a", "spiffe://td/", "spiffe://td//a", "spiffe://td/a/", "spiffe://td/.", "spiffe://td/../a"),
        *(
            "spiffe://td/a%41",
            "spiffe://t%64/a",
            "spiffe://td/a?q",
            "spiffe://td/a#f",
            "spiffe://td?q",
            "spiffe://td#f",
        ),
        *(
            "spiffe://u@td/a",
            "spiffe://td:443/a",
            "spiffe://td:/a",
            "spiffe://[::1]/a",
            "spiffe://td/a\n",
            "spiffe://td\n",
        ),
        *("spiffe://td/é", "spiffe://té/a", "spiffe://td/a b", "spiffe://td/a\x00", "spiffe://td/a;b", "spiffe://td/*"),
        *(" spiffe://td/a", "spiffe://td/a ", "spiffe://td\\a"),
    ],
)
def test_an_id_that_is_not_of_the_standard_is_refused(text: str) -> None:
    with pytest.raises(SpiffeIdError):
        SpiffeId.parse(text)


def test_an_id_of_2048_bytes_is_accepted_and_one_more_is_refused() -> None:
    text = "spiffe://td/" + "a" * (2048 - 12)
    assert accepted(text)
    assert not accepted(text + "a")


def test_a_trust_domain_of_255_bytes_is_accepted_and_one_more_is_refused() -> None:
    assert TrustDomain.parse("a" * 255).name == "a" * 255
    with pytest.raises(SpiffeIdError, match="255"):
        TrustDomain.parse("a" * 256)


@pytest.mark.parametrize("text", ["", "spiffe://td", "Td", "td:1", "td/a", "u@td", "td\n", "t d", "té", "*.td"])
def test_what_is_no_bare_trust_domain_is_refused(text: str) -> None:
    with pytest.raises(SpiffeIdError):
        TrustDomain.parse(text)


@given(st.text())
def test_no_text_raises_anything_but_its_error(text: str) -> None:
    for candidate in (text, f"spiffe://{text}", f"spiffe://td/{text}"):
        try:
            parsed = SpiffeId.parse(candidate)
        except SpiffeIdError:
            continue
        assert str(parsed) == candidate


@pytest.mark.parametrize("uri", ["spiffe://td/a", "SPIFFE://td/a", "spiffe:td", "sPiffe:"])
def test_a_uri_of_the_spiffe_scheme_claims_to_be_an_id_however_malformed(uri: str) -> None:
    assert claims_spiffe(uri)


@pytest.mark.parametrize("uri", ["", "spiff", "https://spiffe://td", "xspiffe://td", "spiffes://td"])
def test_a_uri_of_another_scheme_claims_nothing(uri: str) -> None:
    assert not claims_spiffe(uri)
