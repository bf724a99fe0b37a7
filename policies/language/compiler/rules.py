"""Rules: resolves both sides, and refuses what would grant more, or something else, than it says."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from policies.engine.host import HostPattern
from policies.engine.route import Route
from policies.engine.rule import Identity, Rule
from policies.engine.selector import NO_NAMES, Selector
from policies.engine.template import Template, TemplateError
from policies.language.codes import Code
from policies.language.compiler.conditions import Conditions
from policies.language.compiler.findings import Findings
from policies.language.compiler.identities import Identities
from policies.language.compiler.parts import Parts
from policies.language.compiler.routes import Routes, checked_header_name
from policies.language.document import RouteDocument, RuleDocument
from policies.language.modes import MODES, SHADOW
from policies.language.node import Scalar
from policies.language.suggestion import Vocabulary
from policies.language.wording import listed, quoted
from policies.reason import Effect

ANYWHERE = "any"


class _Sides(NamedTuple):
    """Who and what: as positions in the policy, and what is there. `anywhere`: `to: any`."""

    effect: Effect
    callers: list[int]
    positions: list[int]
    selectors: list[Selector]
    routes: list[Route]
    anywhere: bool


class Rules:
    """Compiles rules one by one; `identities` and `routes` grow with what they mention."""

    def __init__(
        self,
        identities: Identities,
        routes: Routes,
        conditions: Conditions,
        route_documents: Mapping[str, RouteDocument],
        parts: Parts,
        findings: Findings,
    ) -> None:
        self._identities = identities
        self._routes = routes
        self._conditions = conditions
        self._route_documents = route_documents
        self._route_names = Vocabulary([*route_documents, ANYWHERE])
        self._known = parts
        self._findings = findings
        self._positions: dict[str, int] = {}
        self.identities: list[Identity] = []

    def named_identity(self, name: str) -> None:
        """Give a named identity its position, whether a rule mentions it or not."""
        self._position(name, self._identities.named(name))

    def compiled(self, document: RuleDocument, scope: tuple[HostPattern, ...] | None, *, shadow: bool = False) -> Rule:
        """One rule. `scope`: the hosts that its file is bound to; `shadow`: its mode if it does not say it."""
        effect = Effect.ALLOW if document.allow is not None else Effect.DENY
        callers, positions = self._callers(document, effect), self._route_positions(document, effect)
        selectors = [self.identities[position].selector for position in callers]
        routes = [self._routes.compiled[position] for position in positions]
        anywhere = any(isinstance(item, Scalar) and item.text == ANYWHERE for item in document.to)
        made = partial(
            self._made, document, scope, _Sides(effect, callers, positions, selectors, routes, anywhere), shadow=shadow
        )
        if document.from_ or document.not_from or document.when is not None or document.set_headers:
            return made()
        context = (effect, anywhere, shadow, scope, *callers, None, *positions, *selectors, *routes)
        return self._known.of("rule", document, context, made)

    def _made(
        self, document: RuleDocument, scope: tuple[HostPattern, ...] | None, sides: _Sides, *, shadow: bool
    ) -> Rule:
        effect, selectors, routes, anywhere = sides.effect, sides.selectors, sides.routes, sides.anywhere
        self._check_unauthenticated(document, effect, selectors, anywhere=anywhere)
        if scope is not None:
            self._check_scope(document, scope, routes, anywhere=anywhere)
        return Rule(
            document.id.text,
            effect,
            self.is_shadow(document.mode) if document.mode is not None else shadow,
            tuple(dict.fromkeys(sides.callers)),
            tuple(dict.fromkeys(sides.positions)),
            anywhere,
            self._conditions.origin(document.from_, document.not_from),
            self._conditions.when(document.when),
            self._set_headers(document, effect, selectors, routes, anywhere=anywhere),
            tuple((name.text, value.text) for name, value in document.labels),
            document.description.text if document.description is not None else "",
            self._check_bindings(document, selectors, routes, anywhere=anywhere) or _needs_a_look(routes),
            any(selector.may_bind for selector in selectors),
            any(route.may_bind for route in routes),
        )

    def _callers(self, document: RuleDocument, effect: Effect) -> list[int]:
        found: list[int] = []
        for item in (document.allow if effect is Effect.ALLOW else document.deny) or ():
            selector = self._identities.caller(item, denying=effect is Effect.DENY)
            if selector is not None:
                found.append(self._position(item.text if isinstance(item, Scalar) else None, selector))
        return found

    def _position(self, name: str | None, selector: Selector) -> int:
        if name is not None and name in self._positions:
            return self._positions[name]
        position = len(self.identities)
        is_defined = name is not None and self._identities.defines(name)
        self.identities.append(Identity(name if name is not None and is_defined else "", selector))
        if name is not None:
            self._positions[name] = position
        return position

    def _route_positions(self, document: RuleDocument, effect: Effect) -> list[int]:
        found: list[int] = []
        for item in document.to:
            if isinstance(item, RouteDocument):
                found.append(self._routes.position(item, effect))
            elif item.text in self._route_documents:
                found.append(self._routes.position(self._route_documents[item.text], effect))
            elif item.text != ANYWHERE:
                self._findings.unknown_name(item, "route", self._route_names)
        return found

    def _check_unauthenticated(
        self, document: RuleDocument, effect: Effect, selectors: list[Selector], *, anywhere: bool
    ) -> None:
        if effect is Effect.ALLOW and anywhere and any(selector.admits_unauthenticated() for selector in selectors):
            message = "callers without a certificate would be allowed everything"
            self._findings.add(document.id, Code.BUILTIN_MISPLACED, message, "name the routes they may call")

    def _check_scope(
        self, document: RuleDocument, scope: tuple[HostPattern, ...], routes: list[Route], *, anywhere: bool
    ) -> None:
        inside = all(
            way.host is not None and any(pattern.covers(way.host) for pattern in scope)
            for route in routes
            for way in route.alternatives
        )
        if anywhere or not inside:
            hosts = listed(map(str, scope), "and")
            message = f"this rule reaches hosts outside the scope of its file, which is {hosts}"
            self._findings.add(document.id, Code.SCOPE_EXCEEDED, message, "name hosts within the scope in every route")

    def _check_bindings(
        self, document: RuleDocument, selectors: list[Selector], routes: list[Route], *, anywhere: bool
    ) -> bool:
        """Whether both sides bind a name in common; reports names that would not tie the sides together."""
        callers_may = NO_NAMES.union(*(selector.may_bind for selector in selectors))
        routes_may = NO_NAMES.union(*(route.may_bind for route in routes))
        shared = callers_may & routes_may
        callers_lack = [name for name in shared if not all(name in selector.must_bind for selector in selectors)]
        routes_lack = [name for name in shared if anywhere or not all(name in route.must_bind for route in routes)]
        for lacking, side in ((callers_lack, "identity"), (routes_lack, "route")):
            if lacking:
                names = listed(sorted(lacking), "and")
                message = f"some {side} of this rule does not bind {names}, which the other side binds"
                hint = "what is not bound would match any value; bind it in every alternative, or split the rule"
                self._findings.add(document.id, Code.BINDING_PARTIAL, message, hint)
        only_caller, only_route = callers_may - routes_may, routes_may - callers_may
        if only_caller and only_route:
            here, there = listed(sorted(only_caller), "and"), listed(sorted(only_route), "and")
            message = f"the identity binds {here} and the route {there}, each unknown to the other side"
            hint = "use one name for one value; write `*` for what is not compared"
            self._findings.add(document.id, Code.BINDING_UNMATCHED, message, hint)
        return bool(shared)

    def _set_headers(
        self,
        document: RuleDocument,
        effect: Effect,
        selectors: list[Selector],
        routes: list[Route],
        *,
        anywhere: bool,
    ) -> tuple[tuple[str, Template], ...]:
        if document.set_headers and effect is Effect.DENY:
            message = "a denied request reaches no upstream, so a `deny` rule sets no headers"
            self._findings.add(document.set_headers[0][0], Code.HEADER_INVALID, message, "take `set_headers` out")
        bound = NO_NAMES.union(_common([selector.must_bind for selector in selectors]))
        if not anywhere:
            bound |= _common([route.must_bind for route in routes])
        found: dict[str, Template] = {}
        for name, text in document.set_headers:
            checked = checked_header_name(name, "set", self._findings)
            if checked in found:
                message = f"the header {quoted(checked)} is set twice"
                self._findings.add(name, Code.HEADER_INVALID, message, "keep one of them")
            try:
                found[checked] = template = Template.parse(text.text)
            except TemplateError as error:
                self._findings.add(text, Code.TEMPLATE_INVALID, str(error))
                continue
            missing = sorted(template.captures - bound)
            if missing:
                message = f"nothing in this rule always binds {listed(missing, 'and')}"
                self._findings.add(text, Code.TEMPLATE_INVALID, message, "bind it in identity or route")
        return tuple(found.items())

    def is_shadow(self, mode: Scalar) -> bool:
        """Whether `mode`, of a rule or a file, is the one that enforces nothing."""
        if mode.text not in MODES:
            message = f"{quoted(mode.text)} is not a mode; write `enforce` or `shadow`"
            self._findings.add(mode, Code.VALUE_INVALID, message)
        return mode.text == SHADOW


def _common(names: list[frozenset[str]]) -> frozenset[str]:
    return names[0].intersection(*names[1:]) if names else NO_NAMES


def _needs_a_look(routes: list[Route]) -> bool:
    """Whether a match by host, method and path is not the whole answer for one of the routes."""
    return any(way.headers or way.binds_a_name_twice for route in routes for way in route.alternatives)
