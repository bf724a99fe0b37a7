"""What Envoy did with each question, held against what the engine says of it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from extauth.native.names import NativeVerdict, verdict_from_name
from fuzz.native.calls import Answer, Calling, Clients
from fuzz.native.cases import Call, Question, Scenario, Seed
from fuzz.native.fleet import Fleet, fleet
from fuzz.native.world import World
from fuzz.world import SeedFiles
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.language.load import load_policy
from policies.peer.errors import CertificateError
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented, presented_from_der
from policies.reason import Effect, Reason

#: Connections that are asked in turn.
_AT_ONCE = 16
#: What Envoy answers where there is no request for it, whatever the policy says: an odd method, a fragment, no path.
_NO_REQUEST = frozenset({400, 404})
#: Why Envoy refuses a certificate at the handshake.
_AT_HANDSHAKE = frozenset(
    {
        Reason.CERTIFICATE_MALFORMED,
        Reason.CERTIFICATE_UNTRUSTED,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_NOT_YET_VALID,
        Reason.SVID_INVALID,
    }
)


@dataclass(slots=True)
class Outcome:
    """What became of some scenarios; counts of questions, and what differs.

    `decided` by Envoy, `asked` of peergate, `refused` by Envoy as no request, `shut_out` at the handshake.
    """

    policies: int = 0
    decided: int = 0
    allowed: int = 0
    asked: int = 0
    refused: int = 0
    shut_out: int = 0
    differences: list[Seed] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Questions in all."""
        return self.decided + self.asked + self.refused + self.shut_out

    def add(self, other: "Outcome") -> None:
        """Count what became of others, too."""
        self.policies += other.policies
        self.decided += other.decided
        self.allowed += other.allowed
        self.asked += other.asked
        self.refused += other.refused
        self.shut_out += other.shut_out
        self.differences += other.differences


class WorldFiles(SeedFiles):
    """What a policy of this world reads."""

    def __init__(self, world: World) -> None:
        self._files = world.files

    def read(self, path: str) -> bytes:
        """A file of the world. Raises OSError."""
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._files[path]


def policy_of(scenario: Scenario, world: World) -> PolicySet | None:
    """The policy of `scenario`; None if it has problems."""
    return load_policy({"policy.yaml": scenario.policy}, WorldFiles(world)).policy


def compared(binary: Path, world: World, scenarios: Sequence[Scenario], folder: Path) -> Outcome:
    """Ask every question of the scenarios whose policy has no problem. Raises OSError, EnvoyError."""
    found = [(scenario, policy) for scenario in scenarios if (policy := policy_of(scenario, world)) is not None]
    outcome = Outcome(policies=len(found))
    if not found:
        return outcome
    asked_at = time.time()
    with fleet(binary, [policy for _, policy in found], folder) as running:
        calls = _answered(running, Clients(world, folder), [scenario for scenario, _ in found])
    log = _log(running.access_log)
    for number, first, calling in calls:
        scenario, policy = found[number]
        peer = _presented(world, calling.call)
        judged = _Judged(scenario, policy, calling.call, peer, asked_at, Fleet.name(number))
        judged.compare(calling.answers, log, first, outcome)
    return outcome


def _answered(running: Fleet, clients: Clients, scenarios: Sequence[Scenario]) -> list[tuple[int, int, Calling]]:
    """Each call, answered, with the number of its policy and of its first question."""
    found: list[tuple[int, int, Calling]] = []
    first = 0
    for number, scenario in enumerate(scenarios):
        for call in scenario.calls:
            found.append((number, first, Calling(clients, running, number, call, first)))
            first += len(call.questions)
    for start in range(0, len(found), _AT_ONCE):
        some = [calling for _, _, calling in found[start : start + _AT_ONCE]]
        while some := [calling for calling in some if calling.is_open]:
            for calling in some:
                calling.ask()
            for calling in some:
                calling.hear()
    return found


def _log(file: Path) -> Mapping[int, Mapping[str, Any]]:
    """The lines of the access log, by the number of the question; what has none was no request."""
    lines = map(json.loads, file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else ())
    return {int(line["number"]): line for line in lines if (line.get("number") or "-").isdigit()}


def _presented(world: World, call: Call) -> Presented:
    if call.caller is None:
        return NO_CERTIFICATE
    issued = world.issued(call.caller)
    try:
        return presented_from_der(issued.der, [ca.public_bytes(Encoding.DER) for ca in issued.intermediates])
    except CertificateError as error:
        return MalformedCertificate(str(error))


@dataclass(frozen=True, slots=True)
class _Judged:
    """One call as the engine sees it."""

    scenario: Scenario
    policy: PolicySet
    call: Call
    peer: Presented
    time: float
    sni: str

    def compare(
        self, answers: Sequence[Answer], log: Mapping[int, Mapping[str, Any]], first: int, outcome: Outcome
    ) -> None:
        """Note in `outcome` what became of each question, and what differs: the first of this call."""
        differing = []
        for position, question in enumerate(self.call.questions):
            decision = evaluate(self.policy, self._request(question))
            answer = answers[position] if answers else None
            wrong = tuple(self._wrong(decision, answer, log.get(first + position), outcome))
            if wrong:
                differing.append((wrong[0], question))
        for about, question in differing[:1]:
            outcome.differences.append(
                Seed(about, self.scenario.trust, self.scenario.rules, self.call.caller, self.call.source, question)
            )

    def _request(self, question: Question) -> Request:
        """As every enforcement point builds it."""
        wanted = self.policy.condition_headers | {"content-type"}
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in question.headers:
            if name.lower() in wanted:
                headers[name.lower()] = (*headers.get(name.lower(), ()), _text(value.strip(" \t")))
        return Request(
            self.peer,
            question.method,
            _text(question.target),
            _text(",".join(question.hosts)),
            headers,
            None,
            ip_address(self.call.source),
            self.sni,
            self.time,
        )

    def _wrong(
        self, decision: Decision, answer: Answer | None, line: Mapping[str, Any] | None, outcome: Outcome
    ) -> Iterator[str]:
        """What differs, in words."""
        allowed = decision.effect is Effect.ALLOW
        expected = f"{decision.effect.value} ({decision.reason.value} {', '.join(decision.rules)})"
        if answer is None:
            outcome.shut_out += 1
            if decision.reason not in _AT_HANDSHAKE:
                yield f"refused at the handshake, the engine says {expected}"
            return
        if answer.status in _NO_REQUEST and not answer.arrived:
            outcome.refused += 1
            return
        if answer.arrived != allowed:
            yield f"{'let through' if answer.arrived else f'answered {answer.status}'}, the engine says {expected}"
        if line is None or not isinstance(line["native"], str):
            yield "a decision without a line in the access log"
            return
        verdict = verdict_from_name(line["native"])
        if verdict is None:
            outcome.asked += 1
            told = (line["reason"], tuple(filter(None, (line["rules"] or "").split(","))))
            if told != (decision.reason.value, decision.rules):
                yield f"peergate says {told} where it is asked, the engine {expected}"
            return
        outcome.decided += 1
        outcome.allowed += allowed
        yield from self._wrong_verdict(decision, verdict, line)

    def _wrong_verdict(self, decision: Decision, verdict: NativeVerdict, line: Mapping[str, Any]) -> Iterator[str]:
        if not _says(verdict, decision):
            yield f"Envoy decides {line['native']}, the engine {decision.reason.value} by {decision.rules}"
        names = tuple(line["names"].split(",")) if line["names"] else ()
        if verdict.effect is Effect.ALLOW and names != decision.identities:
            yield f"Envoy calls the caller {names}, the engine {decision.identities}"
        noted = verdict_from_name(line["shadow"]) if line["shadow"] else verdict
        changed = noted is not None and noted != verdict
        if noted is not None and (
            not _says(noted, decision.shadow or decision) or (changed and decision.shadow is None)
        ):
            yield f"Envoy notes the shadow {line['shadow']}, the engine {decision.shadow}"


def _says(verdict: NativeVerdict, decision: Decision) -> bool:
    return (verdict.effect, verdict.reason) == (decision.effect, decision.reason) and (
        verdict.rule is None or verdict.rule in decision.rules
    )


def _text(on_the_wire: str) -> str:
    """Bytes of the wire (one character each) as a `Request` holds them."""
    return on_the_wire.encode("latin-1").decode("utf-8", "surrogateescape")
