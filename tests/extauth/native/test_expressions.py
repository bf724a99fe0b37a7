"""What needs no second look is what would pass one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from extauth.native.expressions import PLAIN_PATH, SHORT_PLAIN_PATH, short_svid_sans, svid_sans
from extauth.native.limits import MAX_PATH_CHARS
from policies.peer.limits import MAX_SPIFFE_ID_BYTES
from policies.peer.spiffe import SpiffeId, TrustDomain

DOMAIN = TrustDomain.parse("td")


@given(st.from_regex(SHORT_PLAIN_PATH, fullmatch=True))
def test_a_short_plain_path_is_a_plain_path_that_is_not_too_long(path: str) -> None:
    assert re.fullmatch(PLAIN_PATH, path)
    assert " " not in path
    assert len(path) <= MAX_PATH_CHARS


@given(st.from_regex(short_svid_sans(DOMAIN), fullmatch=True))
def test_a_short_svid_has_a_spiffe_id_that_is_not_too_long(sans: str) -> None:
    assert re.fullmatch(svid_sans(DOMAIN), sans)
    assert " " not in sans
    assert SpiffeId.parse(sans.removesuffix("|-|-|-")).trust_domain == DOMAIN


def test_the_longest_of_them_are_within_the_limits() -> None:
    longest = ("/" + "a" * 63) * 15 + "/"
    assert re.fullmatch(SHORT_PLAIN_PATH, longest)
    assert len(longest) <= MAX_PATH_CHARS
    domain = "a" * 255
    spiffe_id = f"spiffe://{domain}" + ("/" + "a" * 63) * 8
    assert re.fullmatch(short_svid_sans(TrustDomain.parse(domain)), spiffe_id + "|-|-|-")
    assert len(spiffe_id) <= MAX_SPIFFE_ID_BYTES
