"""What an import puts into the policy, rule by rule, before it is text."""

from dataclasses import dataclass, field

from policies.authoring.istio.operations import Route
from policies.authoring.istio.resource import AuthorizationPolicy, Rule
from policies.authoring.istio.rules import Carried
from policies.language.problem import Problem


@dataclass(frozen=True, slots=True)
class Piece:
    """One rule of one policy. `number` counts from 1. With problems it is left out."""

    policy: AuthorizationPolicy
    rule: Rule
    number: int
    carried: Carried
    problems: tuple[Problem, ...] = ()
    #: Requests that the routes of an allow cover, and that must be denied so that it says no more than Istio does.
    exceptions: tuple[Route, ...] = ()


@dataclass(slots=True)
class Plan:
    """Everything that the text says. `silent`: policies that decide nothing here, each with the reason."""

    pieces: list[Piece] = field(default_factory=list)
    silent: list[tuple[AuthorizationPolicy, str]] = field(default_factory=list)
    open_hosts: tuple[str, ...] = ()

    @property
    def left_out(self) -> list[Piece]:
        """The rules that are not carried over; all of them are rules that allow."""
        return [piece for piece in self.pieces if piece.problems]
