"""HTTP/2 through a real Envoy: pseudo-headers carry bytes that a request line cannot, and are judged the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peergate.demo.client import client_context
from peergate.demo.upstream import received_from_head
from runtime.envoy.ext_authz import Authorization
from tests.support.front import Front, front
from tests.support.h2_client import Fields, H2Answer, h2_call
from tests.support.local_extauth import LocalExtauth
from tests.support.mesh import POLICY, Mesh

EVERYTHING = POLICY + "  - {id: all, allow: billing, to: any}\n"


@pytest.fixture
def served(mesh: Mesh, envoy_binary: Path) -> Iterator[Front]:
    mesh.write(EVERYTHING)
    with LocalExtauth(mesh.folder) as extauth:
        extauth.current = mesh.loaded()
        with front(envoy_binary, Authorization(extauth.grpc, timeout=5), mesh.folder) as running:
            yield running


def _fields(path: bytes = b"/v1/a", authority: bytes = b"h.example", method: bytes = b"GET") -> Fields:
    return [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]


def _call(served: Front, mesh: Mesh, fields: Fields) -> H2Answer:
    return h2_call(served.address, client_context(served.server_ca, mesh.billing), fields)


def _reason(answer: H2Answer) -> tuple[int | None, str]:
    return answer.status, answer.headers.get("x-peergate-reason", "")


def test_the_target_arrives_as_it_was_sent(served: Front, mesh: Mesh) -> None:
    assert _call(served, mesh, _fields(b"/v1/%61?x=%2e%2e//;")).status == 200
    assert [request.target for request in served.upstream.received] == [b"/v1/%61?x=%2e%2e//;".decode()]


@pytest.mark.parametrize("path", [b"/v1/\xff", b"/v1/\xc3\xa4", b"/v1/a/\xc0\xae\xc0\xae", b"/v1/%ff"], ids=repr)
def test_law_6_raw_bytes_that_envoy_shows_as_exclamation_marks_are_refused(
    path: bytes, served: Front, mesh: Mesh
) -> None:
    assert _reason(_call(served, mesh, _fields(path))) == (403, "path_ambiguous")
    assert served.upstream.received == []


def test_an_exclamation_mark_is_one(served: Front, mesh: Mesh) -> None:
    assert _call(served, mesh, _fields(b"/v1/a!")).status == 200


@pytest.mark.parametrize("path", [b"", b"v1", b"*", b"https://h.example/v1/a", b"/v1/a b", b"/v1/a\x7f"], ids=repr)
def test_a_path_that_is_no_path_gets_nowhere(path: bytes, served: Front, mesh: Mesh) -> None:
    assert _call(served, mesh, _fields(path)).status in {None, 400, 403, 404}
    assert served.upstream.received == []


@pytest.mark.parametrize("authority", [b"a,b", b"h%2eexample", b"h..example"], ids=repr)
def test_an_authority_that_is_no_host_is_refused(authority: bytes, served: Front, mesh: Mesh) -> None:
    assert _reason(_call(served, mesh, _fields(authority=authority))) == (403, "host_invalid")


def test_an_authority_with_a_user_gets_nowhere(served: Front, mesh: Mesh) -> None:
    assert _call(served, mesh, _fields(authority=b"user@h.example")).status in {None, 400, 403}
    assert served.upstream.received == []


def test_beside_an_authority_the_host_header_counts_nowhere(served: Front, mesh: Mesh) -> None:
    answer = _call(served, mesh, [*_fields(), (b"host", b"evil.example")])
    assert answer.status == 200
    (request,) = served.upstream.received
    assert request.values("host") == ["h.example"]


def test_without_an_authority_the_host_header_is_the_host(served: Front, mesh: Mesh) -> None:
    fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/v1/a"), (b"host", b"evil,h.example")]
    assert _reason(_call(served, mesh, fields)) == (403, "host_invalid")


def test_connect_gets_nowhere(served: Front, mesh: Mesh) -> None:
    answer = _call(served, mesh, [(b":method", b"CONNECT"), (b":authority", b"h.example:443")])
    assert answer.status in {None, 400, 403, 404}
    assert served.upstream.received == []


def test_the_upstream_reads_a_head_as_the_wire_has_it() -> None:
    received = received_from_head(b"GET /\xff HTTP/1.1\r\nA: 1\r\na:\t2 ")
    assert (received.target, received.values("A")) == ("/\xff", ["1", "2"])
