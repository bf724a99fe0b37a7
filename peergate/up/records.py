"""The decisions of Envoy, followed in its access log as they are written: counted, and handed to the decision log."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO

from extauth.native.handshakes import is_of_handshake
from extauth.native.records import NativeDecision, native_decision_from_line
from extauth.native.shadow import has_shadow_rules
from peergate.up.handshakes import Handshakes
from peergate.up.second_look import SecondLook, Seen
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from runtime.complaint import Complaint
from runtime.decision_log import Entry
from runtime.metrics import LossCause, NativeShadow
from runtime.service import Serving
from runtime.service_log import service_logger
from runtime.trace import trace_id_from_traceparent

_LOGGER = service_logger("envoy")
#: Seconds between two looks.
LOOK_SECONDS = 0.1
#: Bytes read at once, bytes after which the file is begun anew, and bytes behind which lines are lost, and counted.
READ_BYTES = 1024 * 1024
FILE_BYTES = 64 * 1024 * 1024
BACKLOG_BYTES = 256 * 1024 * 1024


class NativeRecords:
    """Reads the access log of one Envoy in a thread."""

    def __init__(self, path: Path, serving: Serving, handshakes: Handshakes, reopen: Callable[[], None]) -> None:
        """`handshakes`: told of the lines about connections. `reopen` has Envoy open the file anew.

        Raises OSError if the file cannot be made.
        """
        self._path = path
        self._serving = serving
        self._handshakes = handshakes
        self._reopen = reopen
        self._count = serving.metrics.decisions(Enforcement.NATIVE).count
        self._look = SecondLook(serving.metrics, serving.following)
        self._rest = b""
        self._complaint, self._look_complaint = Complaint(), Complaint()
        self._stopping = Event()
        path.touch(0o600)
        self._file: BinaryIO = path.open("rb")
        self._thread = Thread(target=self._follow, name="native-records", daemon=True)

    def start(self) -> None:
        """Follow."""
        self._thread.start()

    def know(self, policy: PolicySet) -> None:
        """Decisions of this generation may come, and those of the last few before it."""
        self._look.know(policy)

    def stop(self) -> None:
        """Read what is there and end; Envoy must have ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._read()
        self._file.close()

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self._read()
                self._handshakes.count_done()
                if self._file.tell() > FILE_BYTES:
                    self._begin_anew()
            except Exception:
                _LOGGER.exception("the access log of Envoy could not be read")

    def _begin_anew(self) -> None:
        """What Envoy still writes to the old file is read before the new one."""
        self._path.unlink()
        self._path.touch(0o600)
        self._reopen()
        self._stopping.wait(LOOK_SECONDS * 10)
        self._read()
        self._file.close()
        self._file = self._path.open("rb")

    def _read(self) -> None:
        self._skip_backlog()
        while chunk := self._file.read(READ_BYTES):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)

    def _skip_backlog(self) -> None:
        """Whoever writes faster than this reads, for long, loses records; how many is counted."""
        if os.fstat(self._file.fileno()).st_size - self._file.tell() <= BACKLOG_BYTES:
            return
        lost = 0
        while chunk := self._file.read(READ_BYTES):
            lost += chunk.count(b"\n")
        self._rest = b""
        self._serving.metrics.records_lost[LossCause.QUEUE_FULL].inc(lost)

    def _take(self, line: bytes) -> None:
        try:
            if is_of_handshake(line):
                self._handshakes.take(line)
                return
            found = native_decision_from_line(line, self._look.trust)
        except (ValueError, KeyError) as error:
            if self._complaint.due():
                facts = {"error": str(error), "line": repr(line[:200])}
                _LOGGER.warning("a line of the access log of Envoy cannot be read", extra={"facts": facts})
            self._serving.metrics.records_lost[LossCause.UNWRITABLE].inc()
            return
        policy = self._look.policy(found.decision.generation)
        seen = self._shadowed(found, self._seen(found), policy)
        self._count(found.decision.reason, 0.0)
        if self._serving.log is not None:
            self._serving.log.append(
                Entry(
                    seen.decision,
                    seen.request,
                    found.decision_id,
                    Enforcement.NATIVE,
                    found.time,
                    0.0,
                    policy,
                    trace_id_from_traceparent((found.trace_parent,)) if found.trace_parent else None,
                    seen.following,
                )
            )

    def _seen(self, found: NativeDecision) -> Seen:
        try:
            return self._look.seen(found)
        except Exception:
            if self._look_complaint.due():
                _LOGGER.exception("a decision of Envoy is recorded as Envoy told it, looking at it again failed")
            return Seen(found.decision, found.request, whole=False)

    def _shadowed(self, found: NativeDecision, seen: Seen, policy: PolicySet | None) -> Seen:
        """What was seen, its shadow counted; with a word that the shadow rules were not evaluated, where that is so."""
        if policy is None or not has_shadow_rules(policy):
            return seen
        decision = seen.decision
        result = NativeShadow.SAME if decision.shadow is None else NativeShadow.DIFFERS
        if not (seen.whole or found.shadow_evaluated):
            result = NativeShadow.NOT_EVALUATED
            decision = replace(decision, problems=(*decision.problems, "shadow rules were not evaluated inside Envoy"))
        self._serving.metrics.native_shadow[result].inc()
        return seen._replace(decision=decision)
