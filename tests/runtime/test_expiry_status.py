"""Ends in health detail and metrics: each object once, however many workers tell of it."""

import json
import urllib.request
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from runtime.address import TcpAddress
from runtime.expiry import DAY_SECONDS, Expiring, ExpiryKind
from runtime.expiry_status import json_from_ends, near_ends, unlisted_ends
from runtime.limits import MAX_NEAR_EXPIRIES, MAX_SHOWN_EXPIRIES
from runtime.listener import address_of, listener_from_address
from runtime.ops import OpsServer, ops_app
from runtime.process_status import ServiceStatus
from runtime.status_metrics import StatusCollector
from tests.runtime.expiring import ending, process, served, service
from tests.runtime.world import NOW

CRL = ending(2, kind=ExpiryKind.CRL)
EXPIRED = ending(-1, digest=b"old")
FAR = ending(300, entry="partners")


def family(status: ServiceStatus, name: str) -> Metric:
    return next(metric for metric in StatusCollector(lambda: status).collect() if metric.name == name)


def trust_gauges(status: ServiceStatus) -> dict[tuple[str, str], float]:
    samples = family(status, "peergate_trust_expiry_timestamp_seconds").samples
    gauges = {(sample.labels["entry"], sample.labels["kind"]): sample.value for sample in samples}
    assert len(gauges) == len(samples)
    return gauges


def served_gauges(status: ServiceStatus) -> list[float]:
    return [sample.value for sample in family(status, "peergate_served_certificate_expiry_timestamp_seconds").samples]


def body(status: ServiceStatus, now: float = NOW) -> dict[str, Any]:
    return json_from_ends(near_ends(status), now)


def test_the_gauge_of_each_entry_and_kind_is_the_first_end_in_epoch_seconds() -> None:
    assert trust_gauges(service(process(CRL, EXPIRED, FAR))) == {
        ("mesh", "anchor"): EXPIRED.ends,
        ("mesh", "crl"): CRL.ends,
        ("partners", "anchor"): FAR.ends,
    }


def test_several_workers_tell_a_date_once_and_never_summed() -> None:
    one = process(CRL, front=(served(9),))
    many = service(one, one, None, one)
    assert trust_gauges(many) == {("mesh", "crl"): CRL.ends}
    assert served_gauges(many) == [served(9).ends]


def test_while_workers_differ_the_first_end_of_any_counts() -> None:
    renewed = ending(30, kind=ExpiryKind.CRL, digest=b"new")
    for processes in ((process(renewed), process(CRL)), (process(CRL), process(renewed))):
        assert trust_gauges(service(*processes)) == {("mesh", "crl"): CRL.ends}


def test_what_is_not_there_has_no_gauge() -> None:
    assert trust_gauges(service(process())) == {}
    assert trust_gauges(service(None)) == {}
    assert served_gauges(service(process(CRL))) == []


def test_the_first_end_of_a_served_chain_is_its_gauge() -> None:
    assert served_gauges(service(process(front=(served(90), served(20))))) == [served(20).ends]


def test_the_registry_takes_the_gauges() -> None:
    registry = CollectorRegistry()
    registry.register(StatusCollector(lambda: service(process(CRL))))
    labels = {"entry": "mesh", "kind": "crl"}
    assert registry.get_sample_value("peergate_trust_expiry_timestamp_seconds", labels) == CRL.ends


def test_health_detail_lists_what_has_expired_or_does_so_within_seven_days() -> None:
    status = service(process(CRL, EXPIRED, FAR, ending(8), front=(served(6),)))
    assert body(status) == {
        "expiring_count": 3,
        "expiring": [
            {
                "kind": "anchor",
                "entry": "mesh",
                "name": "CN=mesh root",
                "expires": "2030-03-16T17:46:40Z",
                "expired": True,
            },
            {
                "kind": "crl",
                "entry": "mesh",
                "name": "CN=mesh root",
                "expires": "2030-03-19T17:46:40Z",
                "expired": False,
            },
            {
                "kind": "served",
                "entry": None,
                "name": "CN=peergate",
                "expires": "2030-03-23T17:46:40Z",
                "expired": False,
            },
        ],
    }


@pytest.mark.parametrize(("days", "listed"), [(7.001, 0), (6.999, 1), (0, 1), (-5000, 1)])
def test_seven_days_are_counted_from_now(days: float, listed: int) -> None:
    assert body(service(process(ending(days))))["expiring_count"] == listed


def test_an_object_of_several_workers_is_listed_once() -> None:
    assert body(service(process(CRL), process(CRL), None))["expiring_count"] == 1


def test_a_served_certificate_is_listed_when_its_time_comes_without_another_report() -> None:
    status = service(process(front=(served(30),)))
    assert body(status)["expiring"] == []
    assert body(status, NOW + 24 * DAY_SECONDS)["expiring_count"] == 1


def test_the_list_is_bounded_and_says_how_many_there_are() -> None:
    items = [ending(1 + n / 1000, name=f"CN={n}") for n in range(1000)]
    status = service(process(*items), process(*items))
    told = body(status)
    assert (told["expiring_count"], len(told["expiring"])) == (MAX_NEAR_EXPIRIES, MAX_SHOWN_EXPIRIES)
    assert [item["name"] for item in told["expiring"]] == [f"CN={n}" for n in range(MAX_SHOWN_EXPIRIES)]
    assert unlisted_ends(status) == 1000 - MAX_NEAR_EXPIRIES


def test_nothing_near_its_end_is_an_empty_list() -> None:
    assert body(service(process(FAR))) == {"expiring_count": 0, "expiring": []}
    assert body(service(None)) == {"expiring_count": 0, "expiring": []}


def test_an_end_does_not_make_a_service_unready() -> None:
    assert service(process(EXPIRED)).is_ready


def test_readyz_shows_it_by_the_clock_of_the_listener() -> None:
    def listed(item: Expiring) -> tuple[int, list[Any]]:
        status = service(process(item))
        listener = listener_from_address(TcpAddress("127.0.0.1", 0))
        server = OpsServer(ops_app(lambda: status, CollectorRegistry(), clock=lambda: NOW), listener)
        address = address_of(listener)
        server.start()
        try:
            with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as response:
                return response.status, [shown["expired"] for shown in json.load(response)["expiring"]]
        finally:
            server.stop()

    assert listed(EXPIRED) == (200, [True])
    assert listed(FAR) == (200, [])
