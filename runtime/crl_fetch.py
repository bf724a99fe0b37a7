"""CRLs that a policy names by URL, fetched off the way of any request.

Laws: what was good stays until something newer is good; nothing older, of another CA, unreadable or wrongly signed ever
takes its place. Each process fetches for itself, each URL has a thread of its own: a server that hangs delays only its
own CRL. What changes becomes a new generation as a changed file does (`runtime.policy_source`).
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic, time

from policies.peer.crl import Crl, CrlKey
from policies.peer.crl_source import CrlSource
from policies.peer.errors import CrlError
from policies.peer.fetch_url import FetchUrl
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from runtime.crl_budget import CrlBudget
from runtime.download import Downloaded, download
from runtime.errors import DownloadError
from runtime.jitter import JITTER
from runtime.limits import (
    MAX_FETCHED_CRLS,
    MAX_NAMED_CRLS,
    MAX_REFRESH_SECONDS,
    MAX_SHOWN_UNFETCHED,
    MIN_NAMED_REFRESH_SECONDS,
    MIN_REFRESH_SECONDS,
    RETRY_SECONDS,
    UNUSED_CRL_SECONDS,
    UNWANTED_CRL_SECONDS,
)
from runtime.metrics import FetchResult, Metrics
from runtime.service_log import service_logger

_LOGGER = service_logger("crl")


def refresh_seconds(next_update: float, now: float, *, named: bool = False) -> float:
    """How long a good CRL is left alone: half of the time until nextUpdate, bounded. `named`: by a certificate."""
    least = MIN_NAMED_REFRESH_SECONDS if named else MIN_REFRESH_SECONDS
    return min(max((next_update - now) / 2, least), MAX_REFRESH_SECONDS)


def retry_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(RETRY_SECONDS * 2.0 ** min(failures - 1, 16), MAX_REFRESH_SECONDS)


class CrlFetch:
    """The CRL of one URL. `content`: the last good one; `problem`: what became of the last attempt, empty if good."""

    def __init__(
        self,
        source: CrlSource,
        metrics: Metrics,
        content: bytes | None = None,
        budget: CrlBudget | None = None,
        memory: TrustMemory = NOTHING_REMEMBERED,
    ) -> None:
        """`content`: what another source had from the same URL; taken if this one accepts it.

        `budget`: which the source shares with others. `memory`: of what was in force before this process began.
        """
        self._remembered = memory.crls
        self.source = source
        self._budget = budget or CrlBudget()
        self.content: bytes | None = None
        self.problem = ""
        self._metrics = metrics
        self._known: Downloaded | None = None
        self._good: tuple[CrlKey, Crl] | None = None
        self._failures = 0
        if content is not None:
            with suppress(CrlError):
                self._good = source.verified(content)
                self.content = content
        self._budget.begin(source, len(self.content or b""))

    def attempt(self) -> None:
        """Fetch once. Never raises; what failed is in `problem`, the log and the metric."""
        try:
            result = self._fetched()
        except DownloadError as error:
            self._failed(FetchResult.FAILED, str(error))
        except CrlError as error:
            self._failed(FetchResult.REFUSED, str(error))
        except Exception as error:
            _LOGGER.exception("fetching a CRL failed")
            self._failed(FetchResult.FAILED, repr(error))
        else:
            if result is FetchResult.OLDER:
                self._failed(result, "it is older than the last good one")
                return
            self._failures, self.problem = 0, ""
            self._metrics.crl_fetches[result].inc()
        finally:
            self._budget.settle(self.source, len(self.content or b""))

    def end(self) -> None:
        """Nothing is fetched any more."""
        self._budget.end(self.source)

    def due_seconds(self, now: float) -> float:
        """Seconds from `now` (epoch) after which to try again."""
        if self._failures or self._good is None:
            return retry_seconds(max(self._failures, 1))
        return refresh_seconds(self._good[1].next_update, now, named=self.source.named)

    @property
    def notice(self) -> str:
        """What an operator should know, in words; empty if all is well."""
        if self.content is None:
            return f"the CRL {self.source.url.text} has never been fetched: {self.problem or 'not tried yet'}"
        return f"the CRL {self.source.url.text}: last good kept: {self.problem}" if self.problem else ""

    def _fetched(self) -> FetchResult:
        source = self.source
        has_room = partial(self._budget.take, source)
        received = download(source.url, self._known, allow_private=source.allow_private, has_room=has_room)
        if received is None or received.content == self.content:
            return FetchResult.UNCHANGED
        key, crl = source.verified(received.content)
        remembered = self._remembered.get(key)
        if remembered is not None and crl.age.older_than(remembered):
            return FetchResult.OLDER
        if self._good is not None:
            if key != self._good[0]:
                raise CrlError("it is of another CA than the last good one; name one URL for each CA")
            if crl.takes_back(self._good[1]):
                return FetchResult.OLDER
        self._known, self._good, self.content = received, (key, crl), received.content
        facts = {"url": source.url.text, "number": crl.number, "serials": len(crl.serials)}
        _LOGGER.info("CRL fetched", extra={"facts": facts})
        return FetchResult.NEW

    def _failed(self, result: FetchResult, problem: str) -> None:
        self._failures += 1
        self.problem = problem
        self._metrics.crl_fetches[result].inc()
        message = "CRL not fetched, there is none" if self.content is None else "CRL not fetched, last good kept"
        _LOGGER.warning(message, extra={"facts": {"url": self.source.url.text, "problem": problem}})


class _Running:
    """A fetch and its thread. `wanted`: monotonic time at which it was last asked for."""

    def __init__(self, fetch: CrlFetch, jitter: Callable[[], float]) -> None:
        self.fetch = fetch
        self.wanted = monotonic()
        self.wake = Event()
        self.stop = Event()
        self.attempted = Event()
        self._jitter = jitter
        Thread(target=self._run, name="crl-fetch", daemon=True).start()

    def end(self) -> None:
        self.fetch.end()
        self.stop.set()
        self.wake.set()

    def _run(self) -> None:
        while not self.stop.is_set():
            self.fetch.attempt()
            self.attempted.set()
            # Many processes that began at one moment do not ask at one moment again.
            self.wake.wait(self.fetch.due_seconds(time()) * (0.5 + self._jitter() / 2))
            self.wake.clear()


class CrlFetches:
    """Every URL of one process: the `FetchedCrls` of a service.

    `jitter`: a number from 0 to 1, drawn for each wait. `memory`: of what was in force before this process began.
    """

    def __init__(
        self, metrics: Metrics, jitter: Callable[[], float] = JITTER, memory: TrustMemory = NOTHING_REMEMBERED
    ) -> None:
        self._metrics = metrics
        self._memory = memory
        self._jitter = jitter
        self._lock = Lock()
        self._budget = CrlBudget()
        self._running: dict[CrlSource, _Running] = {}
        # Those of the policy in force: the next one, which may name the same URLs under other CAs, needs room beside.
        self._kept: frozenset[CrlSource] = frozenset()
        self._beyond: frozenset[CrlSource] = frozenset()
        self._unfetched: dict[str, None] = {}
        self._named: dict[FetchUrl, float] = {}

    def latest(self, source: CrlSource) -> bytes | None:
        """The last good CRL, at once. What is asked for the first time is fetched from now on."""
        with self._lock:
            running = self._running.get(source)
            if running is None:
                if source in self._beyond or not self._has_room():
                    self._note_unfetched(source.url)
                    return None
                fetch = CrlFetch(source, self._metrics, self._sibling(source), self._budget, self._memory)
                running = _Running(fetch, self._jitter)
                self._running[source] = running
                self._unfetched.pop(source.url.text, None)
            running.wanted = monotonic()
            return running.fetch.content

    def keep(self, sources: Collection[CrlSource]) -> None:
        """End the fetching of all others, and of what is beyond the bounds."""
        with self._lock:
            of_policy = [source for source in sources if not source.named]
            of_leaves = [source for source in sources if source.named]
            self._kept = frozenset((*of_policy[:MAX_FETCHED_CRLS], *of_leaves[:MAX_NAMED_CRLS]))
            self._beyond = frozenset(sources) - self._kept
            for source in [known for known in self._running if known not in self._kept]:
                self._running.pop(source).end()
            wanted = {source.url.text for source in sources if source not in self._running}
            self._unfetched = {url: None for url in self._unfetched if url in wanted}
            for source in self._beyond:
                self._note_unfetched(source.url)

    def note(self, url: FetchUrl) -> None:
        """A leaf names a CRL that may be fetched. Whoever watches the policy sees it, and has it read again."""
        if url in self._named:
            return
        with self._lock:
            if not self._has_place(url):
                fetched = {source.url for source in self._running}
                # Not those that the next reading will fetch: the policy would never lie still.
                before = monotonic() - UNUSED_CRL_SECONDS
                unused = next((of for of, since in self._named.items() if since < before and of not in fetched), None)
                if unused is None:
                    self._note_unfetched(url)
                    return
                self._named.pop(unused)
            self._named[url] = monotonic()

    def named(self) -> tuple[FetchUrl, ...]:
        """The CRLs that leaves have named, as they were noted."""
        with self._lock:
            return tuple(self._named)

    def wait_for_first(self, seconds: float) -> bool:
        """Wait until each was attempted once, at most `seconds`; whether any was good."""
        ends = monotonic() + seconds
        with self._lock:
            running = tuple(self._running.values())
        for one in running:
            one.attempted.wait(max(0.0, ends - monotonic()))
        return any(one.fetch.content is not None for one in running)

    def refresh(self) -> None:
        """Fetch all again now."""
        with self._lock:
            for running in self._running.values():
                running.wake.set()

    def notices(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        with self._lock:
            found = [running.fetch.notice for running in self._running.values()]
            beyond = [f"the CRL {url} is not fetched: there are too many" for url in self._unfetched]
        return tuple(notice for notice in [*found, *beyond] if notice)

    def stop(self) -> None:
        """End all; a fetch that is under way is not waited for."""
        self.keep(())

    def _has_room(self) -> bool:
        """Whether one more may be fetched that is not of the policy in force. The lock is held."""
        new = [source for source in self._running if source not in self._kept]
        if len(new) < MAX_FETCHED_CRLS + MAX_NAMED_CRLS:
            return True
        before = monotonic() - UNWANTED_CRL_SECONDS
        unwanted = [source for source in new if self._running[source].wanted < before]
        for source in unwanted:
            self._running.pop(source).end()
        return bool(unwanted)

    def _has_place(self, url: FetchUrl) -> bool:
        """Whether the host of `url` may have one more that leaves name: no more than are left to others."""
        of_host = sum(named.origin == url.origin for named in self._named)
        return of_host < MAX_NAMED_CRLS - len(self._named)

    def _note_unfetched(self, url: FetchUrl) -> None:
        """Tell of it, as far as there is room: leaves may name any number. The lock is held."""
        if len(self._unfetched) < MAX_SHOWN_UNFETCHED:
            self._unfetched[url.text] = None

    def _sibling(self, source: CrlSource) -> bytes | None:
        """What is known of the same URL under other CAs of its entry: a changed policy need not wait for it."""
        contents = (known.fetch.content for of, known in self._running.items() if of.url == source.url)
        return next((content for content in contents if content is not None), None)
