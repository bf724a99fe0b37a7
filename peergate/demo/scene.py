"""Everything that the demo runs: an upstream, `peergate extauth serve`, and an Envoy in front, in one folder."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from peergate.demo.client import Answer, call, client_context, request_bytes
from peergate.demo.pki import DemoPki, demo_pki
from peergate.demo.service import ExtauthProcess, ServiceError, Status
from peergate.demo.tour import Call
from peergate.demo.upstream import EchoUpstream
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls

#: Seconds for a decision record to reach the log.
RECORD_SECONDS = 5.0
_POLL_SECONDS = 0.02
#: Seconds that Envoy waits for peergate: more than in production, as laptops are busy.
_AUTHORIZATION_SECONDS = 2.0

_POLICY = Path(__file__).with_name("policy.yaml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: the answer to the caller, and what peergate recorded of it (None = it was not asked)."""

    call: Call
    answer: Answer
    record: dict[str, Any] | None

    @property
    def is_as_expected(self) -> bool:
        """Whether record, answer, and what the upstream got, all say what the tour promises."""
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

    def __init__(self, folder: Path, envoy: Path, port: int) -> None:
        self.folder = folder
        self.pki: DemoPki = demo_pki(_made(folder / "policy" / "pki"))
        self.policy = folder / "policy" / "policy.yaml"
        self.policy.write_bytes(_POLICY.read_bytes())
        self._envoy_binary = envoy
        self._port = port
        self._running = ExitStack()
        self.address = ("127.0.0.1", port)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            upstream = starting.enter_context(EchoUpstream())
            self._service = starting.enter_context(ExtauthProcess.start(self.policy.parent, self.folder))
            if problems := self.status()["problems"]:
                raise ServiceError(problems[0])
            envoy = starting.enter_context(self._start_envoy(upstream.port))
            self.address = (envoy.address.host, envoy.address.port)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def make(self, wanted: Call) -> Outcome:
        """Make a call through Envoy and look up its record. Raises OSError if there is no answer at all."""
        credentials = self.pki.callers[wanted.caller] if wanted.caller else None
        context = client_context(self.pki.server_ca, credentials)
        headers = [("Host", wanted.host), *wanted.headers, ("Connection", "close")]
        request = request_bytes(
            wanted.method,
            wanted.target.encode("latin-1"),
            [(name, value.encode("latin-1")) for name, value in headers],
        )
        answer = call(self.address, context, request, sni=wanted.host)
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

    def _start_envoy(self, upstream_port: int) -> EnvoyProcess:
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", self._port),
            tls=DownstreamTls(
                certificate=self.pki.server.chain,
                key=self.pki.server.key,
                client_cas=self.pki.client_cas,
                # A rule allows probes without a certificate; and the tour wants peergate's reason, not a TLS alert.
                require_client_certificate=False,
                admit_untrusted=True,
            ),
            authorization=Authorization(self._service.listen, timeout=_AUTHORIZATION_SECONDS),
            upstream=TcpAddress("127.0.0.1", upstream_port),
            admin=UnixAddress(str(self.folder / "admin.sock")),
        )
        return EnvoyProcess.start(self._envoy_binary, settings, self.folder)

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


def _state_of(status: Status) -> tuple[object, object]:
    return status["generation"], status["problems"]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    return folder
