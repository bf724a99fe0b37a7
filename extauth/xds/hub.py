"""All streams of one process, and what they are sent. Used by the threads of gRPC, of the policy, and of the look-out.

Law 9: whoever has a stream open is judged again every second by the policy in force, so a stream ends when its
certificate expires or is revoked, or when no rule allows it any more. What an Envoy has stays with it: it is its last
good configuration, and an Envoy that is cut off goes on refusing what it refused.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, RLock, Thread

from extauth.xds import limits
from extauth.xds.errors import StreamRefusedError
from extauth.xds.fleet import Fleet, Node
from extauth.xds.fleet_report import STATES, report_of_fleet, states_of_fleet
from extauth.xds.opening import Opening
from extauth.xds.resource_types import short
from extauth.xds.snapshot import Snapshot, Snapshots
from extauth.xds.stream import DeltaStream, Outgoing, StateOfTheWorldStream
from runtime.judge import Judge
from runtime.metrics import Metrics
from runtime.service_log import service_logger

_LOGGER = service_logger("xds")

AnyStream = StateOfTheWorldStream | DeltaStream
STREAMS: dict[str, type[StateOfTheWorldStream] | type[DeltaStream]] = {
    "StreamAggregatedResources": StateOfTheWorldStream,
    "DeltaAggregatedResources": DeltaStream,
}


class Session:
    """One open stream. `outbox`: what is to be sent; an exception ends the stream, None when the Envoy has ended it.

    `cut`: ends it without a word, for one that reads nothing.
    """

    __slots__ = ("cut", "opening", "outbox", "stream")

    def __init__(self, opening: Opening, stream: AnyStream, cut: Callable[[], None]) -> None:
        self.opening = opening
        self.stream = stream
        self.cut = cut
        self.outbox: SimpleQueue[Outgoing | StreamRefusedError | None] = SimpleQueue()


class Hub:
    """See the module."""

    def __init__(self, judge: Judge, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._judge = judge
        self._metrics = metrics
        self._clock = clock
        self._lock = RLock()
        self._fleet = Fleet()
        self._snapshots = Snapshots()
        self._snapshot_at = 0.0
        self._sessions: dict[Session, None] = {}
        self._leaving: dict[Session, float] = {}
        self._of_node: defaultdict[int, list[Session]] = defaultdict(list)
        self._problem = ""
        self._ending = Event()
        self._thread = Thread(target=self._look_out, name="xds-look", daemon=True)

    def start(self) -> None:
        """Look after the streams from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End every stream, and the looking."""
        self._ending.set()
        with self._lock:
            for session in tuple(self._sessions):
                self._end(session, StreamRefusedError("UNAVAILABLE", "the server ends; connect to another one"))
        if self._thread.is_alive():
            self._thread.join()

    def open(self, opening: Opening, cut: Callable[[], None]) -> Session:
        """Judge a stream that is about to begin. Raises StreamRefusedError."""
        policy = self._judge.policy
        now = self._clock()
        judgement = self._judge.decide(policy, opening.request(policy, now))
        if not judgement.permitted:
            raise StreamRefusedError("PERMISSION_DENIED", denial(judgement.decision.reason, judgement.decision_id))
        with self._lock:
            if len(self._sessions) >= limits.MAX_STREAMS or self._ending.is_set():
                raise StreamRefusedError("RESOURCE_EXHAUSTED", f"{len(self._sessions)} streams are open")
            kind = STREAMS[opening.method]
            stream = kind(opening.caller, str(opening.source_ip), self._fleet, self._snapshots, now)
            session = Session(opening, stream, cut)
            self._sessions[session] = None
        return session

    def received(self, session: Session, message: bytes) -> None:
        """Take in a request of an open stream."""
        with self._lock:
            if session not in self._sessions:
                return
            known = session.stream.node
            with self._ended_by_faults(session):
                self._send(session, session.stream.received(message, self._clock()))
                if known is None and session.stream.node is not None:
                    self._make_room(session, session.stream.node)

    def close(self, session: Session) -> None:
        """The Envoy has ended the stream, its connection is gone, or it has been told of the end."""
        with self._lock:
            self._end(session, None)
            self._leaving.pop(session, None)

    def publish(self, snapshot: Snapshot) -> None:
        """Send the fleet what it is to have from now on."""
        with self._lock:
            self._problem = ""
            if not self._snapshots.put(snapshot):
                return
            now = self._snapshot_at = self._clock()
            for session in tuple(self._sessions):
                with self._ended_by_faults(session):
                    self._send(session, session.stream.due(now))
        facts = {"generation": snapshot.generation, "bytes": snapshot.size}
        _LOGGER.info("a new snapshot is sent to the fleet", extra={"facts": facts})

    def report_problem(self, problem: str) -> None:
        """The policy in force cannot be delivered; the fleet keeps what it has."""
        with self._lock:
            self._problem = problem

    def json(self) -> dict[str, object]:
        """The body of `/fleet`."""
        with self._lock:
            return report_of_fleet(self._fleet, self._snapshots, self._snapshot_at, self._problem, self._clock())

    @property
    def notices(self) -> tuple[str, ...]:
        """What an operator should know."""
        return (f"the policy is not sent to the fleet: {self._problem}",) if self._problem else ()

    def look(self) -> None:
        """End the streams that are not allowed any more, and those that are silent where they had to speak."""
        with self._lock:
            sessions = tuple(self._sessions)
        for session in sessions:
            policy, now = self._judge.policy, self._clock()
            with self._ended_by_faults(session):
                if not self._judge.would_permit(policy, session.opening.request(policy, now)):
                    # Once more, for the record.
                    judgement = self._judge.decide(policy, session.opening.request(policy, now))
                    if not judgement.permitted:
                        text = denial(judgement.decision.reason, judgement.decision_id)
                        raise StreamRefusedError("PERMISSION_DENIED", text)
                with self._lock:
                    session.stream.check_deadlines(now)
                    self._send(session, session.stream.due(now))
        self._cut_silent()

    @contextmanager
    def _ended_by_faults(self, session: Session) -> Iterator[None]:
        """Whatever is raised inside, a fault of our own, too, ends this stream and holds up no other."""
        try:
            yield
        except StreamRefusedError as error:
            with self._lock:
                self._end(session, error)
        except Exception:
            _LOGGER.exception("a stream could not be served, and ends")
            with self._lock:
                self._end(session, StreamRefusedError("INTERNAL", "peergate failed on this stream"))

    def _cut_silent(self) -> None:
        """Cut the streams that were ended and do not read that they were."""
        now = self._clock()
        with self._lock:
            overdue = [session for session, at in self._leaving.items() if now - at > limits.LEAVE_SECONDS]
            for session in overdue:
                del self._leaving[session]
        for session in overdue:
            session.cut()

    def count(self) -> None:
        """Bring the gauge of Envoys up to date."""
        with self._lock:
            states = states_of_fleet(self._fleet, self._snapshots)
        for state in STATES:
            self._metrics.xds_envoys.labels(state).set(states[state])

    def _look_out(self) -> None:
        while not self._ending.wait(limits.LOOK_SECONDS):
            try:
                self.look()
                self.count()
            except Exception:
                _LOGGER.exception("looking after the streams failed, going on")

    def _send(self, session: Session, messages: list[Outgoing]) -> None:
        for message in messages:
            session.outbox.put(message)
            self._metrics.xds_pushes.inc()
        for refusal in session.stream.refusals():
            self._metrics.xds_refusals.inc()
            node = session.stream.node
            facts = {"node": "" if node is None else node.key.name, "caller": session.opening.caller}
            facts |= {"type": short(refusal.type_url), "version": refusal.version, "error": refusal.error}
            _LOGGER.warning("an Envoy refused what it was sent", extra={"facts": facts})

    def _make_room(self, session: Session, node: Node) -> None:
        """An Envoy that connects again, and again, has the oldest of its streams ended."""
        sessions = self._of_node[id(node)]
        sessions.append(session)
        if len(sessions) > limits.MAX_NODE_STREAMS:
            self._end(sessions[0], StreamRefusedError("ABORTED", "the same Envoy has opened more streams"))

    def _end(self, session: Session, reason: StreamRefusedError | None) -> None:
        if session not in self._sessions:
            return
        del self._sessions[session]
        node = session.stream.node
        if node is not None:
            sessions = self._of_node[id(node)]
            if session in sessions:
                sessions.remove(session)
            if not sessions:
                del self._of_node[id(node)]
        session.stream.ended()
        session.outbox.put(reason)
        if reason is not None:
            self._leaving[session] = self._clock()
            facts = {"caller": session.opening.caller, "status": reason.code, "reason": str(reason)}
            _LOGGER.info("a stream was ended", extra={"facts": facts})


def denial(reason: str, decision_id: str) -> str:
    """What a denied Envoy is told, and logs: the reason and where to look, and nothing of the policy."""
    return f"denied: {reason} (decision {decision_id})"
