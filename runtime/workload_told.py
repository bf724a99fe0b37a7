"""What one Workload API has told of the bundles that a policy asks for.

Laws: a message is the whole truth (SPIFFE_Workload_API.md §4.3, §4.4), so a trust domain that it leaves out, or whose
bundle is empty, is trusted no more. What cannot be read says nothing: the last good bundle stays. A trust domain that
has never had a good bundle has none, and that is not the same as an empty one.
"""

from collections.abc import Iterable, Mapping
from threading import Lock

from google.protobuf.message import DecodeError

from policies.peer.errors import SpiffeBundleError
from policies.peer.spiffe import TrustDomain
from policies.peer.spiffe_bundle import authorities_from_der
from runtime.limits import MAX_EXPIRY_NAME_CHARS, MAX_SHOWN_TRUST_DOMAINS
from runtime.metrics import BundleResult, Metrics
from runtime.service_log import service_logger
from runtime.workload_messages import x509_bundles_from_bytes

_LOGGER = service_logger("spiffe")


class ToldBundle:
    """The bundle of one trust domain. `content`: the last good one, b"" if withdrawn, None if there never was one.

    `problem`: what is wrong with what was told last, in words; empty if nothing is.
    """

    def __init__(self, api: str, domain: TrustDomain, metrics: Metrics) -> None:
        """`api`: how the Workload API is called."""
        self.content: bytes | None = None
        self.problem = ""
        self._api = api
        self._domain = domain
        self._metrics = metrics

    def take(self, bundles: Mapping[str, bytes]) -> None:
        """Take over what a message tells. Never raises."""
        told = bundles.get(f"spiffe://{self._domain.name}", b"")
        try:
            authorities = len(authorities_from_der(told))
        except SpiffeBundleError as error:
            self._note(BundleResult.REFUSED, f"{self._domain}: {error}")
            _LOGGER.warning("SPIFFE bundle refused", extra={"facts": self._facts(problem=self.problem)})
            return
        if not told:
            self._take_absence(bundles)
        elif told == self.content:
            self._note(BundleResult.UNCHANGED)
        else:
            self.content = told
            self._note(BundleResult.NEW)
            _LOGGER.info("new SPIFFE bundle", extra={"facts": self._facts(authorities=authorities)})

    def _take_absence(self, others: Iterable[str]) -> None:
        known = [name[:MAX_EXPIRY_NAME_CHARS] for name in sorted(others)[:MAX_SHOWN_TRUST_DOMAINS]]
        problem = f"it tells no bundle of {self._domain}, only of {', '.join(known)}"
        if self.content is None:
            self._note(BundleResult.REFUSED, problem)
            return
        if self.content:
            _LOGGER.warning("SPIFFE bundle withdrawn, nobody is trusted by it", extra={"facts": self._facts()})
        self.content = b""
        self._note(BundleResult.WITHDRAWN, f"{problem} any more: nobody of it is trusted")

    def _note(self, result: BundleResult, problem: str = "") -> None:
        self.problem = problem
        self._metrics.bundle_updates[result].inc()

    def _facts(self, **more: object) -> dict[str, object]:
        return {"api": self._api, "trust_domain": self._domain.name, **more}


class WorkloadTold:
    """Every bundle that is asked of one Workload API. Used by several threads: one takes, others ask."""

    def __init__(self, api: str, metrics: Metrics) -> None:
        self._api = api
        self._metrics = metrics
        # INVARIANT: under the lock, every bundle that is wanted is as the last message has it.
        self._lock = Lock()
        self._wanted: dict[TrustDomain, ToldBundle] = {}
        self._last: Mapping[str, bytes] = {}

    def take(self, message: bytes) -> str:
        """Take over one message. What is wrong with it as a whole, in words; empty if nothing is. Never raises."""
        try:
            response = x509_bundles_from_bytes(message)
            bundles = dict(response.bundles)
        except DecodeError as error:
            return self._refused(f"a message cannot be read: {error}")
        if not bundles:
            # §4.5: a mandatory field is empty, so the message is discarded.
            return self._refused("a message has no bundle at all")
        with self._lock:
            self._last = bundles
            for wanted in self._wanted.values():
                wanted.take(bundles)
        return "it sends CRLs, which are not used: name them under `crls`" if response.crl else ""

    def latest(self, domain: TrustDomain) -> bytes | None:
        """The last good bundle of a trust domain, from now on kept up to date."""
        with self._lock:
            wanted = self._wanted.get(domain)
            if wanted is None:
                wanted = self._wanted[domain] = ToldBundle(self._api, domain, self._metrics)
                if self._last:
                    wanted.take(self._last)
            return wanted.content

    def keep(self, domains: Iterable[TrustDomain]) -> None:
        """Forget all others."""
        kept = frozenset(domains)
        with self._lock:
            self._wanted = {domain: wanted for domain, wanted in self._wanted.items() if domain in kept}

    @property
    def any_good(self) -> bool:
        """Whether there is a bundle of any trust domain that was asked for."""
        with self._lock:
            return any(wanted.content is not None for wanted in self._wanted.values())

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the bundles of each trust domain, in words."""
        with self._lock:
            found = tuple(self._wanted.items())
        return tuple(
            wanted.problem or ("" if wanted.content is not None else f"nothing of {domain} yet")
            for domain, wanted in found
        )

    def _refused(self, problem: str) -> str:
        self._metrics.bundle_updates[BundleResult.REFUSED].inc()
        _LOGGER.warning("SPIFFE bundles refused", extra={"facts": {"api": self._api, "problem": problem}})
        return problem
