"""What one caller is under one policy set: its standing, and the rules that speak of it."""

from dataclasses import dataclass, field
from itertools import islice
from threading import Lock

from policies.engine.decision import Decision
from policies.engine.limits import (
    MAX_CACHED_CALLERS,
    MAX_REMEMBERED_PATH_CHARS,
    MAX_TARGETS_OF_CALLER,
    MAX_VERDICTS_OF_CALLER,
)
from policies.engine.truth import UNSATISFIED, Solutions
from policies.peer.certificate import IdentityFacts
from policies.peer.ocsp import OcspQuestion
from policies.reason import Reason


@dataclass(frozen=True, slots=True)
class CallerState:
    """Constant over the closed interval [valid_from, valid_until] (epoch seconds).

    `reason` is set if the certificate is refused. The masks have one bit for every rule: `allow` may allow this caller,
    `deny` may deny it, `unsure` are the deny rules that do so only because a fact is unknown, `missed` the allow rules
    that do not for the same reason; `spoken_of` is `allow` with `deny`. `verdicts`: what was decided before, by the
    mask of the rules that speak of both the caller and the route; `targets`: by method, target less its query, and host
    as received, where nothing else of a request counts. `asked`: as of `Standing`.
    """

    valid_from: float
    valid_until: float
    facts: IdentityFacts | None
    trust: tuple[str, ...]
    reason: Reason | None = None
    problem: str = ""
    names: tuple[str, ...] = ()
    allow: int = 0
    deny: int = 0
    unsure: int = 0
    missed: int = 0
    spoken_of: int = 0
    solutions: dict[int, Solutions] = field(default_factory=dict)
    verdicts: dict[int, Decision] = field(default_factory=dict, compare=False, repr=False)
    asked: tuple[OcspQuestion, ...] = ()
    targets: dict[tuple[str, str, str], Decision] = field(default_factory=dict, compare=False, repr=False)

    def solutions_of(self, identities: tuple[int, ...]) -> Solutions:
        """Every way in which the caller is one of these identities."""
        if len(identities) == 1:
            return self.solutions.get(identities[0], UNSATISFIED)
        return tuple(solution for identity in identities for solution in self.solutions.get(identity, UNSATISFIED))

    def remember_verdict(self, candidates: int, decision: Decision) -> None:
        """Keep a decision that the caller and the rules in `candidates` settle, whatever else the request is."""
        if len(self.verdicts) < MAX_VERDICTS_OF_CALLER:
            self.verdicts[candidates] = decision

    def remember_target(self, target: tuple[str, str, str], decision: Decision) -> None:
        """Keep a decision that the caller, method, path and host settle, whatever else the request is."""
        if len(target[1]) <= MAX_REMEMBERED_PATH_CHARS:
            if len(self.targets) >= MAX_TARGETS_OF_CALLER:
                self.targets.clear()
            self.targets[target] = decision


class CallerCache:
    """A bounded map from the key of what was presented to its state; the oldest entries leave first.

    `states` is read on every request, without a call. `turn` changes with every `forget`. INVARIANT: no state that was
    judged before an answer of a responder changed is found after `forget` was told of it.
    """

    __slots__ = ("_asking", "_lock", "states", "turn")

    def __init__(self) -> None:
        self.states: dict[bytes, CallerState] = {}
        self._asking: dict[OcspQuestion, set[bytes]] = {}
        self._lock = Lock()
        self.turn = 0

    def find(self, key: bytes, time: float) -> CallerState | None:
        """The state remembered for `key`, if it still holds at `time`."""
        state = self.states.get(key)
        if state is not None and state.valid_from <= time <= state.valid_until:
            return state
        return None

    def remember(self, key: bytes, state: CallerState, turn: int) -> None:
        """Keep `state`, which was judged since `turn`; drops an eighth of the entries when full."""
        with self._lock:
            if state.asked and turn != self.turn:
                return
            if len(self.states) >= MAX_CACHED_CALLERS:
                for old in list(islice(self.states, MAX_CACHED_CALLERS // 8)):
                    self._drop(old)
            self._drop(key)
            self.states[key] = state
            for question in state.asked:
                self._asking.setdefault(question, set()).add(key)

    def forget(self, question: OcspQuestion) -> None:
        """The answer to `question` has changed: what depends on it is judged anew."""
        with self._lock:
            self.turn += 1
            for key in tuple(self._asking.get(question, ())):
                self._drop(key)

    def _drop(self, key: bytes) -> None:
        state = self.states.pop(key, None)
        for question in () if state is None else state.asked:
            asking = self._asking[question]
            asking.discard(key)
            if not asking:
                del self._asking[question]

    def __len__(self) -> int:
        return len(self.states)
