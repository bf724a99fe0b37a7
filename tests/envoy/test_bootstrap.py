"""The configuration that peergate gives Envoy: the settings that laws stand on, and Envoy's own word on the whole."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pki.authority import Authority
from policies.engine.header_names import IDENTITY_HEADERS, IDENTITY_PREFIXES, REWRITING_HEADERS
from runtime.address import Address, TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.tls import DownstreamTls
from tests.support.envoy_validation import complaints_of_envoy


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> DownstreamTls:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.root("mesh")
    server = authority.issue(dns=["server"], server=True)
    (folder / "server.pem").write_bytes(server.pem)
    (folder / "server.key").write_bytes(server.key_pem)
    (folder / "cas.pem").write_bytes(authority.pem)
    return DownstreamTls(folder / "server.pem", folder / "server.key", folder / "cas.pem")


def _settings(tls: DownstreamTls, authorization: Authorization, upstream: Address) -> EnvoySettings:
    return EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=tls,
        authorization=authorization,
        upstream=upstream,
        admin=UnixAddress("/tmp/admin.sock"),
        access_log=Path("/dev/null"),
    )


GRPC = Authorization(UnixAddress("/run/peergate.sock"))
HTTP = Authorization(TcpAddress("::1", 9002), Protocol.HTTP, seen_headers=("x-a",), set_headers=("x-tenant",))
UPSTREAM = TcpAddress("127.0.0.1", 8080)


def _manager(settings: EnvoySettings) -> dict[str, Any]:
    generated: Any = bootstrap_from_settings(settings)
    listener = generated["static_resources"]["listeners"][0]
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def _ext_authz(settings: EnvoySettings) -> dict[str, Any]:
    found: dict[str, Any] = _manager(settings)["http_filters"][0]["typed_config"]
    return found


def _downstream_tls(tls: DownstreamTls) -> dict[str, Any]:
    generated: Any = bootstrap_from_settings(_settings(tls, GRPC, UPSTREAM))
    chain = generated["static_resources"]["listeners"][0]["filter_chains"][0]
    context: dict[str, Any] = chain["transport_socket"]["typed_config"]
    return context


@pytest.mark.parametrize("authorization", [GRPC, HTTP], ids=["grpc", "http"])
@pytest.mark.parametrize("upstream", [UPSTREAM, TcpAddress("app.internal", 80), UnixAddress("/run/app.sock")], ids=str)
def test_envoy_takes_what_is_generated(
    authorization: Authorization, upstream: Address, tls: DownstreamTls, tmp_path: Path
) -> None:
    generated = bootstrap_from_settings(_settings(tls, authorization, upstream))
    assert complaints_of_envoy(generated, tmp_path) == ""


@pytest.mark.parametrize("authorization", [GRPC, HTTP], ids=["grpc", "http"])
def test_law_2_no_error_of_the_service_permits(authorization: Authorization, tls: DownstreamTls) -> None:
    ext_authz = _ext_authz(_settings(tls, authorization, UPSTREAM))
    assert ext_authz["failure_mode_allow"] is False
    assert ext_authz["status_on_error"] == {"code": "Forbidden"}
    assert ext_authz["validate_mutations"] is True
    assert not {"filter_enabled", "filter_enabled_metadata", "shadow_mode", "with_request_body"} & ext_authz.keys()


def test_law_2_no_route_is_exempt_from_authorization(tls: DownstreamTls) -> None:
    manager = _manager(_settings(tls, GRPC, UPSTREAM))
    assert "typed_per_filter_config" not in str(manager["route_config"])
    assert [filter_["name"] for filter_ in manager["http_filters"]] == [
        "envoy.filters.http.ext_authz",
        "envoy.filters.http.header_mutation",
        "envoy.filters.http.router",
    ]


def test_law_6_the_path_is_shown_and_forwarded_as_received(tls: DownstreamTls) -> None:
    manager = _manager(_settings(tls, GRPC, UPSTREAM))
    assert manager["normalize_path"] is False
    assert manager["merge_slashes"] is False
    assert manager["path_with_escaped_slashes_action"] == "KEEP_UNCHANGED"


def test_law_7_the_client_says_nothing_about_its_certificate_or_address(tls: DownstreamTls) -> None:
    manager = _manager(_settings(tls, GRPC, UPSTREAM))
    assert manager["forward_client_cert_details"] == "SANITIZE_SET"
    assert manager["use_remote_address"] is True
    assert manager["common_http_protocol_options"]["headers_with_underscores_action"] == "DROP_HEADER"


def test_law_7_over_http_envoy_removes_what_peergate_is_not_shown(tls: DownstreamTls) -> None:
    manager = _manager(_settings(tls, HTTP, UPSTREAM))
    mutations = manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    removed = {mutation["remove"] for mutation in mutations if "remove" in mutation}
    assert removed == (IDENTITY_HEADERS | REWRITING_HEADERS | {"x-tenant"}) - {"x-forwarded-client-cert"}


@pytest.mark.parametrize("authorization", [GRPC, HTTP], ids=["grpc", "http"])
def test_law_7_envoy_removes_trailers_that_say_who_calls(authorization: Authorization, tls: DownstreamTls) -> None:
    authorization = dataclasses.replace(authorization, set_headers=("x-told",))
    mutation = _manager(_settings(tls, authorization, UPSTREAM))["http_filters"][1]["typed_config"]["mutations"]
    removals = mutation["request_trailers_mutations"]
    names = {removal["remove"] for removal in removals if "remove" in removal}
    families = [removal["remove_on_match"]["key_matcher"]["prefix"] for removal in removals if "remove" not in removal]
    assert names == IDENTITY_HEADERS | REWRITING_HEADERS | {"x-told"}
    assert tuple(families) == IDENTITY_PREFIXES


def test_over_http_the_connections_address_is_appended_once(tls: DownstreamTls) -> None:
    manager = _manager(_settings(tls, HTTP, UPSTREAM))
    appended = [
        mutation["append"]["header"]
        for mutation in manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
        if "append" in mutation
    ]
    assert manager["skip_xff_append"] is True
    assert appended == [{"key": "x-forwarded-for", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}]


def test_law_9_streams_and_connections_have_an_end(tls: DownstreamTls) -> None:
    options = _manager(_settings(tls, GRPC, UPSTREAM))["common_http_protocol_options"]
    assert 0 < float(options["max_stream_duration"].removesuffix("s")) <= 300
    assert 0 < float(options["max_connection_duration"].removesuffix("s")) <= 900


def test_the_grpc_service_is_sent_the_certificate_and_the_server_name(tls: DownstreamTls) -> None:
    ext_authz = _ext_authz(_settings(tls, GRPC, UPSTREAM))
    assert ext_authz["include_peer_certificate"] is True
    assert ext_authz["include_tls_session"] is True
    assert ext_authz["encode_raw_headers"] is True


def test_the_http_service_is_shown_the_headers_that_it_is_configured_with(tls: DownstreamTls) -> None:
    patterns = _ext_authz(_settings(tls, HTTP, UPSTREAM))["allowed_headers"]["patterns"]
    shown = {pattern["exact"] for pattern in patterns}
    assert shown == {"x-forwarded-client-cert", "x-forwarded-for", "content-type", "traceparent", "x-a"}


def test_a_client_certificate_is_required_and_verified_unless_told_otherwise(tls: DownstreamTls) -> None:
    context = _downstream_tls(tls)
    assert context["require_client_certificate"] is True
    assert "trust_chain_verification" not in context["common_tls_context"]["validation_context"]


def test_untrusted_certificates_reach_peergate_only_on_request(tls: DownstreamTls) -> None:
    context = _downstream_tls(dataclasses.replace(tls, admit_untrusted=True, require_client_certificate=False))
    assert context["require_client_certificate"] is False
    assert context["common_tls_context"]["validation_context"]["trust_chain_verification"] == "ACCEPT_UNTRUSTED"


def test_no_tls_before_1_2(tls: DownstreamTls) -> None:
    parameters = _downstream_tls(tls)["common_tls_context"]["tls_params"]
    assert parameters == {"tls_minimum_protocol_version": "TLSv1_2"}
