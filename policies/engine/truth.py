"""Three-valued logic: false, unknown, true. AND is `min`, OR is `max`, NOT is `TRUE - x` (Kleene).

A condition is unknown when the fact it needs is unreadable or was not shown to this enforcement point. An allow matches
on TRUE only, a deny on TRUE or UNKNOWN (law 2).
"""

from typing import Final

from policies.engine.limits import MAX_JOINED_PAIRS

Truth = int

FALSE: Final[Truth] = 0
UNKNOWN: Final[Truth] = 1
TRUE: Final[Truth] = 2

#: Values bound to names by one way of satisfying a condition.
Bindings = dict[str, str]
#: Every way of satisfying a condition: (UNKNOWN or TRUE, what it binds). Empty = FALSE.
Solutions = tuple[tuple[Truth, Bindings], ...]

NO_BINDINGS: Final[Bindings] = {}
SATISFIED: Final[Solutions] = ((TRUE, NO_BINDINGS),)
UNDECIDED: Final[Solutions] = ((UNKNOWN, NO_BINDINGS),)
UNSATISFIED: Final[Solutions] = ()


def truth_of(solutions: Solutions) -> Truth:
    """The best truth among the ways of satisfying a condition."""
    return max((truth for truth, _ in solutions), default=FALSE)


def joined(left: Solutions, right: Solutions) -> Solutions:
    """Both conditions together: one name has one value, byte for byte, wherever it occurs.

    A name that an UNKNOWN side does not bind agrees with any value: what was not seen cannot contradict. More pairs
    than MAX_JOINED_PAIRS are not looked at: whether one of them agrees is then unknown.
    """
    if left is SATISFIED or not right:
        return right
    if right is SATISFIED or not left:
        return left
    if len(left) * len(right) > MAX_JOINED_PAIRS:
        return UNDECIDED
    found: dict[tuple[Truth, frozenset[tuple[str, str]]], Bindings] = {}
    for left_truth, left_bindings in left:
        for right_truth, right_bindings in right:
            if all(right_bindings.get(name, value) == value for name, value in left_bindings.items()):
                bindings = {**left_bindings, **right_bindings}
                found.setdefault((min(left_truth, right_truth), frozenset(bindings.items())), bindings)
    return tuple((truth, bindings) for (truth, _), bindings in found.items())
