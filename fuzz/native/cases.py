"""What is asked of whom: policies, callers and raw requests as values, and their form in a file."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from fuzz.native.world import Caller


@dataclass(frozen=True, slots=True)
class Question:
    """One raw request: what stands on the wire, one character a byte. `host`: of each Host header."""

    method: str
    target: str
    hosts: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()

    def raw(self, number: int) -> bytes:
        """The bytes; `number` comes back in the access log."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"host: {host}" for host in self.hosts)]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, f"x-number: {number}", "", ""]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Call:
    """The questions of one connection. `caller`: None = without a certificate; `source`: an address of 127.0.0.0/8."""

    caller: Caller | None
    source: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One policy and who calls. `trust`: its trust entries; `rules`: a line each, which needs no other."""

    trust: str
    rules: tuple[str, ...]
    calls: tuple[Call, ...]

    @property
    def policy(self) -> bytes:
        """The text of the policy."""
        rules = "\n".join(f"  - {rule}" for rule in self.rules)
        return f"version: 1\ntrust: {self.trust}\nrules:\n{rules}\n".encode()

    @property
    def size(self) -> int:
        """How many questions are asked."""
        return sum(len(call.questions) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Seed:
    """One question that was once answered in two ways, or might be. `about`: what went wrong."""

    about: str
    trust: str
    rules: tuple[str, ...]
    caller: Caller | None
    source: str
    question: Question

    @property
    def scenario(self) -> Scenario:
        """It alone."""
        return Scenario(self.trust, self.rules, (Call(self.caller, self.source, (self.question,)),))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `text` made. Raises ValueError, KeyError or TypeError for anything else."""
        found: dict[str, Any] = json.loads(text)
        asked = found["question"]
        headers = tuple((name, value) for name, value in asked["headers"])
        question = Question(asked["method"], asked["target"], tuple(asked["hosts"]), headers)
        caller = None if found["caller"] is None else Caller.from_json(found["caller"])
        return cls(found["about"], found["trust"], tuple(found["rules"]), caller, found["source"], question)

    @property
    def text(self) -> str:
        """JSON for people to read."""
        caller = None if self.caller is None else self.caller.to_json()
        return json.dumps({**asdict(self), "caller": caller}, indent=1) + "\n"
