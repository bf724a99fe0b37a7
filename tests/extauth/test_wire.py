"""Our messages are Envoy's, in a pool of their own; envoy-data-plane is the independent encoder and decoder."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from extauth.wire import generate
from extauth.wire.messages import CheckRequest, CheckResponse, HealthCheckRequest
from tests.extauth.world import Service, billing, question
from tests.support import envoy_wire as envoy


def test_the_checked_in_classes_are_what_the_protos_say() -> None:
    assert generate.main(["--check"]) == 0


def test_a_stale_class_is_named_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "OUTPUT", tmp_path / "messages.py")
    assert generate.main(["--check"]) == 1
    assert "messages.py is not current" in capsys.readouterr().err


def test_generating_twice_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("OUTPUT", "STUB", "RESOURCES")
    checked_in = [getattr(generate, name).read_bytes() for name in names]
    for name in names:
        monkeypatch.setattr(generate, name, tmp_path / name)
    assert generate.main([]) == 0
    assert [(tmp_path / name).read_bytes() for name in names] == checked_in


def test_a_proto_that_protoc_refuses_ends_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.proto").write_text("syntax = nonsense")
    with pytest.raises(SystemExit, match="protoc cannot read the files below"):
        generate.descriptor_set_from_protos(tmp_path, ["broken.proto"])
    assert "broken.proto" in capfd.readouterr().err


def test_two_messages_of_one_name_are_refused(tmp_path: Path) -> None:
    for package in ("one", "two"):
        (tmp_path / f"{package}.proto").write_text(f'syntax = "proto3"; package {package}; message Same {{}}')
    schema = generate.descriptor_set_from_protos(tmp_path, ["one.proto", "two.proto"])
    with pytest.raises(SystemExit, match="two packages define Same"):
        generate.check_names(schema.file)


def test_the_default_pool_does_not_know_our_classes() -> None:
    assert CheckRequest.DESCRIPTOR.file.pool is not descriptor_pool.Default()


def test_another_library_may_register_other_messages_of_the_same_name() -> None:
    """In a process of its own: what is registered in the default pool stays there."""
    program = """
from google.protobuf import descriptor_pb2, descriptor_pool
other = descriptor_pb2.FileDescriptorProto(name="envoy/service/auth/v3/external_auth.proto")
other.package = "envoy.service.auth.v3"
other.message_type.add(name="CheckRequest").field.add(name="other", number=1, type=3, label=1)
descriptor_pool.Default().Add(other)
from extauth.wire.messages import CheckRequest
assert CheckRequest().HasField("attributes") is False
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_what_an_independent_encoder_writes_we_read() -> None:
    theirs = envoy.CheckRequest(
        attributes=envoy.AttributeContext(
            source=envoy.AttributeContextPeer(
                address=envoy.Address(socket_address=envoy.SocketAddress(address="192.0.2.1", port_value=99)),
                service="web",
                labels={"skipped": "by us"},
                principal="spiffe://acme.internal/a",
                certificate="-----BEGIN%20CERTIFICATE-----",
            ),
            destination=envoy.AttributeContextPeer(
                address=envoy.Address(socket_address=envoy.SocketAddress(address="192.0.2.9", port_value=1))
            ),
            request=envoy.AttributeContextRequest(
                http=envoy.AttributeContextHttpRequest(
                    id="7",
                    method="PUT",
                    headers={":path": "/a", "x-a": "1"},
                    path="/a?b",
                    host="h.example",
                    scheme="https",
                    size=-1,
                    protocol="HTTP/2",
                    body="skipped",
                    header_map=envoy.HeaderMap(headers=[envoy.HeaderValue(key="x-b", raw_value=b"\xff")]),
                )
            ),
            tls_session=envoy.AttributeContextTlsSession(sni="h.example"),
        )
    )
    ours = CheckRequest.FromString(bytes(theirs)).attributes
    http = ours.request.http
    assert (ours.source.address.socket_address.address, ours.source.service) == ("192.0.2.1", "web")
    assert (ours.source.principal, ours.source.certificate) == (
        "spiffe://acme.internal/a",
        "-----BEGIN%20CERTIFICATE-----",
    )
    assert ours.destination.address.socket_address.address == "192.0.2.9"
    assert (http.id, http.method, http.path, http.host) == ("7", "PUT", "/a?b", "h.example")
    assert (http.scheme, http.size, http.protocol) == ("https", -1, "HTTP/2")
    assert dict(http.headers) == {":path": "/a", "x-a": "1"}
    assert [(header.key, header.raw_value) for header in http.header_map.headers] == [("x-b", b"\xff")]
    assert ours.tls_session.sni == "h.example"


def test_what_we_write_an_independent_encoder_reads() -> None:
    ours = question("PUT", "/a?b", issued=billing(), headers={"x-a": "1"}, sni="h.example")
    theirs = envoy.CheckRequest.parse(ours.SerializeToString())
    assert theirs.attributes is not None
    assert theirs.attributes.source is not None
    assert theirs.attributes.source.principal == ours.attributes.source.principal
    assert CheckRequest.FromString(bytes(theirs)) == ours


def test_an_allowing_answer_says_to_an_independent_decoder_what_we_mean() -> None:
    answer = envoy.CheckResponse.parse(Service().grpc.answer(question(issued=billing()).SerializeToString()))
    assert answer.status is not None
    assert answer.status.code == 0
    assert answer.denied_response is None
    assert answer.ok_response is not None
    told = {option.header.key: option.header.value for option in answer.ok_response.headers if option.header}
    assert told["x-peergate-identity"] == "billing"
    assert {option.append_action.name for option in answer.ok_response.headers} == {"OVERWRITE_IF_EXISTS_OR_ADD"}
    assert "x-original-url" in answer.ok_response.headers_to_remove
    assert answer.dynamic_metadata is not None
    assert answer.dynamic_metadata.fields["rules"].string_value == "billing-reads"


def test_a_denying_answer_says_to_an_independent_decoder_what_we_mean() -> None:
    answer = envoy.CheckResponse.parse(Service().grpc.answer(question().SerializeToString()))
    assert answer.status is not None
    assert answer.status.code == 7
    assert answer.ok_response is None
    assert answer.denied_response is not None
    assert answer.denied_response.status is not None
    assert answer.denied_response.status.code == 403


def test_unknown_fields_of_a_later_envoy_are_skipped() -> None:
    later = question(issued=billing()).SerializeToString() + b"\xa2\x06\x03new"
    assert CheckRequest.FromString(later).attributes.request.http.method == "GET"


def test_an_empty_response_would_permit_which_is_why_none_is_sent() -> None:
    assert CheckResponse().status.code == 0


def test_the_health_messages_are_those_of_the_standard() -> None:
    from grpc_health.v1 import health_pb2

    theirs = health_pb2.HealthCheckRequest(service="a").SerializeToString()
    assert HealthCheckRequest.FromString(theirs).service == "a"
