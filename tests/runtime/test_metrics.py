"""What is counted, under the names that dashboards rely on."""

from prometheus_client import generate_latest

from policies.reason import Effect, Reason
from runtime.metrics import LossCause, Metrics, effect_of


def test_every_reason_has_a_series_from_the_start() -> None:
    metrics = Metrics()
    assert set(metrics.decision_counters("extauth")) == set(Reason)
    text = generate_latest(metrics.registry).decode()
    for reason in Reason:
        assert f'reason="{reason.value}"' in text


def test_one_reason_alone_allows() -> None:
    assert [reason for reason in Reason if effect_of(reason) is Effect.ALLOW] == [Reason.ALLOWED_BY_RULE]


def test_enforcement_points_are_counted_apart() -> None:
    metrics = Metrics()
    metrics.decision_counters("gateway")[Reason.NO_CERTIFICATE].inc()
    metrics.decision_counters("forward-auth")[Reason.NO_CERTIFICATE].inc(2)
    labels = {"effect": "deny", "reason": "no_certificate", "enforcement": "gateway"}
    assert metrics.registry.get_sample_value("peergate_decisions_total", labels) == 1


def test_every_cause_of_loss_has_a_series() -> None:
    text = generate_latest(Metrics().registry).decode()
    for cause in LossCause:
        assert f'peergate_decision_log_lost_total{{cause="{cause.value}"}} 0.0' in text


def test_latency_buckets_tell_microseconds_from_milliseconds() -> None:
    metrics = Metrics()
    metrics.decision_latency("extauth").observe(8e-6)
    labels = {"enforcement": "extauth", "le": "1e-05"}
    assert metrics.registry.get_sample_value("peergate_decision_latency_seconds_bucket", labels) == 1


def test_two_processes_parts_do_not_share_a_registry() -> None:
    assert Metrics().registry is not Metrics().registry
