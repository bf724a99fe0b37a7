"""A compiled policy: everything that one generation knows, immutable but for its cache of callers.

Rules are sorted by id and every rule is one bit, so the order of files and rules can never change a verdict (law 1).
"""

from collections.abc import Iterable, Sequence
from copy import copy
from math import inf

from policies.engine.caller import CallerCache, CallerState
from policies.engine.identity_index import IdentityIndex
from policies.engine.route import Route
from policies.engine.route_index import RouteIndex
from policies.engine.rule import Identity, Rule
from policies.engine.selector import Caller
from policies.engine.truth import TRUE, UNKNOWN, Solutions, truth_of
from policies.peer.certificate import IdentityFacts
from policies.peer.ocsp import OcspQuestion
from policies.peer.ocsp_answers import FirstAnswer
from policies.peer.presented import (
    AssertedIdentity,
    MalformedCertificate,
    NoCertificate,
    Presented,
)
from policies.peer.revocation import Revocation
from policies.peer.trust import TrustStore
from policies.reason import Effect, Reason

_ASSERTED = b"asserted "


class PolicySet:
    """One generation. Build it with `policies.language.load.load_policy`."""

    __slots__ = (
        "_allow_rules",
        "_anonymous",
        "_bits",
        "_callers",
        "_deny_rules",
        "_identity_index",
        "_labels",
        "_sole_ids",
        "allows_unauthenticated",
        "binding",
        "caller_states",
        "condition_headers",
        "content_sha256",
        "enforced",
        "generation",
        "identities",
        "intricate",
        "judges_by_target",
        "route_index",
        "routes",
        "rule_ids",
        "rules",
        "settable_headers",
        "setting",
        "settled",
        "strict_sni",
        "trust",
        "waits",
    )

    def __init__(
        self,
        *,
        identities: Sequence[Identity],
        routes: Sequence[Route],
        rules: Iterable[Rule],
        trust: TrustStore,
        strict_sni: bool,
        generation: str,
        content_sha256: bytes,
    ) -> None:
        """`generation`: a short name, for people and records. `content_sha256`: of all content, tells it apart."""
        self.identities = tuple(identities)
        self.routes = tuple(routes)
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.rule_ids = tuple(rule.id for rule in self.rules)
        self.strict_sni = strict_sni
        self._bits = tuple(1 << position for position in range(len(self.rules)))
        self._labels = {rule.id: rule.labels for rule in self.rules if rule.labels}
        self._sole_ids = tuple((rule.id,) for rule in self.rules)
        self.enforced = self._mask(rule for rule in self.rules if not rule.shadow)
        self.intricate = self._mask(rule for rule in self.rules if not rule.is_plain)
        self.settled = self._mask(rule for rule in self.rules if rule.is_settled)
        self.binding = self._mask(rule for rule in self.rules if rule.binds)
        self.setting = self._mask(rule for rule in self.rules if rule.set_headers)
        self._allow_rules = self._rules_by_identity(Effect.ALLOW)
        self._deny_rules = self._rules_by_identity(Effect.DENY)
        self._identity_index = IdentityIndex([identity.selector for identity in self.identities])
        self.route_index = self._indexed_routes()
        #: Whether method, path and host say which routes a request is on, and nothing else is asked of all requests.
        self.judges_by_target = not strict_sni and not self.route_index.has_grpc
        self.condition_headers = frozenset({"content-type"}).union(
            header.name for route in self.routes for way in route.alternatives for header in way.headers
        )
        self.settable_headers = frozenset(name for rule in self.rules for name, _ in rule.set_headers)
        self.allows_unauthenticated = any(
            self.identities[identity].selector.admits_unauthenticated()
            for rule in self.rules
            if rule.effect is Effect.ALLOW and not rule.shadow
            for identity in rule.callers
        )
        self._serve_under(trust, generation, content_sha256)

    def _serve_under(self, trust: TrustStore, generation: str, content_sha256: bytes) -> None:
        """Everything that is not of the rules alone."""
        self.trust = trust
        self.generation = generation
        self.content_sha256 = content_sha256
        self.waits = any(entry.ocsp is not None and entry.revocation is Revocation.REQUIRE for entry in trust.entries)
        self._callers = CallerCache()
        #: By the key of a presented certificate; each holds within its own interval. For `evaluate`.
        self.caller_states = self._callers.states
        self._anonymous = self._identified(Caller(None, frozenset()), CallerState(-inf, inf, None, ()))

    def renewed(self, trust: TrustStore, generation: str, content_sha256: bytes) -> "PolicySet":
        """The generation after this one that has the very same rules: it shares what is made of them."""
        renewed = copy(self)
        renewed._serve_under(trust, generation, content_sha256)
        return renewed

    def with_trust(self, trust: TrustStore) -> "PolicySet":
        """The same rules under other CAs: for tests and tools, never for serving."""
        return self.renewed(trust, self.generation, self.content_sha256)

    @property
    def cached_callers(self) -> int:
        """How many callers are remembered."""
        return len(self._callers)

    def labels(self, rule_ids: Iterable[str]) -> dict[str, str]:
        """The labels of these rules together; of two values of one label, the one of the first id in order."""
        found: dict[str, str] = {}
        for rule_id in sorted(rule_ids) if self._labels else ():
            for name, value in self._labels.get(rule_id, ()):
                found.setdefault(name, value)
        return found

    def caller(self, presented: Presented, time: float) -> CallerState:
        """What the caller is at `time` (epoch seconds): refused for a reason, or known by the rules about it."""
        if isinstance(presented, NoCertificate):
            return self._anonymous
        if isinstance(presented, MalformedCertificate):
            return CallerState(time, time, None, (), Reason.CERTIFICATE_MALFORMED, presented.problem)
        key = _ASSERTED + presented.key if isinstance(presented, AssertedIdentity) else presented.key
        state = self._callers.find(key, time)
        if state is None:
            turn = self._callers.turn
            state = self._judged(presented, time)
            self._callers.remember(key, state, turn)
        return state

    def caller_from_facts(self, facts: IdentityFacts, trust: frozenset[str]) -> CallerState:
        """What every caller with these facts is, if its certificate passes the entries in `trust`; never remembered."""
        return self._identified(Caller(facts, trust), CallerState(-inf, inf, facts, tuple(sorted(trust))))

    def awaited(self, presented: Presented, time: float) -> tuple[FirstAnswer, ...]:
        """The first answers of OCSP responders that are under way, of a caller who is refused for want of them."""
        if not self.waits:
            return ()
        caller = self.caller(presented, time)
        if caller.reason is not Reason.REVOCATION_UNKNOWN:
            return ()
        return tuple(first for first in map(self.trust.answers.awaited, caller.asked) if first is not None)

    def forget(self, question: OcspQuestion) -> None:
        """The answer to `question` has changed."""
        self._callers.forget(question)

    def rules_in(self, mask: int) -> list[Rule]:
        """The rules whose bits are set, sorted by id."""
        return [self.rules[position] for position in self.positions_in(mask)]

    def ids_in(self, mask: int) -> tuple[str, ...]:
        """The ids of the rules whose bits are set, sorted."""
        if not mask:
            return ()
        last = mask.bit_length() - 1
        if mask == self._bits[last]:
            return self._sole_ids[last]
        return tuple([self.rule_ids[position] for position in self.positions_in(mask)])

    def positions_in(self, mask: int) -> list[int]:
        """The positions of the bits that are set, ascending."""
        found = []
        while mask:
            position = mask.bit_length() - 1
            found.append(position)
            mask ^= self._bits[position]
        found.reverse()
        return found

    def bit(self, position: int) -> int:
        """The bit of the rule at `position`."""
        return self._bits[position]

    def _judged(self, presented: Presented, time: float) -> CallerState:
        standing = self.trust.standing(presented, time)
        state = CallerState(
            standing.valid_from,
            standing.valid_until,
            standing.facts,
            tuple(sorted(standing.trust)),
            standing.reason,
            standing.problem,
            asked=standing.asked,
        )
        if standing.reason is not None:
            return state
        if standing.facts is None:
            # INVARIANT: something was presented, so this caller never counts as unauthenticated.
            return CallerState(time, time, None, (), Reason.INTERNAL_ERROR, "a certificate without facts")
        return self._identified(Caller(standing.facts, standing.trust, standing.maybe), state)

    def _identified(self, caller: Caller, state: CallerState) -> CallerState:
        allow = deny = unsure = missed = 0
        names: list[str] = []
        solutions: dict[int, Solutions] = {}
        for position in self._identity_index.candidates(caller):
            identity = self.identities[position]
            ways = identity.selector.solutions(caller)
            truth = truth_of(ways)
            if truth == TRUE:
                deny |= self._deny_rules[position]
                if caller.facts is not None or identity.selector.admits_unauthenticated():
                    allow |= self._allow_rules[position]
                    if identity.name:
                        names.append(identity.name)
            elif truth == UNKNOWN:
                unsure |= self._deny_rules[position]
                missed |= self._allow_rules[position]
            if ways:
                solutions[position] = ways
        return CallerState(
            state.valid_from,
            state.valid_until,
            caller.facts,
            state.trust,
            names=tuple(sorted(names)),
            allow=allow,
            deny=deny | unsure,
            unsure=unsure & ~deny,
            missed=missed & ~allow,
            spoken_of=allow | deny | unsure,
            solutions=solutions,
            asked=state.asked,
        )

    def _mask(self, rules: Iterable[Rule]) -> int:
        wanted = {rule.id for rule in rules}
        digits = "".join("1" if rule.id in wanted else "0" for rule in reversed(self.rules))
        return int(digits or "0", 2)

    def _rules_by_identity(self, effect: Effect) -> list[int]:
        masks = [0] * len(self.identities)
        for bit, rule in zip(self._bits, self.rules, strict=True):
            if rule.effect is effect:
                for identity in rule.callers:
                    masks[identity] |= bit
        return masks

    def _indexed_routes(self) -> RouteIndex:
        masks = [0] * len(self.routes)
        anywhere = 0
        looked_at: set[int] = set()
        for bit, rule in zip(self._bits, self.rules, strict=True):
            if rule.anywhere:
                anywhere |= bit
            if rule.joins:
                looked_at.update(rule.routes)
            for route in rule.routes:
                masks[route] |= bit
        return RouteIndex(self.routes, masks, anywhere, frozenset(looked_at))
