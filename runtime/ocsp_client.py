"""OCSP answers about the callers of one process, asked for off the way of any request.

Laws: what was good stays until its time is over or something newer is known; nothing older takes its place, and nothing
undoes a final revocation. What changes is told at once to whoever judged by it. A certificate is asked about while its
caller comes; a responder that hangs delays only its own answers.
"""

from collections.abc import Callable
from math import inf
from secrets import token_bytes
from threading import Lock
from time import monotonic, time

from policies.peer.errors import OcspError
from policies.peer.limits import OCSP_NONCE_BYTES
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.peer.ocsp_answers import FirstAnswer
from policies.peer.ocsp_response import answer_from_response
from runtime.complaint import Complaint
from runtime.errors import DownloadError
from runtime.jitter import JITTER
from runtime.limits import (
    MAX_OCSP_ASKED,
    MAX_OCSP_RESPONDERS,
    MAX_OCSP_RETRY_SECONDS,
    MAX_REFRESH_SECONDS,
    MIN_OCSP_REFRESH_SECONDS,
    OCSP_IDLE_SECONDS,
    OCSP_RELEASE_SECONDS,
    RETRY_SECONDS,
)
from runtime.metrics import Metrics, OcspResult
from runtime.ocsp_exchange import response_from_responder
from runtime.ocsp_responder import Asked, Responder
from runtime.ocsp_revoked import RevokedAnswers, same_certificate
from runtime.ocsp_status import OcspReport
from runtime.service_log import service_logger

_LOGGER = service_logger("ocsp")
#: The origin under which all responders are kept that there is no room for.
_BEYOND = ("", "", 0)


class OcspClient:
    """The `OcspAnswers` of a service. `jitter`: a number from 0 to 1, drawn for each wait."""

    def __init__(self, metrics: Metrics, jitter: Callable[[], float] = JITTER) -> None:
        self._metrics = metrics
        self._jitter = jitter
        self._lock = Lock()
        self._asked: dict[OcspQuestion, Asked] = {}
        self._responders: dict[tuple[str, str, int], Responder] = {}
        self._revoked = RevokedAnswers(MAX_OCSP_ASKED)
        self._listeners: list[Callable[[OcspQuestion], None]] = []
        self._next_release = 0.0
        self._crowded = Complaint()
        self._complaint = Complaint()

    def on_change(self, listener: Callable[[OcspQuestion], None]) -> None:
        """Call `listener`, in any thread, when what was known of a question may not be the last word any more."""
        self._listeners.append(listener)

    def latest(self, question: OcspQuestion) -> OcspAnswer | None:
        """As `OcspAnswers.latest`."""
        dropped = None
        with self._lock:
            asked = self._asked.pop(question, None)
            if asked is None:
                dropped = self._make_room()
                asked = Asked(question, self._responder(question))
            elif not asked.queued:
                # It may have been let go.
                asked.responder = self._responder(question)
            self._asked[question] = asked
            asked.seen = monotonic()
            self._heed(asked)
            answer = asked.answer
            if not asked.queued:
                asked.first = None if _is_current(asked.answer, time()) else FirstAnswer()
                asked.responder.put(asked)
                # Last: it may have to be put again if the system has no thread for it.
                asked.queued = True
        if dropped is not None:
            self._tell(dropped)
        return answer

    def awaited(self, question: OcspQuestion) -> FirstAnswer | None:
        """As `OcspAnswers.awaited`. Nobody waits for a responder that could not be reached lately."""
        asked = self._asked.get(question)
        if asked is None or asked.first is None or asked.first.done() or asked.responder.is_down:
            return None
        return asked.first

    def refresh(self) -> None:
        """Ask about all again now."""
        with self._lock:
            responders = tuple(self._responders.values())
        for responder in responders:
            responder.hurry()

    def report(self) -> OcspReport:
        """How it stands with the answers, and what is wrong."""
        with self._lock:
            everything, responders = tuple(self._asked.values()), tuple(self._responders.values())
        now = time()
        kept = [asked for asked in everything if asked.queued]
        stale = sum(not _is_current(asked.answer, now) for asked in kept)
        problems = {asked.responder.name: asked.problem for asked in kept if asked.problem}
        notices = [
            f"the OCSP responder {one.name} cannot be reached: {one.problem}" for one in responders if one.is_down
        ]
        notices += [f"the OCSP responder {name}: {problem}" for name, problem in problems.items()]
        if stale:
            notices.append(f"{stale} of {len(kept)} certificates that are asked about by OCSP have no current answer")
        return OcspReport(len(kept), stale, tuple(notices))

    def stop(self) -> None:
        """End all; a request that is under way is not waited for."""
        with self._lock:
            responders = tuple(self._responders.values())
        for responder in responders:
            responder.stop()

    def _attempt(self, asked: Asked) -> float | None:
        """As `Responder` has it."""
        if self._is_idle(asked):
            self._tell(asked.question)
            return None
        try:
            return self._seconds_to_next(asked, self._answered(asked))
        except OcspError as error:
            return self._useless(asked, OcspResult.REFUSED, str(error))
        except DownloadError:
            self._metrics.ocsp_requests[OcspResult.FAILED].inc()
            raise
        except Exception as error:
            _LOGGER.exception("asking an OCSP responder failed")
            return self._useless(asked, OcspResult.FAILED, repr(error))

    def _answered(self, asked: Asked) -> OcspAnswer | None:
        """The answer to a new request, kept; None for one that is older than what is known. Raises as `_attempt`."""
        question = asked.question
        nonce = token_bytes(OCSP_NONCE_BYTES) if question.source.nonce else None
        answer = answer_from_response(response_from_responder(question, nonce), question, nonce, time())
        with self._lock:
            # Another responder may have said in the meantime that it is revoked.
            self._heed(asked)
            known = asked.answer
            if known is not None and not answer.replaces(known):
                return None
            asked.answer, asked.problem = answer, ""
        self._metrics.ocsp_requests[OcspResult(answer.status)].inc()
        self._note_revoked(question, answer, known)
        self._tell(question)
        return answer

    def _seconds_to_next(self, asked: Asked, answer: OcspAnswer | None) -> float:
        if answer is None:
            return self._useless(asked, OcspResult.OLDER, "its answer is older than, or contradicts, the one before")
        if answer.final:
            return inf
        if answer.status is OcspStatus.UNKNOWN:
            asked.failures += 1
            return self._retry(asked)
        asked.failures = 0
        seconds = min(max((answer.valid_until - time()) / 2, MIN_OCSP_REFRESH_SECONDS), MAX_REFRESH_SECONDS)
        return seconds * (0.5 + self._jitter() / 2)

    def _useless(self, asked: Asked, result: OcspResult, problem: str) -> float:
        asked.failures += 1
        asked.problem = problem
        self._metrics.ocsp_requests[result].inc()
        if times := self._complaint.due():
            facts = {"url": asked.question.source.url.text, "problem": problem, "times": times}
            _LOGGER.warning("OCSP answer not used", extra={"facts": facts})
        return self._retry(asked)

    def _retry(self, asked: Asked) -> float:
        return min(RETRY_SECONDS * 2.0 ** min(asked.failures - 1, 16), MAX_OCSP_RETRY_SECONDS)

    def _is_idle(self, asked: Asked) -> bool:
        """Whether nobody came for long; then it is asked about when somebody does."""
        with self._lock:
            if asked.gone or monotonic() - asked.seen > OCSP_IDLE_SECONDS:
                asked.queued = False
                return True
            return False

    def _responder(self, question: OcspQuestion) -> Responder:
        """Its own, or, where there are too many, one that it shares: who is never asked about is never revoked."""
        origin = question.source.url.origin
        if origin not in self._responders:
            self._release_idle()
        if origin not in self._responders and len(self._responders) >= MAX_OCSP_RESPONDERS:
            if self._crowded.due():
                facts = {"url": question.source.url.text, "responders": MAX_OCSP_RESPONDERS}
                _LOGGER.warning("OCSP responder shares a queue, there are too many", extra={"facts": facts})
            origin = _BEYOND
        responder = self._responders.get(origin)
        if responder is None:
            scheme, host, port = origin
            name = f"{scheme}://{host}:{port}" if host else f"beyond the first {MAX_OCSP_RESPONDERS}"
            responder = self._responders[origin] = Responder(name, self._attempt)
        return responder

    def _release_idle(self) -> None:
        """Let go of the responders that nobody will be asked about again, if there are too many. The lock is held."""
        now = monotonic()
        if len(self._responders) < MAX_OCSP_RESPONDERS or now < self._next_release:
            return
        self._next_release = now + OCSP_RELEASE_SECONDS
        busy = {asked.responder for asked in self._asked.values() if asked.queued and not _is_final(asked.answer)}
        for origin, responder in tuple(self._responders.items()):
            if responder not in busy:
                del self._responders[origin]
                responder.stop()

    def _make_room(self) -> OcspQuestion | None:
        """Forget what was not looked for the longest, if there is too much. What is revoked is remembered apart."""
        if len(self._asked) < MAX_OCSP_ASKED:
            return None
        oldest = next(iter(self._asked))
        self._asked.pop(oldest).gone = True
        return oldest

    def _heed(self, asked: Asked) -> None:
        """What any responder has said of a revocation counts for whoever is asked. The lock is held."""
        revoked = self._revoked.get(asked.question)
        if revoked is not None and (asked.answer is None or not asked.answer.replaces(revoked)):
            asked.answer = revoked

    def _note_revoked(self, question: OcspQuestion, answer: OcspAnswer, known: OcspAnswer | None) -> None:
        """Remember who is revoked apart: a policy that names another responder changes nothing about that."""
        others: list[OcspQuestion] = []
        with self._lock:
            before = self._revoked.get(question)
            if answer.status is not OcspStatus.REVOKED:
                if before is not None and answer.replaces(before):
                    self._revoked.drop(question)
                return
            if before is None or answer.replaces(before):
                self._revoked.put(question, answer)
            others = [other for other in self._asked if other != question and same_certificate(other, question)]
        for other in others:
            self._tell(other)
        if known is None or known.status is not OcspStatus.REVOKED:
            facts = {"url": question.source.url.text, "serial": f"{question.serial:x}"}
            _LOGGER.warning("certificate revoked by OCSP", extra={"facts": facts})

    def _tell(self, question: OcspQuestion) -> None:
        for listener in self._listeners:
            try:
                listener(question)
            except Exception:
                _LOGGER.exception("telling about an OCSP answer failed")


def _is_final(answer: OcspAnswer | None) -> bool:
    return answer is not None and answer.final


def _is_current(answer: OcspAnswer | None, now: float) -> bool:
    """Whether nothing needs to be known beyond `answer`."""
    if answer is None or answer.status is OcspStatus.UNKNOWN:
        return False
    return answer.status is OcspStatus.REVOKED or answer.valid_from <= now <= answer.valid_until
