"""The decision corpus through AuthorizationMiddleware under uvicorn, as raw bytes on a socket."""

from collections.abc import Iterator

import pytest

from policies.engine.request import Request
from policies.reason import Effect
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.enforced import claims, status_of
from tests.decisions.engine import request_from_case
from tests.decisions.middleware_server import MiddlewareServer

#: What httptools answers itself, before anybody is asked.
_REFUSED_BY_THE_PARSER = 400


@pytest.fixture(scope="module")
def server() -> Iterator[MiddlewareServer]:
    with MiddlewareServer() as running:
        yield running


@pytest.mark.parametrize("case", cases("middleware"), ids=str)
def test_the_middleware_enforces(case: Case, setting: Settings, server: MiddlewareServer) -> None:
    world, policy = setting(case.file)
    answer = server.ask(case, world, policy)
    if answer.status == _REFUSED_BY_THE_PARSER:
        assert case.expect.effect is Effect.DENY
        assert server.judged == []
    elif case.expect.effect is Effect.DENY:
        assert (answer.reason, answer.status) == (case.expect.reason, status_of(case.expect.reason))
        assert server.passed == []
    else:
        assert answer.status == 200, answer
        ((decision, headers, raw_path),) = server.passed
        assert decision.rules == case.expect.rules
        assert case.target.partition("?")[0].encode("latin-1").endswith(raw_path)
        values = {name.decode().replace("_", "-"): value.decode().strip(" \t") for name, value in headers}
        assert {name: values.get(name, "") for name in case.upstream} == dict(case.upstream)
        assert claims(case).isdisjoint(values.values())


@pytest.mark.parametrize("case", cases("middleware"), ids=str)
def test_the_request_is_equal_to_the_one_that_the_engine_is_asked(
    case: Case, setting: Settings, server: MiddlewareServer
) -> None:
    """The parity law, for every case that gets through the parser."""
    world, policy = setting(case.file)
    if server.ask(case, world, policy).status != _REFUSED_BY_THE_PARSER:
        assert server.now is not None
        (judged,) = server.judged
        asked = request_from_case(case, world, policy, server.now)
        # The parser drops blanks around values, which do not count (RFC 9110 §5.5).
        assert _stripped(judged) == _stripped(asked)


def test_few_cases_end_at_the_parser(setting: Settings, server: MiddlewareServer) -> None:
    refused = [case for case in cases("middleware") if server.ask(case, *setting(case.file)).status == 400]
    assert len(refused) <= 60


def _stripped(request: Request) -> Request:
    headers = {name: tuple(value.strip(" \t") for value in values) for name, values in request.headers.items()}
    return request._replace(headers=headers)
