"""Everything that the demo runs, in one folder: an upstream, and what stands in front of it."""

import json
import re
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from peergate.demo.client import Answer, call, client_context, request_bytes
from peergate.demo.pki import DemoPki, demo_pki
from peergate.demo.service import ServiceError, ServiceProcess, Status
from peergate.demo.tour import Call
from peergate.demo.upstream import EchoUpstream
from policies.reason import Reason

#: Seconds for a decision record to reach the log.
RECORD_SECONDS = 5.0
_POLL_SECONDS = 0.02

#: The TLS alert that says what the reason says, in the words of OpenSSL.
_ALERTS = {Reason.CERTIFICATE_EXPIRED: "certificate expired", Reason.CERTIFICATE_UNTRUSTED: "unknown ca"}

_ALERT = re.compile(r" alert ([a-z ]+) \(")

_POLICY = Path(__file__).with_name("policy.yaml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: the answer to the caller, and what peergate recorded of it (None = it was not asked).

    `alert`: what the caller reads instead of an answer if the handshake failed.
    """

    call: Call
    answer: Answer | None
    record: dict[str, Any] | None
    alert: str = ""

    @property
    def is_as_expected(self) -> bool:
        """Whether record, answer, and what the upstream got, all say what the tour promises."""
        if self.answer is None:
            return self.alert != "" and self.alert == _ALERTS.get(self.call.reason)
        expected = (self.call.effect, self.call.reason, [self.call.rule] if self.call.rule else [])
        if self.record is None or expected != (self.record["effect"], self.record["reason"], self.record["rules"]):
            return False
        if self.answer.status != 200:
            return self.answer.status == 403 and self.answer.reason == self.call.reason
        forged = {value for _, value in self.call.headers}
        echoed = self.answer.echoed()
        return echoed.target == self.call.target and forged.isdisjoint(value for _, value in echoed.headers)


class Scene:
    """A context manager: everything runs inside, nothing is left running after it."""

    #: What is shown, for people.
    setting: ClassVar[str]
    #: Whether who can never be allowed is turned away in the handshake, before there is a request to judge.
    refuses_by_tls: ClassVar[bool]

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.pki: DemoPki = demo_pki(_made(folder / "policy" / "pki"))
        self.policy = folder / "policy" / "policy.yaml"
        self.policy.write_bytes(_POLICY.read_bytes())
        self._port = port
        self._running = ExitStack()
        self.address = ("127.0.0.1", port)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            upstream = starting.enter_context(EchoUpstream())
            self._service = self._start(starting, upstream.port)
            if problems := self.status()["problems"]:
                raise ServiceError(problems[0])
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def make(self, wanted: Call) -> Outcome:
        """Make a call and look up its record. Raises OSError if there is neither an answer nor a TLS alert."""
        credentials = self.pki.callers[wanted.caller] if wanted.caller else None
        context = client_context(self.pki.server_ca, credentials)
        headers = [("Host", wanted.host), *wanted.headers, ("Connection", "close")]
        request = request_bytes(
            wanted.method,
            wanted.target.encode("latin-1"),
            [(name, value.encode("latin-1")) for name, value in headers],
        )
        try:
            answer = call(self.address, context, request, sni=wanted.host)
        except ssl.SSLError as error:
            if not self.refuses_by_tls:
                raise
            return Outcome(wanted, None, None, alert_from_error(error))
        return Outcome(wanted, answer, self._record_of(answer))

    def status(self) -> Status:
        """What the service says of itself. Raises OSError."""
        return self._service.status()

    def change_policy(self, text: str) -> tuple[Status, float]:
        """Write the policy, wait until it was read: the status then, and the seconds it took. Raises ServiceError."""
        before = _state_of(self.status())
        began = time.monotonic()
        replacement = self.policy.with_name(".policy.yaml")
        replacement.write_text(text, encoding="utf-8")
        replacement.replace(self.policy)
        status = self._service.wait_for(lambda status: _state_of(status) != before)
        return status, time.monotonic() - began

    def _start(self, starting: ExitStack, upstream_port: int) -> ServiceProcess:
        """Start what stands in front of the upstream, and set `address`. Raises ServiceError."""
        raise NotImplementedError

    def _record_of(self, answer: Answer) -> dict[str, Any] | None:
        decision_id = answer.headers.get("x-peergate-decision-id", "")
        if answer.status == 200:
            decision_id = next(iter(answer.echoed().values("x-peergate-decision-id")), "")
        began = time.monotonic()
        while decision_id and time.monotonic() - began < RECORD_SECONDS:
            for line in self._service.records.read_bytes().splitlines():
                if decision_id.encode() in line and line.endswith(b"}"):
                    record: dict[str, Any] = json.loads(line)
                    return record
            time.sleep(_POLL_SECONDS)
        return None


def alert_from_error(error: ssl.SSLError) -> str:
    """The words of the alert that a handshake ended with, empty if it was none."""
    match = _ALERT.search(str(error))
    return match[1] if match else ""


def _state_of(status: Status) -> tuple[object, object]:
    return status["generation"], status["problems"]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    return folder
