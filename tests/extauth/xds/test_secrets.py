"""What a listener is told of the policy's trust, read by an independent decoder."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from extauth.xds.secrets import secret_that_trusts_nobody, secrets_from_trust
from pki.authority import Authority
from policies.peer.certificate import certificates_from_pem
from policies.peer.crl import crl_from_bytes
from policies.peer.crl_source import CrlUrls
from policies.peer.ocsp_responders import OcspResponders
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from runtime.envoy.limits import CHAIN_DEPTH
from tests.extauth.xds.envoy_messages import decoded

SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"
ROOT, OTHER = Authority.root("root"), Authority.root("other")
ISSUING = ROOT.intermediate("issuing")


def entry(name: str, authority: Authority = ROOT, *crls: bytes, **more: Any) -> TrustEntry:
    anchors = certificates_from_pem(authority.pem, 1)
    return TrustEntry(name, anchors, crls=tuple(map(crl_from_bytes, crls)), **more)


def context(name: str, *entries: TrustEntry) -> Any:
    secret = decoded(SECRET, secrets_from_trust(TrustStore(entries))[name])
    assert secret.name == name
    return secret.validation_context


def pems(text: str, label: str) -> int:
    return text.count(f"-----BEGIN {label}-----")


def der_of(crl: bytes) -> bytes:
    return x509.load_pem_x509_crl(crl).public_bytes(Encoding.DER)


def test_every_entry_has_a_secret_and_all_together_have_one() -> None:
    secrets = secrets_from_trust(TrustStore([entry("mesh"), entry("partners", OTHER)]))
    assert sorted(secrets) == ["trust", "trust/mesh", "trust/partners"]


def test_an_entry_is_its_anchors_and_how_deep_a_chain_may_be() -> None:
    told = context("trust/mesh", entry("mesh"), entry("partners", OTHER))
    assert certificates_from_pem(told.trusted_ca.inline_string.encode(), 5) == certificates_from_pem(ROOT.pem, 1)
    assert told.max_verify_depth == CHAIN_DEPTH
    assert not told.verify_certificate_hash


def test_all_entries_are_all_anchors_each_once() -> None:
    told = context("trust", entry("mesh"), entry("again"), entry("partners", OTHER))
    assert pems(told.trusted_ca.inline_string, "CERTIFICATE") == 2


def test_an_intermediate_of_the_policy_is_no_anchor_for_envoy() -> None:
    """Its chain ends there for Envoy, whatever has become of the CA above it."""
    told = context("trust/mesh", entry("mesh", intermediates=certificates_from_pem(ISSUING.pem, 1)))
    assert pems(told.trusted_ca.inline_string, "CERTIFICATE") == 1


@pytest.mark.parametrize("revocation", [Revocation.OFF, Revocation.IF_AVAILABLE])
def test_a_crl_is_not_sent_where_a_missing_one_would_refuse_nobody(revocation: Revocation) -> None:
    assert context("trust/mesh", entry("mesh", ROOT, ROOT.crl(), revocation=revocation)).crl is None


def test_a_required_crl_is_sent_as_it_was_received() -> None:
    crl = ROOT.crl([ROOT.issue(uri=["spiffe://a.b/c"]).certificate], number=7)
    told = context("trust/mesh", entry("mesh", ROOT, crl, revocation=Revocation.REQUIRE))
    assert crl_from_bytes(told.crl.inline_string.encode()).der == crl_from_bytes(crl).der == der_of(crl)
    assert told.only_verify_leaf_cert_crl is False


def test_of_two_lists_of_one_ca_the_newest_is_sent() -> None:
    older, newer = ROOT.crl(number=1), ROOT.crl(number=2)
    told = context("trust/mesh", entry("mesh", ROOT, newer, older, revocation=Revocation.REQUIRE))
    assert pems(told.crl.inline_string, "X509 CRL") == 1
    assert crl_from_bytes(told.crl.inline_string.encode()).number == 2


def test_where_a_ca_has_no_list_only_the_issuer_of_the_leaf_needs_one() -> None:
    intermediates = certificates_from_pem(ISSUING.pem, 1)
    told = context(
        "trust/mesh",
        entry("mesh", ROOT, ISSUING.crl(), revocation=Revocation.REQUIRE, intermediates=intermediates),
    )
    assert told.only_verify_leaf_cert_crl is True


def test_together_entries_are_asked_for_lists_only_if_all_of_them_require_some() -> None:
    required = entry("mesh", ROOT, ROOT.crl(), revocation=Revocation.REQUIRE)
    assert context("trust", required, entry("partners", OTHER)).crl is None
    assert context("trust/mesh", required, entry("partners", OTHER)).crl is not None


def test_required_lists_that_are_not_there_let_nobody_in() -> None:
    told = context("trust/mesh", entry("mesh", revocation=Revocation.REQUIRE))
    assert told.verify_certificate_hash == ["0" * 64]


@pytest.mark.parametrize("source", [{"ocsp": OcspResponders(None)}, {"crl_urls": (CrlUrls(()),)}], ids=str)
@pytest.mark.parametrize("crls", [(), (ROOT.crl(),)], ids=["no list", "a list"])
def test_lists_are_not_required_where_something_else_can_prove_a_leaf_good(
    source: dict[str, Any], crls: tuple[bytes, ...]
) -> None:
    told = context("trust/mesh", entry("mesh", ROOT, *crls, revocation=Revocation.REQUIRE, **source))
    assert told.crl is None
    assert not told.verify_certificate_hash
    assert told.trusted_ca is not None


def test_an_anchor_that_a_crl_lists_is_not_sent() -> None:
    sub = entry("sub", ISSUING)
    root = entry("mesh", ROOT, ROOT.crl([ISSUING.issued.certificate]))
    told = context("trust/sub", root, sub)
    assert told.trusted_ca is None
    assert told.verify_certificate_hash == ["0" * 64]
    assert pems(context("trust", root, sub).trusted_ca.inline_string, "CERTIFICATE") == 1


def test_a_policy_without_trust_trusts_nobody() -> None:
    assert secrets_from_trust(TrustStore([])) == {"trust": secret_that_trusts_nobody("trust")}


def test_equal_trust_gives_equal_bytes() -> None:
    entries = [entry("mesh", ROOT, ROOT.crl(number=3), revocation=Revocation.REQUIRE)]
    assert secrets_from_trust(TrustStore(entries)) == secrets_from_trust(TrustStore(entries))
