"""The listener: who may connect, who is cut off, and what hostile clients can do. Real gRPC over real TLS."""

import queue
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import grpc
import pytest
from cryptography import x509

from extauth.wire.messages import DiscoveryRequest, DiscoveryResponse, Node
from extauth.xds import limits
from extauth.xds.grpc_server import ip_from_peer
from extauth.xds.opening import SERVICE
from extauth.xds.resource_types import FILTER
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from runtime.envoy.proto_json import Json, any_of
from tests.extauth.xds.fake_envoy import FakeEnvoy
from tests.extauth.xds.grpc_client import DELTA, SOTW, Stream, channel, envoy_certificate
from tests.extauth.xds.world import BILLING, PLACES, SERVER_NAME, LocalXds, World, eventually, filters_of, policy_text

NAMES = tuple(place.name for place in PLACES)
both = pytest.mark.parametrize("delta", [False, True], ids=["state-of-the-world", "delta"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("xds"))
    made.write(policy_text(BILLING))
    return made


@pytest.fixture(scope="module")
def xds(world: World) -> Iterator[LocalXds]:
    with LocalXds(world) as running:
        yield running


def envoy(delta: bool = False, name: str = "e") -> FakeEnvoy:
    return FakeEnvoy(delta, name=name, names=NAMES)


@both
def test_an_envoy_of_the_fleet_gets_the_policy(world: World, xds: LocalXds, delta: bool) -> None:
    one = envoy(delta, f"gets-{delta}")
    with (
        channel(world, xds.address, envoy_certificate(world)) as connection,
        Stream(connection, DELTA if delta else SOTW) as stream,
    ):
        stream.send(one.first_request())
        stream.send(one.answer(stream.read()))
        eventually(lambda: xds.nodes()[one.name]["state"] == "current")
        assert xds.nodes()[one.name]["caller"] == "spiffe://acme.internal/envoy/0"
    eventually(lambda: not xds.nodes()[one.name]["connected"])


def test_a_caller_that_no_rule_allows_is_refused_with_the_reason(world: World, xds: LocalXds) -> None:
    with channel(world, xds.address, world.billing) as connection, Stream(connection) as stream:
        stream.send(envoy().first_request())
        code, details = stream.status()
    assert code == "PERMISSION_DENIED"
    assert details.startswith("denied: no_matching_rule (decision ")


def test_a_certificate_of_another_mesh_does_not_get_through_the_handshake(world: World, xds: LocalXds) -> None:
    other = Authority.root("mesh").issue(uri=["spiffe://acme.internal/envoy/0"])
    for name, content in (("other.pem", other.chain_pem), ("other.key", other.key_pem)):
        (world.folder / name).write_bytes(content)
    stranger = type(world.billing)(world.folder / "other.pem", world.folder / "other.key")
    with channel(world, xds.address, stranger) as connection, Stream(connection) as stream:
        assert stream.status()[0] == "UNAVAILABLE"


def test_a_client_without_a_certificate_does_not_get_through_the_handshake(world: World, xds: LocalXds) -> None:
    credentials = grpc.ssl_channel_credentials((world.folder / "mesh.pem").read_bytes())
    options = [("grpc.ssl_target_name_override", "h.example"), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(str(xds.address), credentials, options) as connection, Stream(connection) as stream:
        assert stream.status()[0] == "UNAVAILABLE"


def test_a_client_without_tls_is_not_served(xds: LocalXds) -> None:
    with grpc.insecure_channel(str(xds.address)) as connection, Stream(connection) as stream:
        assert stream.status()[0] == "UNAVAILABLE"


def test_a_stream_is_closed_within_seconds_when_its_certificate_expires(world: World, xds: LocalXds) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=3)
    short = envoy_certificate(world, "short", not_after=ends.replace(microsecond=0))
    with channel(world, xds.address, short) as connection, Stream(connection) as stream:
        one = envoy(name="short")
        stream.send(one.first_request())
        stream.send(one.answer(stream.read()))
        code, details = stream.status()
    assert (code, details.split(" (")[0]) == ("PERMISSION_DENIED", "denied: certificate_expired")
    assert datetime.now(UTC) - ends < timedelta(seconds=5)


def test_a_stream_is_closed_within_seconds_when_its_certificate_is_revoked(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.policy / "mesh.crl").write_bytes(world.mesh.crl(number=1))
    world.write(policy_text(BILLING, trust=", crls: [mesh.crl]"))
    certificate = envoy_certificate(world)
    with (
        LocalXds(world) as running,
        channel(world, running.address, certificate) as connection,
        Stream(connection) as stream,
    ):
        stream.send(envoy().first_request())
        stream.read()
        lost = x509.load_pem_x509_certificate(certificate.chain.read_bytes())
        new = world.policy / ".crl"
        new.write_bytes(world.mesh.crl([lost], number=2))
        new.replace(world.policy / "mesh.crl")
        started = time.monotonic()
        code, details = stream.status()
        assert time.monotonic() - started < 5
    assert (code, details.split(" (")[0]) == ("PERMISSION_DENIED", "denied: certificate_revoked")


@pytest.mark.parametrize(("host", "status"), [(SERVER_NAME, "served"), ("other.example", "PERMISSION_DENIED")])
def test_a_rule_may_name_the_host_that_envoys_connect_by(tmp_path: Path, host: str, status: str) -> None:
    world = World(tmp_path)
    world.write(policy_text(BILLING).replace("discovery: {grpc", f"discovery: {{hosts: [{host}], grpc"))
    with (
        LocalXds(world) as running,
        channel(world, running.address, envoy_certificate(world)) as connection,
        Stream(connection) as stream,
    ):
        stream.send(envoy().first_request())
        assert (stream.status()[0] if status != "served" else stream.read() and "served") == status


@both
def test_a_header_that_a_rule_names_is_looked_at(tmp_path: Path, delta: bool) -> None:
    world = World(tmp_path)
    grpc_route = "discovery: {grpc"
    world.write(policy_text(BILLING).replace(grpc_route, "discovery: {headers: {x-ring: [beta]}, grpc"))
    method = DELTA if delta else SOTW
    with LocalXds(world) as running, channel(world, running.address, envoy_certificate(world)) as connection:
        with Stream(connection, method) as without:
            assert without.status()[0] == "PERMISSION_DENIED"
        with Stream(connection, method, metadata=(("x-ring", "beta"),)) as stream:
            stream.send(envoy(delta).first_request())
            assert stream.read()


def test_other_methods_are_not_there(world: World, xds: LocalXds) -> None:
    with channel(world, xds.address, envoy_certificate(world)) as connection:
        call = connection.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"\xff\xff\xff", "INVALID_ARGUMENT"),
        (b"", "INVALID_ARGUMENT"),
        (DiscoveryRequest(node=Node(id="x" * 100_000), type_url=FILTER).SerializeToString(), "INVALID_ARGUMENT"),
        (b"\x00" * (limits.MAX_REQUEST_BYTES + 1), "RESOURCE_EXHAUSTED"),
    ],
    ids=["garbage", "nothing", "a huge name", "a huge message"],
)
def test_what_is_no_request_ends_the_stream_and_nothing_else(
    world: World, xds: LocalXds, request_bytes: bytes, code: str
) -> None:
    connection = channel(world, xds.address, envoy_certificate(world))
    with connection, Stream(connection) as good, Stream(connection) as bad:
        good.send(envoy(name="good").first_request())
        bad.send(request_bytes)
        assert bad.status()[0] == code
        assert DiscoveryResponse.FromString(good.read()).type_url == FILTER


def test_a_flood_of_requests_ends_its_stream(world: World, xds: LocalXds) -> None:
    with channel(world, xds.address, envoy_certificate(world)) as connection, Stream(connection) as stream:
        request = envoy(name="flood").first_request()
        for _ in range(limits.REQUEST_BURST + 100):
            stream.send(request)
        assert stream.status() == ("RESOURCE_EXHAUSTED", "too many requests on one stream")


def test_an_envoy_with_too_many_streams_loses_its_oldest(world: World, xds: LocalXds) -> None:
    with channel(world, xds.address, envoy_certificate(world)) as connection:
        streams = [Stream(connection) for _ in range(limits.MAX_NODE_STREAMS + 1)]
        for stream in streams:
            stream.__enter__()
            stream.send(envoy(name="many").first_request())
            stream.read()
        assert streams[0].status()[0] == "ABORTED"
        with pytest.raises(queue.Empty):
            streams[1].answers.get(timeout=0.2)
        for stream in streams:
            stream.__exit__(None, None, None)
    eventually(lambda: xds.nodes()["many"]["streams"] == 0)


def test_a_client_that_reads_nothing_holds_up_nobody(world: World, xds: LocalXds) -> None:
    certificate = envoy_certificate(world)
    with channel(world, xds.address, certificate, **{"grpc.http2.bdp_probe": 0}) as lazy:
        call = lazy.stream_stream(f"/envoy.service.discovery.v3.AggregatedDiscoveryService/{SOTW}", bytes, bytes)
        waiting = [call(iter([envoy(name=f"lazy-{number}").first_request()])) for number in range(8)]
        with channel(world, xds.address, certificate) as connection, Stream(connection) as stream:
            started = time.monotonic()
            stream.send(envoy(name="busy").first_request())
            stream.read()
            assert time.monotonic() - started < 8
        for item in waiting:
            item.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it untyped


def test_a_client_that_never_reads_that_it_was_disconnected_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(limits, "LEAVE_SECONDS", 0.5)
    world = World(tmp_path)
    world.write(policy_text(BILLING))

    def huge(policy: PolicySet) -> list[Json]:
        """More than a connection takes before somebody reads."""
        clean, rbac = filters_of(policy)
        rule: Json = {"name": "x" * 8_000_000}
        return [clean, {**rbac, "typed_config": any_of("envoy.config.rbac.v3.Action", **rule)}]

    # A probe of the bandwidth can widen the client's window until all of it has room, though nobody reads.
    narrow = {"grpc.http2.bdp_probe": 0}
    with (
        LocalXds(world, filters=huge) as running,
        channel(world, running.address, envoy_certificate(world), **narrow) as lazy,
    ):
        call = lazy.stream_stream(f"/{SERVICE}/{SOTW}", bytes, bytes)
        requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        waiting = call(iter(requests.get, None))
        requests.put(envoy(name="lazy").first_request())
        eventually(is_sending)
        eventually(lambda: "lazy" in running.nodes() and not running.nodes()["lazy"]["connected"])
        eventually(lambda: not is_sending(), 10)
        waiting.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        requests.put(None)


def is_sending() -> bool:
    """Whether a thread of gRPC waits for a client to read."""

    def functions(frame: FrameType | None) -> Iterator[str]:
        while frame is not None:
            yield frame.f_code.co_name
            frame = frame.f_back

    return any("_send_response" in functions(frame) for frame in sys._current_frames().values())


def test_the_service_ends_in_time_with_streams_open(world: World) -> None:
    with LocalXds(world) as running:
        connection = channel(world, running.address, envoy_certificate(world))
        stream = Stream(connection).__enter__()
        stream.send(envoy(name="left").first_request())
        stream.read()
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert stream.status()[0] == "UNAVAILABLE"
    stream.__exit__(None, None, None)
    connection.close()


def test_a_renewed_certificate_is_shown_to_the_next_connection(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(policy_text(BILLING))
    certificate = envoy_certificate(world)
    with LocalXds(world) as running:
        other = Authority.root("other")
        issued = other.issue(dns=["xds.acme.example"], server=True, client=False)
        (world.folder / "server.key").write_bytes(issued.key_pem)
        (world.folder / "server.pem").write_bytes(issued.chain_pem)
        (world.folder / "mesh.pem").write_bytes(other.pem)
        with channel(world, running.address, certificate) as connection, Stream(connection) as stream:
            stream.send(envoy().first_request())
            assert stream.read()


def test_without_any_good_policy_nobody_gets_in_and_with_one_everybody_who_may(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("version: 1\nrules: nonsense\n")
    certificate = envoy_certificate(world)
    with LocalXds(world) as running:
        with channel(world, running.address, certificate) as connection, Stream(connection) as stream:
            assert stream.status()[0] == "UNAVAILABLE"
        world.write(policy_text(BILLING))
        eventually(lambda: running.fleet()["generation"] is not None)
        with channel(world, running.address, certificate) as connection, Stream(connection) as stream:
            stream.send(envoy().first_request())
            assert stream.read()


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:99", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:99", "2001:db8::1"),
        ("ipv6:[::ffff:192.0.2.1]:99", "192.0.2.1"),
        ("ipv4:", "None"),
        ("unix:", "None"),
        ("", "None"),
    ],
)
def test_the_address_of_a_peer_is_read_as_grpc_writes_it(peer: str, address: str) -> None:
    assert str(ip_from_peer(peer)) == address
