"""A case sent through an Envoy as raw bytes: the caller gets the verdict, the upstream what was sent, or nothing."""

from peergate.demo.client import Answer, call, client_context, request_bytes
from peergate.demo.upstream import Received
from policies.engine.policy_set import PolicySet
from policies.reason import Effect, Reason
from tests.decisions.corpus import Case
from tests.decisions.world import World
from tests.support.front import Front
from tests.support.local_extauth import LocalExtauth

#: What Envoy answers itself, before it asks anybody.
REFUSED_BY_ENVOY = {400, 404}


def status_of(reason: Reason) -> int:
    """The HTTP status of a denial."""
    return 421 if reason is Reason.SNI_MISMATCH else 403


def claims(case: Case) -> set[str]:
    """The values of the headers by which the client claims to be somebody."""
    claiming = ("client-cert", "ssl-client-", "x-forwarded-tls-", "x-peergate-")
    return {value for name, value in case.headers if name.lower().replace("_", "-").startswith(claiming)}


def assert_enforced(case: Case, world: World, policy: PolicySet, extauth: LocalExtauth, front: Front) -> None:
    extauth.current, extauth.now = policy, None
    front.upstream.received.clear()
    answer = _sent(case, world, front)
    if case.refused_by_envoy:
        assert answer.status in REFUSED_BY_ENVOY
        assert front.upstream.received == []
    elif case.expect.effect is Effect.DENY:
        assert answer.reason == case.expect.reason
        assert _status_shown(answer) == status_of(case.expect.reason)
        assert front.upstream.received == []
    else:
        assert answer.status == 200, answer
        _assert_arrived_as_sent(case, front.upstream.received)


def _sent(case: Case, world: World, front: Front) -> Answer:
    credentials = world.credentials[case.certificate] if case.certificate else None
    headers = [("Host", host) for host in case.hosts] + list(case.headers) + [("Connection", "close")]
    request = request_bytes(
        case.method,
        case.target.encode("latin-1"),
        [(name, value.encode("latin-1")) for name, value in headers],
    )
    context = client_context(front.server_ca, credentials)
    return call(front.address, context, request, sni=case.sni, source=case.source_ip)


def _assert_arrived_as_sent(case: Case, received: list[Received]) -> None:
    """One request, the very target that was sent, what the rules set, and nothing that the client claimed."""
    assert [(request.method, request.target) for request in received] == [(case.method, case.target)]
    (request,) = received
    for name, value in case.upstream.items():
        assert request.values(name) == ([value] if value else [])
    if case.certificate is None:
        assert request.values("x-forwarded-client-cert") == []
    assert claims(case).isdisjoint(value for _, value in request.headers)


def _status_shown(answer: Answer) -> int:
    """To a gRPC client Envoy says 200 and `grpc-status`, of which 7 is PERMISSION_DENIED (403)."""
    return {"7": 403}.get(answer.headers.get("grpc-status", ""), answer.status)
