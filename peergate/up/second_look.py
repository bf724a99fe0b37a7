"""A second look at what Envoy decided: all rules that match it, and what the next policy would decide.

Laws: the verdict stays the one that Envoy enforced; what its access log does not tell is not evaluated, and said so.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from extauth.native.issuers import trust_by_issuer
from extauth.native.mentioned import goes_beyond_names
from extauth.native.records import NativeDecision
from extauth.native.told import UntoldError, authorities_from_policy, headers_from_line, presented_from_line
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from policies.peer.digest import sha256
from policies.peer.presented import AssertedIdentity, Presented, PresentedCertificate
from policies.peer.reader import PresentedReader
from policies.reason import Reason
from runtime.comparison import Comparison
from runtime.current_policy import CurrentPolicy
from runtime.metrics import Metrics

#: Sets of rules whose decisions may still come, and generations of them: CRLs make several of the same rules, and Envoy
#: may decide by the first of these for a while (`peergate.up.change`).
_RULE_SETS, _GENERATIONS = 4, 16


class Seen(NamedTuple):
    """What is recorded. `whole`: every rule of `decision` is named, and so is its shadow. `following`: of the next."""

    decision: Decision
    request: Request
    whole: bool
    following: Decision | None = None


class _Known(NamedTuple):
    """A generation. `beyond_names`: whether its rules ask for more of a certificate than every line tells.

    `trust`: as of `trust_by_issuer`.
    """

    policy: PolicySet
    beyond_names: bool
    trust: Callable[[str], tuple[str, ...]]


class SecondLook:
    """Looks at the decisions of one Envoy, in one thread."""

    def __init__(self, metrics: Metrics, following: CurrentPolicy | None) -> None:
        """`following`: the next policy, if there is one."""
        self._comparison = None if following is None else Comparison(following, metrics, Enforcement.NATIVE)
        self._reader = PresentedReader()
        self._known: dict[str, _Known] = {}
        self._authorities: dict[str, str] = {}

    def know(self, policy: PolicySet) -> None:
        """Decisions of this generation may come, and those of the last few before it. Called in any thread."""
        trust = trust_by_issuer(policy.trust.entries)
        known = {name: one for name, one in self._known.items() if name != policy.generation}
        known[policy.generation] = _Known(policy, goes_beyond_names(policy), trust)
        known = _recent(known)
        authorities: dict[str, str] = {}
        for generation in known.values():
            authorities |= authorities_from_policy(generation.policy)
        self._authorities, self._known = authorities, known

    def policy(self, generation: str) -> PolicySet | None:
        """The policy of a generation, if it is still known."""
        known = self._known.get(generation)
        return None if known is None else known.policy

    def trust(self, generation: str, issuer: str) -> tuple[str, ...]:
        """The entry that vouches for a caller, by the issuer as Envoy writes it; nothing if that is not known."""
        known = self._known.get(generation)
        return () if known is None else known.trust(issuer)

    def seen(self, found: NativeDecision) -> Seen:
        """What is to be recorded of a decision that was made inside Envoy."""
        seen = self._named(found)
        comparison = self._comparison
        following = None if comparison is None else comparison.following
        if comparison is None or following is None:
            return seen
        try:
            headers = headers_from_line(found.line, following.condition_headers)
            peer = presented_from_line(found.line, self._reader, self._authorities)
        except UntoldError as error:
            comparison.leave_out()
            problem = f"the next policy was not evaluated: Envoy does not tell {error}"
            return seen._replace(decision=_noted(seen.decision, problem))
        if unseen := self._unseen(found, peer, following):
            comparison.leave_out()
            problem = (
                f"the next policy changes nothing here: both refuse this caller ({unseen}), Envoy does not see why"
            )
            return seen._replace(decision=_noted(seen.decision, problem))
        asked = found.request._replace(peer=peer, headers=headers)
        recorded = found.request._replace(headers={**headers, **seen.request.headers})
        return seen._replace(request=recorded, following=comparison.verdict(seen.decision, following, asked))

    def _unseen(self, found: NativeDecision, peer: Presented, following: PolicySet) -> Reason | None:
        """Why the policy that Envoy has would refuse the caller in the engine, if the next one does so, too."""
        known = self._known.get(found.decision.generation)
        reason = None if known is None else known.policy.caller(peer, found.request.time).reason
        return reason if reason is following.caller(peer, found.request.time).reason else None

    def _named(self, found: NativeDecision) -> Seen:
        """The decision with every rule that matches; as Envoy told it where that cannot be known."""
        by_envoy, known = found.decision, self._known.get(found.decision.generation)
        if known is None:
            return Seen(by_envoy, found.request, whole=False)
        try:
            headers = headers_from_line(found.line, known.policy.condition_headers)
            request = found.request._replace(headers=headers)
            decision = evaluate(known.policy, request._replace(peer=self._asserted(found, known)))
        except UntoldError as error:
            problem = f"only the rule that Envoy met first is named: Envoy does not tell {error}"
            return Seen(_noted(by_envoy, problem) if by_envoy.rules else by_envoy, found.request, whole=False)
        if decision.reason is by_envoy.reason and set(by_envoy.rules) <= set(decision.rules):
            return Seen(decision, request, whole=True)
        return Seen(_noted(by_envoy, f"peergate itself would decide {decision.reason}"), request, whole=False)

    def _asserted(self, found: NativeDecision, known: _Known) -> Presented:
        """The caller, whom Envoy let in, with all that rules ask for. Raises UntoldError."""
        peer = found.request.peer
        if not known.beyond_names or not isinstance(peer, AssertedIdentity):
            return peer
        read = presented_from_line(found.line, self._reader, self._authorities)
        if not isinstance(read, PresentedCertificate):
            raise UntoldError("a certificate that can be read")
        return AssertedIdentity(read.leaf.identity, peer.trust, sha256(b"whole" + peer.key))


def _recent(known: dict[str, _Known]) -> dict[str, _Known]:
    """Those of the last few sets of rules, the latest at the end."""
    rule_sets = list(dict.fromkeys(id(one.policy.rules) for one in reversed(known.values())))[:_RULE_SETS]
    kept = [(name, one) for name, one in known.items() if id(one.policy.rules) in rule_sets]
    return dict(kept[-_GENERATIONS:])


def _noted(decision: Decision, problem: str) -> Decision:
    return replace(decision, problems=(*decision.problems, problem))
