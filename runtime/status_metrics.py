"""States of a service as metrics: read from its status at the moment of the scrape.

Numbers of things are summed over its processes; what every process knows alike, such as a date, is told once.
"""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runtime.expiry_status import soonest_ends, soonest_served_end
from runtime.policy_role import COMPARED, ENFORCED, PolicyRole
from runtime.policy_status import PolicyStatus
from runtime.process_status import ServiceStatus


class StatusCollector(Collector):
    """Collects from a function that tells the status."""

    def __init__(self, status: Callable[[], ServiceStatus]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """The metrics of this moment."""
        status = self._status()
        yield from _service(status)
        yield from _policy([process.policy for process in status.known], ENFORCED)
        if shadows := [process.shadow.policy for process in status.known if process.shadow is not None]:
            yield from _policy(shadows, COMPARED)
        yield from _fetched(status)
        yield from _fronts(status)
        yield from _expiry(status)
        yield from _ocsp(status)


def _service(status: ServiceStatus) -> Iterable[Metric]:
    yield GaugeMetricFamily("peergate_ready", "1 if every worker is on a good generation.", status.is_ready)
    yield GaugeMetricFamily("peergate_observe", "1 if every request is permitted (--observe).", status.observe)
    yield GaugeMetricFamily("peergate_workers_wanted", "Serving processes there should be.", len(status.processes))
    ready = sum(process.is_ready for process in status.known)
    yield GaugeMetricFamily("peergate_workers_ready", "Serving processes that are ready.", ready)
    restarts = CounterMetricFamily("peergate_worker_restarts", "Workers that died and were started again.")
    restarts.add_metric([], status.restarts)
    yield restarts
    queued = sum(process.queued_records for process in status.known)
    yield GaugeMetricFamily("peergate_decision_log_queued", "Decision records that wait to be written.", queued)


def _policy(policies: Sequence[PolicyStatus], role: PolicyRole) -> Iterable[Metric]:
    prefix, subject = f"peergate_{role.name}", role.subject
    generations = GaugeMetricFamily(
        f"{prefix}_generation_info", f"Workers on this generation of the {subject}.", labels=["generation"]
    )
    for generation in sorted({policy.generation for policy in policies if policy.generation is not None}):
        on_it = sum(policy.generation == generation for policy in policies)
        generations.add_metric([generation], on_it)
    yield generations
    rules = max((policy.rules for policy in policies), default=0)
    yield GaugeMetricFamily(f"{prefix}_rules", f"Rules of the {subject}.", rules)
    failing = any(policy.problems for policy in policies)
    yield GaugeMetricFamily(
        f"{prefix}_last_load_failed", f"1 if the last reading of the {subject} had problems.", failing
    )
    loaded = max((policy.loaded_at or 0 for policy in policies), default=0)
    yield GaugeMetricFamily(
        f"{prefix}_last_success_timestamp_seconds", f"Last time that a {subject} was loaded, 0 = never.", loaded
    )
    failed = max((policy.failed_at or 0 for policy in policies), default=0)
    yield GaugeMetricFamily(
        f"{prefix}_last_failure_timestamp_seconds", f"Last time that a {subject} was refused, 0 = never.", failed
    )


def _fetched(status: ServiceStatus) -> Iterable[Metric]:
    silent = max((process.bundles_silent_seconds for process in status.known), default=0.0)
    yield GaugeMetricFamily(
        "peergate_spiffe_bundle_stale_seconds",
        "For how long a Workload API has been gone, so that its bundles may be stale; 0 while all of them answer.",
        silent,
    )


def _fronts(status: ServiceStatus) -> Iterable[Metric]:
    fronts = [process.front for process in status.known]
    cached = sum(front.cached_certificates for front in fronts)
    yield GaugeMetricFamily("peergate_certificate_cache_entries", "Certificates whose facts are remembered.", cached)
    yield CounterMetricFamily(
        "peergate_envoy_restarts",
        "Envoys of `peergate up` that ended by themselves and were started anew.",
        sum(front.envoy_restarts for front in fronts),
    )


def _expiry(status: ServiceStatus) -> Iterable[Metric]:
    trust = GaugeMetricFamily(
        "peergate_trust_expiry_timestamp_seconds",
        "The first end among the anchors, the intermediates, or the CRLs (nextUpdate) of a trust entry.",
        labels=["entry", "kind"],
    )
    for (entry, kind), end in sorted(soonest_ends(status).items()):
        trust.add_metric([entry, kind.value], end)
    yield trust
    served = GaugeMetricFamily(
        "peergate_served_certificate_expiry_timestamp_seconds",
        "The first end in the certificate chain of the listeners.",
    )
    end_served = soonest_served_end(status)
    if end_served is not None:
        served.add_metric([], end_served)
    yield served


def _ocsp(status: ServiceStatus) -> Iterable[Metric]:
    certificates = GaugeMetricFamily(
        "peergate_ocsp_certificates",
        "Certificates that OCSP responders are asked about, by whether there is a current answer.",
        labels=["answer"],
    )
    stale = sum(process.ocsp.stale for process in status.known)
    certificates.add_metric(["current"], sum(process.ocsp.asked for process in status.known) - stale)
    certificates.add_metric(["none"], stale)
    yield certificates
