"""Two replicas that share nothing but the policy, and a real Envoy that loses the one that it was connected to."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.extauth.xds.world import BILLING, WEB, LocalXds, World, eventually, policy_text, proxies


def test_an_envoy_that_loses_its_replica_goes_to_the_other_and_is_sent_only_what_is_new(
    envoy_binary: Path, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.write(policy_text(BILLING))
    with ExitStack() as stack:
        replicas = [stack.enter_context(ExitStack()) for _ in range(2)]
        services = [replica.enter_context(LocalXds(world)) for replica in replicas]
        (envoy,) = stack.enter_context(proxies(envoy_binary, world, [service.address for service in services]))
        eventually(lambda: {"current": 1} in [service.fleet()["envoys"] for service in services])
        first = next(number for number, service in enumerate(services) if service.fleet()["envoys"])
        other = services[1 - first]
        replicas[first].close()
        eventually(lambda: other.fleet()["envoys"] == {"current": 1})
        assert other.pushes == 0
        assert (envoy.get(world.billing).status, envoy.get(world.web).status) == (200, 403)
        world.write(policy_text(WEB))
        eventually(lambda: envoy.get(world.web).status == 200)
        assert envoy.get(world.billing).status == 403
        eventually(lambda: other.fleet()["envoys"] == {"current": 1})
        time.sleep(0.3)
        # The filters, and then the trust, of one generation.
        assert other.pushes == 2
