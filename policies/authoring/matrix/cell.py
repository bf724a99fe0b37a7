"""What the rules say about one identity on one route, and the verdict that follows.

The law of the matrix, which tests hold against `evaluate`: take a caller who is of the row, and of no other row by a
further name of his certificate, and any request on the column that is not refused before rules are read. Then
`allow` is always allowed, `deny` and `none` never, and `conditional` exactly if the conditions shown say so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policies.reason import Effect


class Verdict(StrEnum):
    """ALLOW: every request. CONDITIONAL: those that meet what is shown. DENY: none, by a rule. NONE: no rule allows."""

    ALLOW = "allow"
    CONDITIONAL = "conditional"
    DENY = "deny"
    NONE = "none"


class Kind(StrEnum):
    """What a condition is about."""

    CALLER = "caller"
    REQUEST = "request"
    HEADER = "header"
    SOURCE = "source"
    TIME = "time"
    SNI = "sni"
    BOUND = "bound"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a rule that row and column do not settle, in words that follow "if"."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """A rule that speaks of the cell; it matches if all of `conditions` hold, and a deny also where one is unknown."""

    rule: str
    effect: Effect
    shadow: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `uses`: allow rules before deny rules. `shadow`: the verdict with shadow rules enforced, if another."""

    verdict: Verdict
    uses: tuple[Use, ...] = ()
    shadow: Verdict | None = None


EMPTY_CELL = Cell(Verdict.NONE)


def cell_from_uses(uses: Iterable[Use]) -> Cell:
    """The cell that these rules make."""
    ordered = tuple(sorted(uses, key=lambda use: (use.effect is Effect.DENY, use.shadow, use.rule)))
    verdict = _verdict([use for use in ordered if not use.shadow])
    with_shadow = _verdict(ordered)
    return Cell(verdict, ordered, with_shadow if with_shadow is not verdict else None)


def _verdict(uses: Sequence[Use]) -> Verdict:
    denies = [use for use in uses if use.effect is Effect.DENY]
    allows = [use for use in uses if use.effect is Effect.ALLOW]
    if any(not use.conditions for use in denies):
        return Verdict.DENY
    if not allows:
        return Verdict.NONE
    return Verdict.ALLOW if not denies and any(not use.conditions for use in allows) else Verdict.CONDITIONAL
