"""Who was never seen before waits for the first OCSP answer without holding up the loop that others are served on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.middleware import AuthorizationMiddleware
from pki.authority import Issued
from runtime import check
from tests.extauth.ocsp_world import OcspWorld, ocsp_world
from tests.extauth.world import BILLING, billing, mesh
from tests.gateway.middleware.scopes import Application, authorizer, http_scope, never
from tests.support.ocsp import REVOKED

PATIENCE = 0.5


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[OcspWorld]:
    monkeypatch.setattr(check, "FIRST_ANSWER_SECONDS", PATIENCE)
    with ocsp_world() as world:
        yield world


async def status(app: Any, issued: Issued) -> tuple[int, float]:
    """The status, and when it came."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(http_scope(issued), never, send)
    return sent[0]["status"], asyncio.get_running_loop().time()


def test_the_first_request_is_decided_by_the_first_answer(world: OcspWorld) -> None:
    app = AuthorizationMiddleware(Application(), authorizer(world.policy))
    good, stolen = mesh().issue(uri=[BILLING]), mesh().issue(uri=[BILLING])
    world.statuses[stolen.certificate.serial_number] = REVOKED
    assert [asyncio.run(status(app, issued))[0] for issued in (good, stolen)] == [200, 403]


def test_others_are_served_while_some_wait_and_the_wait_is_bounded(world: OcspWorld) -> None:
    app = AuthorizationMiddleware(Application(), authorizer(world.policy))

    async def run() -> None:
        assert (await status(app, billing()))[0] == 200
        world.server.held.clear()
        began = asyncio.get_running_loop().time()
        waiting = [asyncio.create_task(status(app, mesh().issue(uri=[BILLING]))) for _ in range(20)]
        await asyncio.sleep(0.1)
        others = [await status(app, billing()) for _ in range(20)]
        bounded = await asyncio.gather(*waiting)
        # A busy machine may be slow: nobody who could be served came after those who waited.
        assert all(code == 200 for code, _ in others)
        assert others[0][1] < min(came for _, came in bounded)
        for code, came in bounded:
            assert code == 403
            assert PATIENCE - 0.01 <= came - began < PATIENCE + 2

    asyncio.run(run())


def test_a_caller_that_hangs_up_while_it_waits_is_done(world: OcspWorld) -> None:
    app = AuthorizationMiddleware(Application(), authorizer(world.policy))
    issued = mesh().issue(uri=[BILLING])

    async def run() -> None:
        world.server.held.clear()
        first, second = (asyncio.create_task(status(app, issued)) for _ in range(2))
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        world.server.held.set()
        assert (await second)[0] == 200

    asyncio.run(run())
