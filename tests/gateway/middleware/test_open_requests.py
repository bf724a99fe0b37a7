"""Law 9: what is open is closed when its certificate ends, is revoked, or its verdict changes; nothing else is."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.middleware import AuthorizationMiddleware, Authorizer, open_requests
from gateway.middleware.presented import Scope
from policies.engine.record import Enforcement
from runtime.judge import Judge
from runtime.metrics import Metrics
from tests.extauth.world import POLICY, billing, mesh, policy, policy_of
from tests.gateway.middleware.scopes import Message, Switch, http_scope, never, websocket_scope

NOBODY = policy_of(POLICY.replace("allow: billing, to: invoices", "allow: tenant, to: invoices"))
Change = Callable[[Switch], None]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "LOOK_SECONDS", 0.02)


def after_its_end(switch: Switch) -> None:
    switch.now = billing().certificate.not_valid_after_utc.timestamp() + 1


def another_policy(switch: Switch) -> None:
    switch.current = NOBODY


def no_change(switch: Switch) -> None:
    pass


class Endless:
    """Begins an answer if told to, then goes on until it is interrupted."""

    def __init__(self, begins: list[Message]) -> None:
        self.begins = begins
        self.interrupted = False
        self.finished = False
        self.send: Any = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.send = send
        for message in self.begins:
            await send(message)
        try:
            await asyncio.sleep(0.3)
            self.finished = True
        except asyncio.CancelledError:
            self.interrupted = True
            raise


def run(scope: Scope, app: Any, change: Change, *, observe: bool = False) -> list[Message]:
    """Open a request, change something, and see what is sent until it is over."""
    switch = Switch(policy())
    switch.now = mesh().now.timestamp() + 60
    judge = Judge(switch, Metrics(), None, Enforcement.GATEWAY, observe=observe)
    middleware = AuthorizationMiddleware(app, Authorizer(judge, lambda: switch.now))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def both() -> None:
        asyncio.get_running_loop().call_later(0.05, change, switch)
        await middleware(scope, never, send)

    asyncio.run(both())
    return sent


START = {"type": "http.response.start", "status": 200, "headers": []}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}
ACCEPT = {"type": "websocket.accept"}


@pytest.mark.parametrize(
    ("change", "reason"), [(after_its_end, "certificate_expired"), (another_policy, "no_matching_rule")]
)
def test_a_websocket_is_closed_with_the_reason(change: Change, reason: str) -> None:
    app = Endless([ACCEPT])
    sent = run(websocket_scope(billing()), app, change)
    assert app.interrupted
    assert sent == [ACCEPT, {"type": "websocket.close", "code": 1008, "reason": reason}]


@pytest.mark.parametrize("change", [after_its_end, another_policy])
def test_a_stream_stays_incomplete(change: Change) -> None:
    app = Endless([START, PART])
    assert run(http_scope(billing()), app, change) == [START, PART]
    assert app.interrupted


def test_an_answer_that_has_not_begun_becomes_a_denial() -> None:
    sent = run(http_scope(billing()), Endless([]), another_policy)
    assert sent[0]["status"] == 403
    assert json.loads(sent[1]["body"])["reason"] == "no_matching_rule"


@pytest.mark.parametrize(("change", "observe"), [(no_change, False), (another_policy, True)])
def test_what_is_still_permitted_goes_on(change: Change, observe: bool) -> None:
    app = Endless([START, PART])
    run(http_scope(billing()), app, change, observe=observe)
    assert app.finished


def test_an_application_that_goes_on_after_the_cut_sends_nothing_more() -> None:
    class Stubborn(Endless):
        async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
            try:
                await super().__call__(scope, receive, send)
            except asyncio.CancelledError:
                with pytest.raises(OSError, match="no longer allowed"):
                    await send(PART)
                raise

    assert run(http_scope(billing()), Stubborn([START]), another_policy) == [START]


def test_an_application_that_overlooks_its_interruption_is_closed_all_the_same() -> None:
    class Deaf(Endless):
        async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
            with suppress(asyncio.CancelledError):
                await super().__call__(scope, receive, send)

    sent = run(websocket_scope(billing()), Deaf([ACCEPT]), another_policy)
    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": "no_matching_rule"}


def test_a_cancellation_by_somebody_else_goes_on() -> None:
    async def scene() -> None:
        middleware = AuthorizationMiddleware(
            Endless([START]), Authorizer(Judge(Switch(policy()), Metrics(), None, Enforcement.GATEWAY))
        )

        async def send(message: Message) -> None:
            pass

        task = asyncio.create_task(middleware(http_scope(billing()), never, send))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_a_timeout_of_the_application_is_its_own() -> None:
    async def slow(scope: Scope, receive: Any, send: Any) -> None:
        raise TimeoutError("of the application")

    with pytest.raises(TimeoutError, match="of the application"):
        run(http_scope(billing()), slow, no_change)


def test_many_are_closed_in_steps_and_none_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "JUDGED_AT_ONCE", 7)
    switch = Switch(policy())
    switch.now = mesh().now.timestamp() + 60
    app = Endless([ACCEPT])
    judge = Judge(switch, Metrics(), None, Enforcement.GATEWAY)
    middleware = AuthorizationMiddleware(app, Authorizer(judge, lambda: switch.now))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def run_all() -> None:
        asyncio.get_running_loop().call_later(0.05, another_policy, switch)
        await asyncio.gather(*(middleware(websocket_scope(billing()), never, send) for _ in range(50)))

    asyncio.run(run_all())
    assert sum(message["type"] == "websocket.close" for message in sent) == 50


def test_what_is_done_is_not_judged_again() -> None:
    async def scene() -> int:
        judge = Judge(Switch(policy()), Metrics(), None, Enforcement.GATEWAY)
        requests = open_requests.OpenRequests(judge)
        middleware = AuthorizationMiddleware(Endless([]), Authorizer(judge))
        middleware._open = requests

        async def send(message: Message) -> None:
            pass

        await asyncio.gather(*(middleware(http_scope(billing()), never, send) for _ in range(5)))
        return len(requests)

    assert asyncio.run(scene()) == 0
