"""What no independent decoder knows, a real Envoy reads from the wire: every kind of matcher that can be delivered."""

import errno
import socket
from pathlib import Path
from threading import Timer
from typing import Any

from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress
from runtime.envoy.proto_json import Json, any_of, typed
from tests.extauth.service_process import free_port
from tests.extauth.xds.world import BILLING, LocalXds, World, eventually, filters_of, policy_text, proxies

NETWORK = "envoy.extensions.matching.common_inputs.network.v3."
SOURCE = typed("source", NETWORK + "DirectSourceIPInput")
PATH = typed("path", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path")


def action(name: str, decides: str = "ALLOW") -> Json:
    config = any_of("envoy.config.rbac.v3.Action", name=name, action=decides)
    return {"action": {"name": "action", "typed_config": config}}


def loopback(exclusive: bool) -> Json:
    allowed: Json = {"address_prefix": "127.0.0.0", "prefix_len": 8}
    ranges: Json = {"ranges": [allowed], "on_match": {"matcher": PATHS}, "exclusive": exclusive}
    return typed("ranges", "xds.type.matcher.v3.IPMatcher", range_matchers=[ranges])


def expression(form: str) -> Json:
    """`request.path == "/a"`."""
    request: Json = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "path"}}
    tree: Json = {
        "id": "1",
        "call_expr": {"function": "_==_", "args": [request, {"const_expr": {"string_value": "/a"}}]},
    }
    return {
        "single_predicate": {
            "input": typed("request", "xds.type.matcher.v3.HttpAttributesCelMatchInput"),
            "custom_match": typed("cel", "xds.type.matcher.v3.CelMatcher", expr_match={form: {"expr": tree}}),
        }
    }


FITS: Json = {"safe_regex": {"google_re2": {}, "regex": "/[a-c]"}}
PATHS: Json = {
    "matcher_list": {
        "matchers": [
            {
                "predicate": {
                    "and_matcher": {
                        "predicate": [
                            expression("cel_expr_parsed"),
                            {"single_predicate": {"input": PATH, "value_match": FITS}},
                        ]
                    }
                },
                "on_match": action("cel"),
            }
        ]
    },
    "on_no_match": action("no", "DENY"),
}


def filters(policy: PolicySet) -> list[Json]:
    """The stand-in, with a matcher of every kind instead of its own."""
    clean, _ = filters_of(policy)
    matcher: Json = {"matcher_tree": {"input": SOURCE, "custom_match": loopback(True)}}
    matcher["on_no_match"] = action("elsewhere", "DENY")
    rbac = any_of("envoy.extensions.filters.http.rbac.v3.RBAC", matcher=matcher)
    return [clean, {"name": "peergate.rbac", "typed_config": rbac}]


def test_an_envoy_takes_ranges_and_expressions_and_decides_by_them(envoy_binary: Path, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(policy_text(BILLING))
    with LocalXds(world, filters=filters) as xds, proxies(envoy_binary, world, [xds.address]) as envoys:
        eventually(lambda: xds.fleet()["envoys"] == {"current": 1})
        statuses: dict[bytes, Any] = {path: envoys[0].get(world.web, path).status for path in (b"/a", b"/b", b"/a/b")}
    assert statuses == {b"/a": 200, b"/b": 403, b"/a/b": 403}


def test_an_envoy_that_starts_before_its_service_lets_nobody_in_until_it_has_the_policy(
    envoy_binary: Path, tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.write(policy_text(BILLING))
    port, listener = free_port(), free_port()
    xds = LocalXds(world, port)
    before: list[int] = []

    def start() -> None:
        with socket.socket() as probe:
            before.append(probe.connect_ex(("127.0.0.1", listener)))
        xds.__enter__()

    late = Timer(1.0, start)
    late.start()
    try:
        # It is ready, and listens, when it has been told.
        with proxies(envoy_binary, world, [TcpAddress("127.0.0.1", port)], port=listener) as envoys:
            assert before == [errno.ECONNREFUSED]
            assert (envoys[0].get(world.billing).status, envoys[0].get(world.web).status) == (200, 403)
    finally:
        late.join()
        xds.__exit__(None, None, None)
