"""docs/deploy.md: its Envoy configuration is valid, and its names are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.main import get_command

from extauth.health import AUTHORIZATION
from peergate.cli import app
from pki.authority import Authority
from policies.reason import Reason
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.limits import CONNECTION_SECONDS, STREAM_SECONDS
from runtime.envoy.tls import DownstreamTls
from runtime.metrics import Metrics
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.process_status import ProcessStatus, ServiceStatus
from runtime.status_metrics import StatusCollector
from tests.deploy.files import ISTIO, KUBERNETES, ROOT, document
from tests.support.envoy_validation import complaints_of_envoy

GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
ISTIO_GUIDE = (ISTIO / "README.md").read_text(encoding="utf-8")
(CLUSTER,) = (yaml.safe_load(block) for block in re.findall(r"```yaml envoy-cluster\n(.*?)```", GUIDE, re.DOTALL))


def _metrics() -> set[str]:
    """The names under which Prometheus finds what a service counts."""
    served = ProcessStatus(1, PolicyStatus(PolicyState.SERVING, "g", 1))
    states = CollectorRegistry()
    states.register(StatusCollector(lambda: ServiceStatus((served,), observe=False)))
    families = [family for registry in (states, Metrics().registry) for family in registry.collect()]
    counters = {f"{family.name}_total" for family in families if family.type == "counter"}
    return counters | {family.name for family in families}


def _flags() -> set[str]:
    def options(command: Any) -> set[str]:
        own = {word for option in command.params for word in (*option.opts, *option.secondary_opts)}
        return own.union(*(options(inner) for inner in getattr(command, "commands", {}).values()))

    return options(get_command(app))


def test_envoy_takes_the_cluster(tmp_path: Path) -> None:
    authority = Authority.root("envoys")
    client = authority.issue(dns=["envoy"], server=True)
    for file, content in {"tls.crt": client.pem, "tls.key": client.key_pem, "ca.crt": authority.pem}.items():
        (tmp_path / file).write_bytes(content)
    tls = DownstreamTls(tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt")
    settings = EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=tls,
        authorization=Authorization(TcpAddress("127.0.0.1", 1)),
        upstream=TcpAddress("127.0.0.1", 2),
        admin=UnixAddress(str(tmp_path / "admin.sock")),
    )
    bootstrap: Any = bootstrap_from_settings(settings)
    clusters = bootstrap["static_resources"]["clusters"]
    assert clusters[0]["name"] == CLUSTER["name"]
    clusters[0] = yaml.safe_load(yaml.safe_dump(CLUSTER).replace("/etc/envoy/peergate", str(tmp_path)))
    assert complaints_of_envoy(bootstrap, tmp_path) == ""


def test_the_cluster_asks_a_service_that_is_made_under_a_name_that_its_certificate_has() -> None:
    (endpoint,) = CLUSTER["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    tls = CLUSTER["transport_socket"]["typed_config"]
    (name,) = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert address["port_value"] == 9191
    assert name["matcher"]["exact"] == tls["sni"] == address["address"]
    assert address["address"] in document(KUBERNETES / "certificate.yaml")["spec"]["dnsNames"]


def test_the_cluster_has_the_other_settings_that_peergate_generates() -> None:
    settings = EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=DownstreamTls(Path("c"), Path("k"), Path("a")),
        authorization=Authorization(TcpAddress("peergate.example", 9191)),
        upstream=TcpAddress("127.0.0.1", 2),
        admin=TcpAddress("127.0.0.1", 9901),
    )
    generated: Any = bootstrap_from_settings(settings)
    added = {"load_assignment", "transport_socket", "health_checks"}
    own = {key: value for key, value in CLUSTER.items() if key not in added}
    cluster = generated["static_resources"]["clusters"][0]
    assert own == {key: value for key, value in cluster.items() if key != "load_assignment"}


def test_the_cluster_checks_the_health_that_is_served() -> None:
    (check,) = CLUSTER["health_checks"]
    assert check["grpc_health_check"] == {"service_name": AUTHORIZATION}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(?:rate\()?(peergate_\w+)", GUIDE))))
def test_a_metric_that_is_named_exists(name: str) -> None:
    assert name in _metrics()


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"`(--[a-z][a-z-]*)", GUIDE))))
def test_a_flag_that_is_named_exists(flag: str) -> None:
    assert flag in _flags()


@pytest.mark.parametrize("guide", [GUIDE, ISTIO_GUIDE], ids=["docs", "istio"])
def test_a_reason_that_is_named_exists(guide: str) -> None:
    named = re.findall(r"403, `(\w+)`|`(certificate_\w+|no_\w+)`", guide)
    assert named
    assert {one or other for one, other in named} <= set(Reason)


def test_the_bounds_of_a_verdict_are_those_that_are_generated() -> None:
    assert f"`max_stream_duration` {STREAM_SECONDS:g} s" in GUIDE
    assert f"`max_connection_duration` {CONNECTION_SECONDS:g} s" in GUIDE
    assert f"cut after {STREAM_SECONDS:g} s" in GUIDE
