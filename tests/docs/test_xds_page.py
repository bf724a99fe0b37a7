"""`docs/xds.md` says what `/fleet` shows, what is delivered, and which bounds there are."""

import re
from pathlib import Path

import pytest

from extauth.xds import limits
from extauth.xds.fleet import Fleet, NodeKey
from extauth.xds.fleet_report import STATES, report_of_fleet
from extauth.xds.native import PLACES
from extauth.xds.opening import SERVICE
from extauth.xds.resource_types import SERVED, short
from extauth.xds.secrets import ALL_ENTRIES, secret_name
from extauth.xds.snapshot import Snapshots
from policies.language.load import load_policy
from tests.extauth.world import Files, mesh

TEXT = (Path(__file__).parents[2] / "docs" / "xds.md").read_text()


def fields() -> set[str]:
    """Every key of `/fleet`, but those that are names of types and states."""
    fleet = Fleet()
    node = fleet.joined(NodeKey("spiffe://a.b/c", "192.0.2.1", "envoy", "cluster"), 1.0)
    node.confirmed(SERVED[0])
    found: set[str] = set()

    def visit(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(key)
                visit(inner)
        if isinstance(value, list):
            for inner in value:
                visit(inner)

    visit(report_of_fleet(fleet, Snapshots(), 1.0, "", 2.0))
    return found - {short(kind) for kind in SERVED} - set(STATES)


@pytest.mark.parametrize("field", sorted(fields()))
def test_every_field_of_the_fleet_is_on_the_page(field: str) -> None:
    assert f"`{field}`" in TEXT


def test_every_state_is_on_the_page_and_no_other() -> None:
    table = TEXT.split("| state | meaning |\n|---|---|\n")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(STATES)


def test_what_is_delivered_is_on_the_page() -> None:
    names = [place.name for place in PLACES]
    assert ", ".join(f"`{name}`" for name in names) in TEXT
    assert [kind for kind in SERVED if f"(`{short(kind)}`)" not in TEXT] == []
    assert f"`{ALL_ENTRIES}`" in TEXT
    assert f"`{secret_name('NAME')}`" in TEXT


@pytest.mark.parametrize(
    "bound",
    [
        f"{limits.MAX_CONNECTIONS:,} connections and {limits.MAX_STREAMS:,} streams",
        f"{limits.MAX_NODE_STREAMS} of one Envoy",
        f"{limits.MAX_CONNECTION_STREAMS} on one connection",
        f"a handshake has {limits.HANDSHAKE_MS // 1000} s",
        f"{limits.MAX_NODES:,} Envoys are remembered",
        f"at\nmost {limits.MAX_REQUEST_BYTES // 2**20} MiB",
        f"a name {limits.MAX_NAME_CHARS} characters",
        f"a subscription {limits.MAX_NAMES:,} names",
        f"more than {limits.REQUESTS_PER_SECOND:g} requests a second",
        f"within {limits.ANSWER_SECONDS:g} s",
        f"at most {limits.MAX_SNAPSHOT_BYTES // 2**20} MiB of resources",
    ],
)
def test_every_bound_is_on_the_page(bound: str) -> None:
    assert " ".join(bound.split()) in " ".join(TEXT.split())


def test_the_rules_on_the_page_are_a_policy() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    head = "version: 1\ntrust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}\n"
    loaded = load_policy({"policy.yaml": f"{head}{shown}".encode()}, Files({"root.pem": mesh().pem}))
    assert loaded.policy is not None, [str(problem) for problem in loaded.problems]
    assert SERVICE in shown
