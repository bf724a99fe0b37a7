"""The decision corpus through gRPC `Check` of a running service."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest

from policies.reason import Effect, Reason
from tests.decisions.check import check_from_case
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, Verdict, cases
from tests.decisions.enforced import claims, status_of
from tests.support.envoy_wire import CheckResponse, HeaderValueOption
from tests.support.local_extauth import LocalExtauth

Ask = Callable[[LocalExtauth, bytes], bytes]


@pytest.fixture(scope="module")
def ask(extauth: LocalExtauth, verified: LocalExtauth) -> Iterator[Ask]:
    with ExitStack() as channels:
        checks = {}
        for service in (extauth, verified):
            channel = channels.enter_context(grpc.insecure_channel(str(service.grpc)))
            checks[service] = channel.unary_unary(
                "/envoy.service.auth.v3.Authorization/Check", request_serializer=None, response_deserializer=None
            )
        yield lambda service, message: checks[service](message, timeout=10)


@pytest.mark.parametrize("case", cases("grpc"), ids=str)
def test_a_grpc_check_answers(
    case: Case, setting: Settings, extauth: LocalExtauth, verified: LocalExtauth, ask: Ask
) -> None:
    world, policy = setting(case.file)
    service = verified if case.verified_for else extauth
    service.current, service.now = policy, world.time(case.at)
    response = CheckResponse.parse(ask(service, check_from_case(case, world)))
    assert _verdict_in(response) == case.expect
    if case.expect.effect is Effect.ALLOW:
        passed_on = _passed_on(case, response)
        for name, value in case.upstream.items():
            assert passed_on.get(name, "") == value
        assert claims(case).isdisjoint(passed_on.values())


def _verdict_in(response: CheckResponse) -> Verdict:
    """By status and metadata, which must agree with what the caller is shown."""
    assert response.status is not None
    assert response.dynamic_metadata is not None
    told = {name: value.string_value or "" for name, value in response.dynamic_metadata.fields.items()}
    effect, reason = Effect(told["effect"]), Reason(told["reason"])
    assert (response.status.code == 0) == (effect is Effect.ALLOW)
    if effect is Effect.DENY:
        assert response.denied_response is not None
        assert response.denied_response.status is not None
        assert int(response.denied_response.status.code) == status_of(reason)
        assert _headers(response.denied_response.headers)["x-peergate-reason"] == reason
    return Verdict(effect, reason, tuple(filter(None, told["rules"].split(","))))


def _passed_on(case: Case, response: CheckResponse) -> dict[str, str]:
    """The headers of the case after Envoy did what the answer says: it sets first and removes then."""
    assert response.ok_response is not None
    headers = {name.lower(): value.strip(" \t") for name, value in case.headers}
    headers |= _headers(response.ok_response.headers)
    for name in response.ok_response.headers_to_remove:
        headers.pop(name, None)
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _headers(options: list[HeaderValueOption]) -> dict[str, str]:
    return {option.header.key: option.header.value for option in options if option.header}
