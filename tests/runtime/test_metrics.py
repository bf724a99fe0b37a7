"""What is counted, under the names that dashboards rely on."""

from threading import Thread

import pytest
from prometheus_client import generate_latest

from policies.reason import Effect, Reason
from runtime.metrics import LossCause, Metrics, effect_of


def test_every_reason_has_a_series_from_the_start() -> None:
    metrics = Metrics()
    metrics.decisions("extauth")
    text = generate_latest(metrics.registry).decode()
    for reason in Reason:
        assert f'reason="{reason.value}"' in text


def test_one_reason_alone_allows() -> None:
    assert [reason for reason in Reason if effect_of(reason) is Effect.ALLOW] == [Reason.ALLOWED_BY_RULE]


def test_enforcement_points_are_counted_apart() -> None:
    metrics = Metrics()
    metrics.decisions("gateway").count(Reason.NO_CERTIFICATE, 1e-5)
    metrics.decisions("forward-auth").count(Reason.NO_CERTIFICATE, 1e-5)
    labels = {"effect": "deny", "reason": "no_certificate", "enforcement": "gateway"}
    assert metrics.registry.get_sample_value("peergate_decisions_total", labels) == 1


def test_every_cause_of_loss_has_a_series() -> None:
    text = generate_latest(Metrics().registry).decode()
    for cause in LossCause:
        assert f'peergate_decision_log_lost_total{{cause="{cause.value}"}} 0.0' in text


@pytest.mark.parametrize("seconds", [0.0, 8e-6, 1e-5, 1.1e-5, 0.3, 1.0, 1.5, 100.0])
def test_a_decision_is_observed_as_prometheus_client_itself_observes_it(seconds: float) -> None:
    metrics = Metrics()
    metrics.decisions("extauth").count(Reason.ALLOWED_BY_RULE, seconds)
    metrics._latency.labels("the library").observe(seconds)
    of_library: dict[str, dict[tuple[str, str | None], float]] = {"extauth": {}, "the library": {}}
    for family in metrics.registry.collect():
        for sample in family.samples if family.name == "peergate_decision_latency_seconds" else ():
            of_library[sample.labels["enforcement"]][sample.name, sample.labels.get("le")] = sample.value
    assert of_library["extauth"] == of_library["the library"]
    assert of_library["extauth"]["peergate_decision_latency_seconds_count", None] == 1


def test_two_processes_parts_do_not_share_a_registry() -> None:
    assert Metrics().registry is not Metrics().registry


def test_decisions_of_many_threads_are_all_counted() -> None:
    metrics = Metrics()

    def decide() -> None:
        counter = metrics.decisions("extauth")
        for _ in range(5_000):
            counter.count(Reason.DENIED_BY_RULE, 1e-5)

    threads = [Thread(target=decide) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    labels = {"effect": "deny", "reason": "denied_by_rule", "enforcement": "extauth"}
    assert metrics.registry.get_sample_value("peergate_decisions_total", labels) == 20_000
    latency = "peergate_decision_latency_seconds_count"
    assert metrics.registry.get_sample_value(latency, {"enforcement": "extauth"}) == 20_000
