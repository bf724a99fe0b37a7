"""SPIFFE bundles: what the standard ignores is ignored, what cannot be read is an error, and nothing else gets in."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.errors import SpiffeBundleError
from policies.peer.limits import MAX_TRUST_FILE_BYTES, MAX_TRUST_FILE_CERTIFICATES
from policies.peer.spiffe_bundle import bundle_from_bytes
from tests.support.spiffe_bundles import bundle, entry_of

OLD, NEW = Authority.root("old"), Authority.root("new")
LEAF = OLD.issue(uri=["spiffe://td/a"])
X5C = b64encode(NEW.issued.der).decode()


def authorities(*entries: Any) -> list[str]:
    """The names of the authorities of a bundle with these entries."""
    return [ca.subject.text for ca in bundle_from_bytes(bundle(*entries)).authorities]


def x509(x5c: object) -> bytes:
    """A bundle with one entry, whose certificates are these."""
    return bundle({"kty": "EC", "use": "x509-svid", "x5c": x5c})


def test_every_x509_authority_is_read_in_order_and_once() -> None:
    assert authorities(entry_of(NEW), entry_of(OLD), entry_of(NEW)) == ["CN=new", "CN=old"]
    (found,) = bundle_from_bytes(bundle(entry_of(OLD))).authorities
    assert found == certificate_from_der(OLD.issued.der)


@pytest.mark.parametrize(
    "ignored",
    [
        {"kty": "EC", "use": "jwt-svid", "kid": "k", "x5c": [X5C]},
        {"kty": "EC", "use": "x509-SVID", "x5c": [X5C]},
        {"kty": "EC", "use": "wit-svid"},
        {"kty": "EC", "x5c": [X5C]},
        {"kty": "future", "use": "x509-svid", "x5c": ["junk"]},
        {"kty": ["EC"], "use": "x509-svid", "x5c": [X5C]},
        {"use": "x509-svid", "x5c": [X5C]},
        {"kty": "EC", "use": "x509-svid"},
        {"kty": "EC", "use": "x509-svid", "x5c": []},
        {"kty": "EC", "use": ["x509-svid"], "x5c": ["junk"]},
    ],
)
def test_entries_that_the_standard_ignores_vouch_for_nobody(ignored: dict[str, Any]) -> None:
    assert authorities(ignored, entry_of(OLD)) == ["CN=old"]
    with pytest.raises(SpiffeBundleError, match="nobody could be verified"):
        authorities(ignored)


def test_of_several_certificates_in_one_entry_the_first_counts() -> None:
    assert authorities(entry_of(OLD) | {"x5c": [*entry_of(OLD)["x5c"], X5C, "junk"]}) == ["CN=old"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON"),
        (b"\xff{}", "no JSON"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (OLD.pem, "PEM, which belongs to `anchors`"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no JSON object with an array `keys`"),
        (b'{"keys": {}}', "no JSON object with an array `keys`"),
        (b'{"keys": []}', "nobody could be verified"),
        (b'{"keys": ["a"]}', "entry 1 of `keys` is no object"),
        (b'{"keys": [], "keys": []}', "a name stands twice"),
        (
            bundle(entry_of(OLD), {"kty": "EC", "use": "x509-svid", "x5c": "MII"}),
            "entry 2 of `keys`: `x5c` is no array",
        ),
        (x509([7]), "entry 1 of `keys`: `x5c` is no array"),
        (x509(["MI\nI="]), "its `x5c` is not base64"),
        (x509(["é"]), "its `x5c` is not base64"),
        (x509([""]), "not a readable X.509 certificate"),
        (x509(["AAAA"]), "not a readable X.509 certificate"),
        (x509([b64encode(LEAF.der).decode()]), "is no CA"),
        (bundle(*[{"kty": "x"}] * (MAX_TRUST_FILE_CERTIFICATES + 1)), "more than 256 keys"),
        (b" " * (MAX_TRUST_FILE_BYTES + 1), "bytes"),
        (bundle(entry_of(OLD), sequence="7"), "spiffe_sequence"),
        (bundle(entry_of(OLD), sequence=True), "spiffe_sequence"),
        (bundle(entry_of(OLD), sequence=-1), "spiffe_sequence"),
        (bundle(entry_of(OLD), sequence=1.5), "spiffe_sequence"),
    ],
    ids=range(24),
)
def test_what_cannot_be_read_is_an_error_that_says_where(data: bytes, message: str) -> None:
    with pytest.raises(SpiffeBundleError, match=message):
        bundle_from_bytes(data)


def test_the_sequence_number_is_read_and_may_be_absent() -> None:
    assert bundle_from_bytes(bundle(entry_of(OLD), sequence=2**63)).sequence == 2**63
    assert bundle_from_bytes(bundle(entry_of(OLD))).sequence is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["x509-svid", "EC", "AAAA", "keys"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["keys", "use", "kty", "x5c"]), inner),
)


@given(_JSON | st.fixed_dictionaries({"keys": st.lists(_JSON)}))
def test_json_that_is_no_bundle_ends_in_the_one_error(value: Any) -> None:
    with pytest.raises(SpiffeBundleError):
        bundle_from_bytes(json.dumps(value).encode())
