"""Everything that the demo runs, in one folder: an upstream, and what stands in front of it."""

import json
import math
import re
import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from peergate.demo.client import Answer, call, client_context, request_bytes
from peergate.demo.pki import DemoPki, demo_pki
from peergate.demo.service import ServiceError, ServiceProcess, Status
from peergate.demo.tour import Call
from peergate.demo.upstream import EchoUpstream
from policies.engine.record import Enforcement
from policies.reason import Reason
from runtime.errors import ConfigurationError

#: Seconds for a decision record to reach the log, and for a new generation to decide.
RECORD_SECONDS = 5.0
CHANGE_SECONDS = 10.0
_POLL_SECONDS = 0.02

#: The TLS alert that says what the reason says, in the words of OpenSSL.
_ALERTS = {Reason.CERTIFICATE_EXPIRED: "certificate expired", Reason.CERTIFICATE_UNTRUSTED: "unknown ca"}

_ALERT = re.compile(r" alert ([a-z ]+) \(")

_POLICY = Path(__file__).with_name("policy.yaml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: the answer to the caller, and what peergate recorded of it (None = it was not asked).

    `alert`: what the caller reads instead of an answer if the handshake failed. `enforcement`: where it should be
    decided, None = wherever.
    """

    call: Call
    answer: Answer | None
    record: dict[str, Any] | None
    alert: str = ""
    enforcement: Enforcement | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether record, answer, and what the upstream got, all say what the tour promises."""
        if self.answer is None:
            return self.alert != "" and self.alert == _ALERTS.get(self.call.reason)
        expected = (self.call.effect, self.call.reason, [self.call.rule] if self.call.rule else [])
        if self.record is None or expected != (self.record["effect"], self.record["reason"], self.record["rules"]):
            return False
        if self.enforcement is not None and self.enforcement != self.record["enforcement"]:
            return False
        if self.answer.status != 200:
            return self.answer.status == 403 and self.answer.reason == self.call.reason
        forged = {value for _, value in self.call.headers}
        echoed = self.answer.echoed()
        return echoed.target == self.call.target and forged.isdisjoint(value for _, value in echoed.headers)


class Scene:
    """A context manager: everything runs inside, nothing is left running after it."""

    service: ClassVar[type[ServiceProcess]]

    def __init__(self, folder: Path, port: int, *flags: str) -> None:
        """`flags`: what the command is given beside the listener, its certificate and the upstream."""
        self.folder = folder
        self.pki: DemoPki = demo_pki(_made(folder / "policy" / "pki"))
        self.policy = folder / "policy" / "policy.yaml"
        self.policy.write_bytes(_POLICY.read_bytes())
        self._more = flags
        self._running = ExitStack()
        self.address = ("127.0.0.1", port)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            upstream = starting.enter_context(EchoUpstream())
            self.address = _free(self.address)
            self._flags = self._flags_for(upstream.port)
            served = self.service.serve(self.policy.parent, self.folder, *self._flags)
            self._service = starting.enter_context(served)
            if problems := self.status()["problems"]:
                raise ServiceError(problems[0])
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def command(self) -> tuple[str, ...]:
        """What serves, as it is typed in the folder of the demo."""
        words = ("peergate", *self.service.command, str(self.policy.parent), *self._flags)
        return tuple(word.removeprefix(f"{self.folder}/") for word in words)

    def enforcement_of(self, wanted: Call) -> Enforcement | None:
        """Where a call should be decided, None = this scene has only one place."""
        raise NotImplementedError

    def make(self, wanted: Call) -> Outcome:
        """Make a call and look up its record. Raises OSError if there is neither an answer nor a TLS alert."""
        return self._recorded(self._answered(wanted))

    def make_all(self, calls: Iterable[Call]) -> list[Outcome]:
        """Make calls one after the other, then look up their records: these come later than the answers."""
        answered = [self._answered(call) for call in calls]
        return [self._recorded(outcome) for outcome in answered]

    def make_under(self, generation: str, wanted: Call) -> tuple[Outcome, float]:
        """Make a call until `generation` decides it where it should.

        What came of it, and `time.monotonic()` at the first answer by `generation`: Envoy asks about what has changed
        until it has the policy itself. Raises ServiceError if `generation` does not decide.
        """
        began, outcome, first = time.monotonic(), None, math.inf
        while time.monotonic() - began < CHANGE_SECONDS:
            answered, moment = self._answered(wanted), time.monotonic()
            found = self._recorded(answered)
            if found.record is None or found.record["generation"] != generation:
                continue
            outcome, first = found, min(first, moment)
            if found.enforcement in {None, found.record["enforcement"]}:
                break
        if outcome is None:
            raise ServiceError(f"generation {generation} decides nothing after {CHANGE_SECONDS:g} s")
        return outcome, first

    def _answered(self, wanted: Call) -> Outcome:
        credentials = self.pki.callers[wanted.caller] if wanted.caller else None
        context = client_context(self.pki.server_ca, credentials)
        headers = [("Host", wanted.host), *wanted.headers, ("Connection", "close")]
        request = request_bytes(
            wanted.method,
            wanted.target.encode("latin-1"),
            [(name, value.encode("latin-1")) for name, value in headers],
        )
        enforcement = self.enforcement_of(wanted)
        try:
            answer = call(self.address, context, request, sni=wanted.host)
        except ssl.SSLError as error:
            return Outcome(wanted, None, None, alert_from_error(error), enforcement)
        return Outcome(wanted, answer, None, enforcement=enforcement)

    def status(self) -> Status:
        """What the service says of itself. Raises OSError."""
        return self._service.status()

    def change_policy(self, text: str) -> Status:
        """Write the policy, and wait until it was read: the status then. Raises ServiceError."""
        before = _state_of(self.status())
        replacement = self.policy.with_name(".policy.yaml")
        replacement.write_text(text, encoding="utf-8")
        replacement.replace(self.policy)
        return self._service.wait_for(lambda status: _state_of(status) != before)

    def _flags_for(self, upstream_port: int) -> tuple[str, ...]:
        host, port = self.address
        return (
            *("--listen", f"{host}:{port}"),
            *("--cert", str(self.pki.server.chain), "--key", str(self.pki.server.key)),
            *("--upstream", f"http://127.0.0.1:{upstream_port}"),
            *self._more,
        )

    def _recorded(self, outcome: Outcome) -> Outcome:
        return outcome if outcome.answer is None else replace(outcome, record=self._record_of(outcome.answer))

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


def _free(address: tuple[str, int]) -> tuple[str, int]:
    """The address with a port that nobody has. Raises ConfigurationError."""
    try:
        with socket.create_server(address) as probe:
            host, port = probe.getsockname()
            return str(host), int(port)
    except OSError as error:
        raise ConfigurationError(f"{address[0]}:{address[1]}: {error.strerror}") from error


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    return folder
