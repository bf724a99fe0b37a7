"""Compiled rules and identities, and how they are asked about one request."""

from dataclasses import dataclass

from policies.engine.condition import Origin, When
from policies.engine.request import Request
from policies.engine.selector import Selector
from policies.engine.template import Template
from policies.engine.truth import FALSE, TRUE, Truth
from policies.reason import Effect


@dataclass(frozen=True, slots=True)
class Identity:
    """A named selector, or an inline one (`name` empty)."""

    name: str
    selector: Selector


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `callers` and `routes` are positions in the policy set; `anywhere` is `to: any`.

    `joins`: identity and route must be looked at together, because they share names, or because a route asks for
    headers or binds a name twice.
    """

    id: str
    effect: Effect
    shadow: bool
    callers: tuple[int, ...]
    routes: tuple[int, ...]
    anywhere: bool
    origin: Origin | None
    when: When | None
    set_headers: tuple[tuple[str, Template], ...]
    labels: tuple[tuple[str, str], ...]
    description: str
    joins: bool
    caller_binds: bool
    route_binds: bool

    @property
    def is_plain(self) -> bool:
        """Whether caller and route decide it on their own."""
        return not self.joins and self.origin is None and self.when is None

    @property
    def is_settled(self) -> bool:
        """Whether only captures of the path and host are left to find once caller and route are known to match."""
        return self.is_plain and not (self.shadow or self.caller_binds or self.set_headers)

    @property
    def binds(self) -> bool:
        """Whether a match may give names a value."""
        return self.caller_binds or self.route_binds

    def circumstances(self, request: Request) -> Truth:
        """The truth of everything but caller and route."""
        truth = self.when.truth(request) if self.when is not None else TRUE
        if truth != FALSE and self.origin is not None:
            truth = min(truth, self.origin.truth(request))
        return truth
