"""What was decided, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.reason import Effect, Reason

NO_CAPTURES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one request under one generation.

    - `rules`: sorted ids of *all* matching rules of the deciding effect.
    - `identities`: sorted names of the identities that the caller is.
    - `trust`: sorted names of the trust entries that the certificate passes.
    - `captures`: values bound by the deciding rules, from their ids in sorted order, the first binding of a name wins.
    - `headers`: what the upstream is told, (lower-case name, value), sorted; only on an allow.
    - `unknown`: conditions that could not be judged and counted against the request, as `rule: fact`.
    - `problems`: what was wrong, in words, for log and console; never shown to the caller.
    - `shadow`: the decision with all shadow rules enforced; None if effect and rules are the same.
    - `generation`: the policy content it was made from.
    """

    effect: Effect
    reason: Reason
    rules: tuple[str, ...]
    identities: tuple[str, ...]
    trust: tuple[str, ...]
    captures: Mapping[str, str]
    headers: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    problems: tuple[str, ...]
    shadow: "Decision | None"
    generation: str

    @classmethod
    def refusal(
        cls,
        reason: Reason,
        generation: str,
        problem: str,
        identities: tuple[str, ...] = (),
        trust: tuple[str, ...] = (),
    ) -> "Decision":
        """A denial before any rule was read."""
        return cls(Effect.DENY, reason, (), identities, trust, NO_CAPTURES, (), (), (problem,), None, generation)

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        return self.effect is Effect.ALLOW
