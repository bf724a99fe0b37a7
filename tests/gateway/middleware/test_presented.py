"""The TLS extension is read tolerantly in its form, and never so that a certificate is overlooked."""

from typing import Any

import pytest

from gateway.connection import TLS
from gateway.middleware.presented import presented_from_scope
from policies.peer.certificate import certificate_from_der
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from tests.extauth.world import billing, billing_by_issuing
from tests.gateway.middleware.scopes import pems

LEAF = pems(billing())[0]


def presented(tls: Any, scheme: str = "https") -> object:
    return presented_from_scope(PresentedReader(), {"scheme": scheme, "extensions": {TLS: tls}})


@pytest.mark.parametrize("chain", [[LEAF], (LEAF,), (LEAF.rstrip("\n"),)])
def test_a_chain_may_be_a_list_or_a_tuple(chain: object) -> None:
    read = presented({"client_cert_chain": chain})
    assert isinstance(read, PresentedCertificate)
    assert read.leaf.der == billing().der
    assert read.intermediates == ()


@pytest.mark.parametrize("strip", [False, True])
def test_what_comes_after_the_leaf_are_intermediates(strip: bool) -> None:
    chain = [pem.rstrip("\n") if strip else pem for pem in pems(billing_by_issuing())]
    read = presented({"client_cert_chain": chain})
    assert isinstance(read, PresentedCertificate)
    assert [certificate_from_der(der).subject.text for der in read.intermediates] == ["CN=mesh issuing"]


@pytest.mark.parametrize("extra", [{}, {"client_cert_name": None, "client_cert_error": None}, {"client_cert_name": ""}])
def test_an_empty_chain_is_no_certificate(extra: dict[str, object]) -> None:
    assert presented({"client_cert_chain": (), **extra}) is NO_CERTIFICATE


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_without_tls_there_is_no_certificate(scheme: str) -> None:
    assert presented_from_scope(PresentedReader(), {"scheme": scheme}) is NO_CERTIFICATE
    assert presented_from_scope(PresentedReader(), {"scheme": scheme, "extensions": {}}) is NO_CERTIFICATE


@pytest.mark.parametrize("scope", [{"scheme": "https"}, {"scheme": "wss", "extensions": {}}, {}, {"extensions": None}])
def test_a_tls_server_without_the_extension_makes_callers_malformed(scope: dict[str, Any]) -> None:
    assert isinstance(presented_from_scope(PresentedReader(), scope), MalformedCertificate)


@pytest.mark.parametrize(
    "tls",
    [
        {},
        {"client_cert_chain": None},
        {"client_cert_name": "CN=billing"},
        {"client_cert_chain": (), "client_cert_name": "CN=billing"},
        {"client_cert_chain": [], "client_cert_error": "certificate has expired"},
        {"client_cert_chain": [LEAF], "client_cert_error": "certificate has expired"},
        {"client_cert_chain": LEAF},
        {"client_cert_chain": [LEAF.encode()]},
        {"client_cert_chain": [""]},
        {"client_cert_chain": ["CN=billing"]},
        {"client_cert_chain": [LEAF + LEAF]},
        {"client_cert_chain": [None, LEAF]},
        {"client_cert_chain": [LEAF] * 100_000},
        {"client_cert_chain": [LEAF + "\udcff"]},
        {"client_cert_chain": iter([LEAF])},
        ["client_cert_chain"],
        "CN=billing",
        0,
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_cannot_be_read_is_malformed_and_never_no_certificate(tls: object, scheme: str) -> None:
    assert isinstance(presented(tls, scheme), MalformedCertificate)
