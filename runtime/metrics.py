"""What a process counts. Children of labels are resolved once: a decision pays for being put down, not for look-ups.

With several workers each counts into the folder of PROMETHEUS_MULTIPROC_DIR, and the supervisor sums it: the variable
must be set before prometheus-client is imported. What is a state and no count travels in the workers' reports instead
(`runtime.status_metrics`).
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import partial
from threading import Lock
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.registry import Collector
from prometheus_client.values import MutexValue

from policies.reason import Effect, Reason
from runtime.policy_role import COMPARED, ENFORCED, PolicyRole

#: Seconds. A decision takes microseconds; what takes longer waited for the interpreter or saw a certificate first.
_LATENCY_BUCKETS = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 5e-2, 0.25, 1.0)
_bucket_of = partial(bisect_left, _LATENCY_BUCKETS)
#: Decisions that are added up together; until then each is a few dozen bytes.
_DECISIONS_AT_ONCE = 64


class LossCause(StrEnum):
    """Why a decision record was not written."""

    QUEUE_FULL = "queue_full"
    SINK_FAILED = "sink_failed"
    UNWRITABLE = "unwritable"
    CLOSED = "closed"


class Likeness(StrEnum):
    """How a decision of the next policy stands to the one that was enforced.

    NOT_EVALUATED: the decision was made inside Envoy, whose access log did not tell what the next policy asks for.
    """

    SAME = "same"
    OTHER_RULES = "other_rules"
    DIFFERS = "differs"
    NOT_EVALUATED = "not_evaluated"


class PolicyLoads(NamedTuple):
    """The counters of readings that ended in a policy, and in problems."""

    taken: Counter
    refused: Counter


class FetchResult(StrEnum):
    """What became of one attempt to fetch a CRL."""

    NEW = "new"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    REFUSED = "refused"
    OLDER = "older"


class BundleResult(StrEnum):
    """What a Workload API told of one SPIFFE bundle, or that it told nothing."""

    NEW = "new"
    UNCHANGED = "unchanged"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    FAILED = "failed"


class OcspResult(StrEnum):
    """What became of one request to an OCSP responder: what it said, or why that does not count."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    FAILED = "failed"
    REFUSED = "refused"
    OLDER = "older"


class NativeShadow(StrEnum):
    """What shadow rules would have made of a decision inside Envoy, if Envoy can say it."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_EVALUATED = "not_evaluated"


class Metrics:
    """The counters of one process, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
        self.registry = CollectorRegistry(support_collectors_without_names=True)
        self._unsettled = _Unsettled()
        self.registry.register(self._unsettled)
        self._deciding = Lock()
        self._decisions = Counter(
            "peergate_decisions",
            "Decisions, by what was decided and why.",
            ["effect", "reason", "enforcement"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "peergate_decision_latency_seconds",
            "Time from receipt of the request's facts to the decision.",
            ["enforcement"],
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.policy_loads = {role: self._policy_loads(role) for role in (ENFORCED, COMPARED)}
        self._comparisons = Counter(
            "peergate_shadow_policy_decisions",
            "Decisions that were compared with those of --shadow-policy, by what came of it.",
            ["result", "enforcement"],
            registry=self.registry,
        )
        self._differences = Counter(
            "peergate_shadow_policy_differences",
            "Decisions that --shadow-policy would make otherwise, by both.",
            ["effect", "reason", "next_effect", "next_reason", "enforcement"],
            registry=self.registry,
        )
        shadow = Counter(
            "peergate_native_shadow_rules",
            "Decisions inside Envoy under a policy with shadow rules, by what these would have changed.",
            ["result"],
            registry=self.registry,
        )
        self.native_shadow: Mapping[NativeShadow, Counter] = {item: shadow.labels(item.value) for item in NativeShadow}
        handshakes = Counter(
            "peergate_handshakes",
            "TLS handshakes of the listener of the gateway, or of up.",
            ["result"],
            registry=self.registry,
        )
        self.handshake_done = handshakes.labels("success")
        self.handshake_failed = handshakes.labels("failure")
        self.records_written = Counter(
            "peergate_decision_log_written", "Decision records that reached the log.", registry=self.registry
        )
        lost = Counter(
            "peergate_decision_log_lost",
            "Decision records that did not reach the log, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self.records_lost: Mapping[LossCause, Counter] = {cause: lost.labels(cause.value) for cause in LossCause}
        fetches = Counter(
            "peergate_crl_fetches",
            "Attempts to fetch a CRL from its URL, by result.",
            ["result"],
            registry=self.registry,
        )
        self.xds_envoys = Gauge(
            "peergate_xds_envoys",
            "Envoys that are connected, by how they stand to what they should have.",
            ["state"],
            registry=self.registry,
        )
        self.xds_pushes = Counter(
            "peergate_xds_pushes", "Answers with configuration that were sent to Envoys.", registry=self.registry
        )
        self.xds_refusals = Counter(
            "peergate_xds_refusals", "Answers that an Envoy refused (NACK).", registry=self.registry
        )
        self.crl_fetches: Mapping[FetchResult, Counter] = {item: fetches.labels(item.value) for item in FetchResult}
        updates = Counter(
            "peergate_spiffe_bundle_updates",
            "Messages of Workload APIs about a SPIFFE bundle, and streams that ended or could not be opened (failed).",
            ["result"],
            registry=self.registry,
        )
        self.bundle_updates: Mapping[BundleResult, Counter] = {
            item: updates.labels(item.value) for item in BundleResult
        }
        asked = Counter(
            "peergate_ocsp_requests",
            "Requests to OCSP responders, by what became of them.",
            ["result"],
            registry=self.registry,
        )
        self.ocsp_requests: Mapping[OcspResult, Counter] = {item: asked.labels(item.value) for item in OcspResult}

    def _policy_loads(self, role: PolicyRole) -> PolicyLoads:
        loads = Counter(
            f"peergate_{role.name}_loads",
            f"Readings of the {role.subject} that ended in a new generation (success) or in problems (failure).",
            ["result"],
            registry=self.registry,
        )
        return PolicyLoads(loads.labels("success"), loads.labels("failure"))

    def comparison_counters(self, enforcement: str) -> Mapping[Likeness, Counter]:
        """The counter of each outcome of a comparison."""
        return {likeness: self._comparisons.labels(likeness.value, str(enforcement)) for likeness in Likeness}

    def difference_counter(self, reason: Reason, next_reason: Reason, enforcement: str) -> Counter:
        """The counter of decisions for `reason` that the next policy would make for `next_reason`."""
        effect, next_effect = effect_of(reason), effect_of(next_reason)
        return self._differences.labels(
            effect.value, reason.value, next_effect.value, next_reason.value, str(enforcement)
        )

    def decisions(self, enforcement: str) -> "DecisionCounter":
        """Where this enforcement point counts its decisions."""
        counter = DecisionCounter(
            {reason: self._decisions.labels(effect_of(reason).value, reason.value, enforcement) for reason in Reason},
            self._latency.labels(enforcement),
            self._deciding,
        )
        self._unsettled.counters.append(counter)
        return counter


class DecisionCounter:
    """Counts decisions and observes their latency, of one enforcement point; used by many threads.

    A decision is put down; some are added up at once, at the latest when somebody asks for the sums. They are added to
    the values below prometheus-client's objects, to which there is no public way, so a test sees to it.
    """

    def __init__(self, by_reason: Mapping[Reason, Counter], latency: Histogram, lock: Lock) -> None:
        """`lock`: held by everyone who adds to these values."""
        # By their words: an enumeration's own hash is a call each time on Python 3.11.
        self._reasons = {reason._value_: counter._value for reason, counter in by_reason.items()}
        self._seconds = latency._sum
        self._buckets = list(latency._buckets)
        self._lock = lock
        self._unsettled: deque[tuple[str, float]] = deque()
        #: Call it with the reason of a decision, which tells the effect, and its latency in seconds. Other processes
        #: read values that are a file's, and cannot ask for the sums.
        self.count = self._put_down if isinstance(self._seconds, MutexValue) else self._add

    def _put_down(self, reason: Reason, seconds: float) -> None:
        unsettled = self._unsettled
        unsettled.append((reason._value_, seconds))
        if len(unsettled) > _DECISIONS_AT_ONCE:
            self.settle()

    def _add(self, reason: Reason, seconds: float) -> None:
        self._reasons[reason._value_].inc(1)
        self._buckets[_bucket_of(seconds)].inc(1)
        self._seconds.inc(seconds)

    def settle(self) -> None:
        """Add up what was put down."""
        with self._lock:
            settled = [self._unsettled.popleft() for _ in range(len(self._unsettled))]
            reasons, latencies = zip(*settled, strict=True) if settled else ((), ())
            for reason, number in Tally(reasons).items():
                self._reasons[reason].inc(number)
            for bucket, number in Tally(map(_bucket_of, latencies)).items():
                self._buckets[bucket].inc(number)
            self._seconds.inc(sum(latencies))


class _Unsettled(Collector):
    """Collected before the sums, has them made; has none of its own."""

    def __init__(self) -> None:
        self.counters: list[DecisionCounter] = []

    def collect(self) -> Iterable[Metric]:
        """Nothing."""
        for counter in self.counters:
            counter.settle()
        return ()


def effect_of(reason: Reason) -> Effect:
    """What a decision for this reason does."""
    return Effect.ALLOW if reason is Reason.ALLOWED_BY_RULE else Effect.DENY
