"""A PolicySet as the matcher of Envoy's RBAC filter: the verdicts of `evaluate`, or a question to peergate.

Laws: what Envoy cannot say is asked, never approximated. Before any rule, a request that is not plain is asked: a path,
host, certificate or chain that Envoy and the engine might read in two ways. What is left, Envoy decides as `evaluate`
would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from extauth.native.admission import Admission, EntryAdmission, admission_from_policy
from extauth.native.callers import NativeCaller, NativeCallers, Pattern, native_callers
from extauth.native.dates import in_date
from extauth.native.expressions import PLAIN_PATH, SHORT_PLAIN_PATH, known_chain, ordinary_host
from extauth.native.items import Items, Masks
from extauth.native.matcher import (
    CHAIN,
    FACTS,
    ISSUER,
    PATH,
    SANS,
    SERIAL,
    TRUST,
    action,
    all_of,
    any_of_these,
    equals,
    exact_map,
    fits,
    in_order,
    negated,
    nested,
    source_in,
    state_input,
)
from extauth.native.mentioned import Mentioned, mentioned_by_policy
from extauth.native.names import Names, asked
from extauth.native.places import AUTHORITY, METHOD, Places
from extauth.native.serials import serial_texts
from extauth.native.unknown import denies_whom_envoy_does_not_know
from extauth.native.validity import carries_one_of, short_lived, short_path, short_spiffe_id, validity
from policies.engine.limits import MAX_METHOD_CHARS
from policies.engine.policy_set import PolicySet
from runtime.envoy.proto_json import Json

_ANY_ADDRESS = ("0.0.0.0/0", "::/0")
#: Of visible ASCII everything but small letters, which the engine refuses.
_METHOD = rf"[!-`{{-~]{{1,{MAX_METHOD_CHARS}}}"
_SANS, _CHAIN, _ISSUER, _PATH = (state_input(key) for key in (SANS, CHAIN, ISSUER, PATH))
#: Holds of every request: it has a method.
_ALWAYS = negated(equals(METHOD, ""))
#: No certificate was presented: there is neither a name nor a chain.
_WITHOUT_CERTIFICATE = all_of([equals(_CHAIN, "-"), equals(_SANS, "-|-|-|-")])


@dataclass(frozen=True, slots=True)
class Compiled:
    """`decides`: the matcher that decides or asks. `names`: one that finds what the caller is called, None if nobody.

    `admission`: None where everything is asked.
    """

    decides: Json
    names: Json | None
    admission: Admission | None


def asking_everything(why: str) -> Compiled:
    """Peergate decides about every request."""
    return Compiled(in_order([], asked(why)), None, None)


def compiled_from_policy(
    policy: PolicySet, time: float, ports: tuple[int, ...] = (), *, stamped: bool = True
) -> Compiled:
    """The policy at `time` (epoch seconds) for a listener that clients know by the default port or one of `ports`.

    `stamped`: the listener tells which CAs let a connection in (`extauth.native.filters.network_filters`).
    """
    admission = admission_from_policy(policy, time)
    if not isinstance(admission, str) and policy.strict_sni:
        admission = "strict_sni"
    if isinstance(admission, str):
        return asking_everything(admission)
    if denies_whom_envoy_does_not_know(policy):
        return Compiled(in_order([], asked("identity")), None, admission)
    mentioned = mentioned_by_policy(policy)
    stamp = admission.stamp if stamped else None
    entries = [_Entry(policy, entry, stamp, ports, mentioned) for entry in admission.judged]
    gates = [*_first_gates(policy), *_serial_gates(admission.serials, mentioned)]
    doubts, anonymous = _doubts(_request_facts(ports)), entries[0].without_certificate()
    if len(admission.entries) == 1:
        (entry,) = entries
        decides = entry.matcher(gates, [*doubts, (_WITHOUT_CERTIFICATE, anonymous)])
        return Compiled(decides, entry.names(), admission)
    told_apart = [(_issued_by(entry.admission), nested(entry.matcher([], doubts))) for entry in entries]
    elsewhere = [
        (_issued_by(entry), asked(entry.asked)) for entry in admission.entries if entry.asked and entry.issuers
    ]
    nobody = (_WITHOUT_CERTIFICATE, nested(in_order(doubts, anonymous)))
    named = [(_issued_by(entry.admission), nested(names)) for entry in entries if (names := entry.names()) is not None]
    decides = in_order([*gates, *told_apart, *elsewhere, nobody], asked("trust"))
    return Compiled(decides, in_order(named) if named else None, admission)


class _Fact(NamedTuple):
    """A part of `FACTS`, which blanks set apart: `usual` matches none, but for the one in the dates.

    `usual`: a regular expression of what needs no second look. `doubts`: what is asked if the second look finds
    something; where it finds nothing, the fact is in order, too.
    """

    usual: str
    doubts: list[tuple[Json, Json]]


def _doubts(facts: Sequence[_Fact]) -> list[tuple[Json, Json]]:
    return [doubt for fact in facts for doubt in fact.doubts]


def _request_facts(ports: tuple[int, ...]) -> list[_Fact]:
    """What Envoy and the engine might read in two ways."""
    host = ordinary_host(ports)
    return [
        _Fact(_METHOD, [(negated(fits(METHOD, _METHOD)), asked("method"))]),
        _Fact(host, [(negated(fits(AUTHORITY, host)), asked("host"))]),
        _Fact(
            SHORT_PLAIN_PATH,
            [(negated(fits(_PATH, PLAIN_PATH)), asked("path")), (negated(short_path()), asked("path"))],
        ),
    ]


def _caller_facts(admission: EntryAdmission, callers: NativeCallers, stamp: str | None) -> list[_Fact]:
    """What a certificate of the entry shows, on a connection that the CAs of `stamp` have let in, if that is noted."""
    chain = known_chain(list(admission.authorities))
    names = [(negated(fits(_SANS, callers.admitted)), asked("certificate"))]
    if admission.trust_domain is not None:
        names.append((negated(short_spiffe_id()), asked("certificate")))
    facts = [
        _Fact(callers.short, names),
        _Fact(chain, [(negated(fits(_CHAIN, chain)), asked("chain"))]),
    ]
    if stamp is not None:
        facts.append(_Fact(stamp, [(negated(equals(state_input(TRUST), stamp)), asked("trust-changed"))]))
    return facts


def _first_gates(policy: PolicySet) -> list[tuple[Json, Json]]:
    """What is asked for the sake of some rules, whoever calls."""
    gates = []
    if policy.settable_headers:
        # A header that a rule may set never passes as it was sent (law 7): peergate removes it.
        gates.append((carries_one_of(sorted(policy.settable_headers)), asked("header")))
    if any(rule.origin is not None for rule in policy.rules):
        gates.append((negated(source_in(_ANY_ADDRESS)), asked("source")))
    return gates


def _issued_by(admission: EntryAdmission) -> Json:
    """A CA of the entry has issued the certificate: the issuer tells where there are several entries."""
    return any_of_these([equals(_ISSUER, name) for name in admission.issuers])


def _serial_gates(revoked: frozenset[int], mentioned: Mentioned) -> list[tuple[Json, Json]]:
    """What is asked about a certificate for its serial number, whoever issued it. Once: it may be a long list."""
    texts = {text: asked("revocation") for serial in sorted(revoked) for text in serial_texts(serial)}
    texts |= {text: asked("serial") for serial in sorted(mentioned.serials) for text in serial_texts(serial)}
    return [(_ALWAYS, nested(exact_map(state_input(SERIAL), texts)))] if texts else []


class _Entry:
    """The rules of one policy about the native callers of one trust entry.

    `stamp`: which CAs must have let a connection in, if that is noted.
    """

    def __init__(
        self,
        policy: PolicySet,
        admission: EntryAdmission,
        stamp: str | None,
        ports: tuple[int, ...],
        mentioned: Mentioned,
    ) -> None:
        self.admission = admission
        callers = native_callers(policy, admission, mentioned)
        dates = _Fact(in_date(admission.until), [(negated(validity(admission.until)), asked("validity"))])
        shown = _caller_facts(admission, callers, stamp)
        self._doubts = _doubts([*shown, dates])
        self._ordinary = " ".join(f"(?:{fact.usual})" for fact in [dates, *_request_facts(ports), *shown])
        self._items = Items(policy)
        self._callers = callers
        self._names = Names(policy.generation)
        self._places = Places(self._names, ports)
        # Rules about every caller stand once, before and after those about some. Where a caller may have no class, each
        # class has them all instead, and ends in a verdict.
        masks = [Masks.of(caller) for caller in callers.certified()]
        nothing = Masks(0, 0, 0, 0)
        self._common = reduce(Masks.common, masks) if masks and callers.complete else nothing

    def without_certificate(self) -> Json:
        """`OnMatch` of callers without a certificate; it ends in a verdict."""
        if self._callers.anonymous.unclear or self._callers.anonymous.names:
            return asked("identity")
        verdict = self._names.denied_without_certificate()
        return self._places.branch(self._items.of(Masks.of(self._callers.anonymous)), verdict) or verdict

    def names(self) -> Json | None:
        """A matcher that finds, as the name of an action, the identities of a caller; None if nobody has one."""
        return _names(self._callers)

    def matcher(self, gates: list[tuple[Json, Json]], doubts: list[tuple[Json, Json]]) -> Json:
        """What decides about every certificate of the entry, after `gates`; it ends in a verdict or a question.

        `doubts`: what stands before the entry's own for requests that are not ordinary.
        """
        common = self._common
        first, last = self._items.split(common)
        ending = self._names.denied_by_default() if self._callers.complete else asked("identity")
        if (allowing := self._places.branch(last)) is not None:
            ending = nested(in_order([(_ALWAYS, allowing)], ending))
        # About most requests there is no doubt, which one look at all facts shows.
        entries = [
            *gates,
            (negated(fits(state_input(FACTS), self._ordinary)), nested(in_order([*doubts, *self._doubts]))),
        ]
        if (lifetime := self.admission.max_lifetime) is not None:
            entries.append((negated(short_lived(lifetime)), asked("validity")))
        if (opening := self._places.branch(first)) is not None:
            entries.append((_ALWAYS, opening))
        by_pattern = [
            (_of_class(pattern), branch)
            for pattern in self._callers.patterns
            if (branch := self._of(pattern.caller)) is not None
        ]
        # A caller with an exact entry is of no pattern's class: its entry ends in a verdict where there are patterns.
        verdict = ending if by_pattern else None
        judged = {sans: self._of(caller, verdict) for sans, caller in self._callers.exact.items()}
        exact = {sans: branch for sans, branch in judged.items() if branch is not None}
        elsewhere = nested(in_order(by_pattern)) if by_pattern else None
        if exact:
            entries.append((_ALWAYS, nested(exact_map(_SANS, exact, elsewhere))))
        else:
            entries += by_pattern
        return in_order(entries, ending)

    def _of(self, caller: NativeCaller, verdict: Json | None = None) -> Json | None:
        """`OnMatch` of one class: its own rules only, or all that there is where classes are not complete."""
        if caller.unclear:
            return asked("identity")
        items = self._items.of(Masks.of(caller).without(self._common))
        return self._places.branch(items, verdict if self._callers.complete else self._names.denied_by_default())


def _names(callers: NativeCallers) -> Json | None:
    """A matcher that finds, as the name of an action, the identities of a caller, separated by commas."""
    exact = {sans: _called(caller) for sans, caller in callers.exact.items() if caller.names}
    by_pattern = [
        (all_of([fits(_SANS, callers.admitted), _of_class(pattern)]), _called(pattern.caller))
        for pattern in callers.patterns
        if pattern.caller.names and not pattern.caller.unclear
    ]
    if not exact and not by_pattern:
        return None
    elsewhere = nested(in_order(by_pattern)) if by_pattern else None
    return exact_map(_SANS, exact, elsewhere) if exact else in_order(by_pattern)


def _called(caller: NativeCaller) -> Json:
    return action(",".join(caller.names), permits=True)


def _of_class(pattern: Pattern) -> Json:
    """The SANs are of this class."""
    predicates = [fits(_SANS, expression) for expression in pattern.matching]
    if pattern.others:
        predicates.append(negated(any_of_these([fits(_SANS, expression) for expression in pattern.others])))
    return all_of(predicates or [_ALWAYS])
