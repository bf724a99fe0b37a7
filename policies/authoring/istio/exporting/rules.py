"""One rule of peergate as rules of an AuthorizationPolicy that match the same requests, or its problems."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from policies.authoring.istio.exporting.codes import ExportCode
from policies.authoring.istio.exporting.errors import UnsayableError
from policies.authoring.istio.exporting.operations import Conditions, Operation, hosts_of, operations
from policies.authoring.istio.exporting.sources import CallersOf, Source, Ways, sources_of_callers
from policies.engine.condition import Networks, Origin, When
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.language.problem import Position, Problem
from policies.language.wording import quoted
from policies.reason import Effect

#: A rule of an AuthorizationPolicy as YAML has it.
IstioRule = dict[str, object]


@dataclass(frozen=True, slots=True)
class ExportedRule:
    """What `rule` becomes for one workload; several Istio rules mean any of them.

    `admits_plaintext`: callers without a certificate may be allowed.
    """

    rule: Rule
    written: tuple[IstioRule, ...]
    admits_plaintext: bool


def concerns(policy: PolicySet, rule: Rule, hosts: Sequence[str]) -> bool:
    """Whether `rule` is enforced, and about one of `hosts`."""
    ways = _alternatives(policy, rule)
    return not rule.shadow and (rule.anywhere or any(hosts_of(way, hosts) for way in ways))


class RuleExport:
    """Exports rules of `policy`, whose callers have names of `trust_domain`."""

    def __init__(self, policy: PolicySet, trust_domain: str) -> None:
        self._policy = policy
        self._trust_domain = trust_domain
        self._callers_of = CallersOf()

    def problems(self, rule: Rule, at: Position, hosts: Sequence[str]) -> tuple[Problem, ...]:
        """Everything about `rule` on `hosts` that Istio cannot say, each thing once."""
        found: dict[Problem, None] = {}
        for check in self._checks(rule, hosts):
            try:
                check()
            except UnsayableError as error:
                message = f"rule {quoted(rule.id)}: {error.message}"
                found[Problem(at, error.code, message, error.hint)] = None
        return tuple(found)

    def exported(self, rule: Rule, hosts: Sequence[str]) -> ExportedRule:
        """What `rule`, which has no problems on `hosts`, becomes there."""
        allowed = rule.effect is Effect.ALLOW
        callers = tuple(dict.fromkeys(way for ways in self._callers(rule) for way in ways()))
        sources = _with_origin(sources_of_callers(callers, self._trust_domain), rule.origin)
        by_conditions = operations(_alternatives(self._policy, rule), hosts, anywhere=rule.anywhere, allowed=allowed)
        names = rule.when.sni if rule.when is not None else ()
        sni = (("connection.sni", tuple(map(str, names))),) if names else ()
        written = tuple(_written(sources, called, (*when, *sni)) for when, called in by_conditions.items())
        plaintext = allowed and any(not way.certified for way in callers)
        return ExportedRule(rule, written if callers else (), plaintext)

    def _checks(self, rule: Rule, hosts: Sequence[str]) -> Iterator[Callable[[], object]]:
        yield from self._callers(rule)
        allowed = rule.effect is Effect.ALLOW
        for way in _alternatives(self._policy, rule):
            yield partial(operations, [way], hosts, anywhere=False, allowed=allowed)
        yield partial(_check_when, rule.when, allowed=allowed)
        yield partial(_check_bindings, self._policy, rule)
        yield partial(_check_headers_set, rule)

    def _callers(self, rule: Rule) -> list[Callable[[], Ways]]:
        allowed = rule.effect is Effect.ALLOW
        return [
            partial(self._callers_of.identity, self._policy.identities[each], allowed=allowed) for each in rule.callers
        ]


def _alternatives(policy: PolicySet, rule: Rule) -> list[Alternative]:
    return [way for route in rule.routes for way in policy.routes[route].alternatives]


def _with_origin(sources: Iterable[Source], origin: Origin | None) -> list[Source]:
    if origin is None:
        return list(sources)
    inside, outside = _networks(origin.inside), _networks(origin.outside)
    blocks: Source = {**({"ipBlocks": inside} if inside else {}), **({"notIpBlocks": outside} if outside else {})}
    return [{**source, **blocks} for source in sources]


def _networks(networks: Networks | None) -> list[str]:
    cidrs = networks.cidrs if networks is not None else ()
    return [str(each.network_address if each.prefixlen == each.max_prefixlen else each) for each in cidrs]


def _written(sources: Sequence[Source], called: Sequence[Operation], conditions: Conditions) -> IstioRule:
    written: IstioRule = {}
    if all(sources):
        written["from"] = [{"source": source} for source in sources]
    if all(called):
        written["to"] = [{"operation": operation} for operation in called]
    if conditions:
        written["when"] = [{"key": key, "values": list(values)} for key, values in conditions]
    return written


def _check_when(when: When | None, *, allowed: bool) -> None:
    if when is None:
        return
    if when.after is not None or when.before is not None or when.days or when.hours:
        message = "Istio knows no time of day and no dates"
        raise UnsayableError(ExportCode.CONDITION, message, "take it out, or ask peergate: --form ext-authz")
    if not allowed or any(name.depth for name in when.sni):
        message = "of server names Istio can only ask for single ones, in rules that allow"
        raise UnsayableError(ExportCode.CONDITION, message, "list the server names; deny by `hosts`")


def _check_bindings(policy: PolicySet, rule: Rule) -> None:
    selectors = [policy.identities[caller].selector.may_bind for caller in rule.callers]
    ways = _alternatives(policy, rule)
    of_callers = frozenset[str]().union(*selectors)
    if any(of_callers & way.captures for way in ways) or any(way.binds_a_name_twice for way in ways):
        message = "Istio cannot compare one part of a request with another, as names in braces do"
        raise UnsayableError(
            ExportCode.CONDITION, message, "write a rule for each value, or ask peergate: --form ext-authz"
        )


def _check_headers_set(rule: Rule) -> None:
    if rule.set_headers:
        message = "an AuthorizationPolicy sets no headers"
        raise UnsayableError(ExportCode.CONDITION, message, "upstreams see the caller in x-forwarded-client-cert")
