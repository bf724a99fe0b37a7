"""The matrix of one policy: proved from the form of its selectors and routes, so it holds for every request.

Pairs that no rule is about in particular are not stored: of 10 000 identities and 10 000 routes there are too many.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.authoring.limits import MAX_MATRIX_USES
from policies.authoring.lint.places import Places
from policies.authoring.matrix.axes import Axis, columns_of, rows_of, told_apart
from policies.authoring.matrix.cell import EMPTY_CELL, Cell, Condition, Kind, Use, cell_from_uses
from policies.authoring.matrix.conditions import (
    another_caller,
    another_request,
    bound_condition,
    circumstances,
    conflict_condition,
    header_condition,
)
from policies.authoring.matrix.kinship import CallerKinship, Kin
from policies.authoring.matrix.naming import selector_text
from policies.authoring.matrix.reach import Reach, RouteReach
from policies.engine.limits import MAX_JOINED_PAIRS
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.engine.selector import NO_NAMES, Anyone
from policies.language.wording import quoted
from policies.peer.limits import MAX_SANS
from policies.reason import Effect

_NARROW = (
    "An identity that has any of several names, or a name with a wildcard before what tells it apart, may be the "
    "caller of every other: narrow those, leave out files of the policy, or ask `policy explain` about single requests"
)


class MatrixTooLargeError(ValueError):
    """More in the cells than anybody reads."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows are identities, columns routes.

    - `own`: (row, column) -> the rules that are about both; what is not there follows from the other two.
    - `of_row`: deny rules `to: any`, for each row. `of_column`: rules that deny `anyone`, for each column.
    - `elsewhere`: enforced deny rules that hit a caller of any row who is also one of theirs, by another name of his
      certificate, say; each as (rule, its callers).
    - `same_name`: `strict_sni`, so every request needs the TLS server name of its host.
    """

    generation: str
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    own: Mapping[tuple[int, int], Sequence[Use]]
    of_row: Sequence[Sequence[Use]]
    of_column: Sequence[Sequence[Use]]
    elsewhere: tuple[tuple[Use, str], ...]
    same_name: bool
    descriptions: Mapping[str, str]

    def cell(self, row: int, column: int) -> Cell:
        """What the policy says of a caller of `row` on `column`."""
        uses = [*self.own.get((row, column), ()), *self.of_row[row], *self.of_column[column]]
        return cell_from_uses(uses) if uses else EMPTY_CELL

    def own_cells(self) -> Iterator[tuple[int, int, Cell]]:
        """The cells that some rule is about in particular, row by row."""
        for row, column in sorted(self.own):
            yield row, column, self.cell(row, column)


def matrix_from_policy(policy: PolicySet, places: Places) -> Matrix:
    """The matrix of `policy`, whose files `places` has. Raises MatrixTooLargeError."""
    return _Filling(policy, places).matrix()


class _Filling:
    """A matrix in the making."""

    def __init__(self, policy: PolicySet, places: Places) -> None:
        self._policy = policy
        self._places = places
        rows, self._selectors = rows_of(policy)
        columns, ways = columns_of(policy)
        self._rows, self._columns = told_apart(rows), told_apart(columns)
        self._kinship = CallerKinship(policy, self._selectors)
        self._reach = RouteReach(policy, ways)
        self._own: dict[tuple[int, int], list[Use]] = {}
        self._of_row: list[list[Use]] = [[] for _ in rows]
        self._of_column: list[list[Use]] = [[] for _ in columns]
        self._elsewhere: list[tuple[Use, str]] = []
        self._uses = 0
        self._widest: tuple[int, str] = (0, "")

    def matrix(self) -> Matrix:
        """The filled matrix."""
        for rule in self._policy.rules:
            self._fill(rule)
        self._count_shared()
        if self._policy.setting:
            self._add_conflicts()
        return Matrix(
            self._policy.generation,
            self._rows,
            self._columns,
            self._own,
            self._of_row,
            self._of_column,
            tuple(self._elsewhere),
            self._policy.strict_sni,
            {rule.id: rule.description for rule in self._policy.rules if rule.description},
        )

    def _fill(self, rule: Rule) -> None:
        always = (*circumstances(self._places.rules[rule.id]), *self._joined(rule))
        kin = self._kinship.of(rule)
        if rule.effect is Effect.DENY and not rule.shadow and self._kinship.is_stray(rule):
            said = " or ".join(self._callers(rule))
            self._elsewhere.append((Use(rule.id, rule.effect, rule.shadow, (*self._route(rule), *always)), said))
        if rule.effect is Effect.DENY and rule.anywhere:
            self._count(rule, len(kin))
            for one in kin:
                self._of_row[one.row].append(self._use(rule, [*self._caller(rule, one), *always]))
            return
        reached = [(reach, self._request(rule, reach)) for reach in self._reach.of(rule)]
        if rule.effect is Effect.DENY and self._denies_anyone(rule):
            self._count(rule, len(reached))
            for reach, conditions in reached:
                self._of_column[reach.column].append(self._use(rule, [*conditions, *always]))
            return
        self._count(rule, len(kin) * len(reached))
        for one in kin:
            of_caller = self._caller(rule, one)
            for reach, conditions in reached:
                use = self._use(rule, [*of_caller, *conditions, *always])
                self._own.setdefault((one.row, reach.column), []).append(use)

    def _count(self, rule: Rule, pairs: int) -> None:
        """`rule` is about `pairs` of an identity and a route, or about so many of one of them."""
        self._uses += pairs
        self._widest = max(self._widest, (pairs, rule.id))
        if self._uses > MAX_MATRIX_USES:
            most, widest = self._widest
            raise MatrixTooLargeError(
                f"its rules are about more than {MAX_MATRIX_USES:,} pairs of an identity and a route, a pair counted "
                f"for each of its rules; no matrix shows so many. Most so far are of "
                f"{quoted(widest)}: {most:,}. {_NARROW}"
            )

    def _count_shared(self) -> None:
        """Rules about a whole row or column stand in each of its cells."""
        of_row, of_column = list(map(len, self._of_row)), list(map(len, self._of_column))
        shown = self._uses + sum(of_row[row] + of_column[column] for row, column in self._own)
        if shown > MAX_MATRIX_USES:
            raise MatrixTooLargeError(
                f"its {len(self._own):,} cells would have {shown:,} rules in them, and no matrix shows more than "
                f"{MAX_MATRIX_USES:,}: who denies a whole row or column stands in each of its cells. {_NARROW}"
            )

    def _use(self, rule: Rule, conditions: Iterable[Condition]) -> Use:
        return Use(rule.id, rule.effect, rule.shadow, tuple(conditions))

    def _denies_anyone(self, rule: Rule) -> bool:
        return any(isinstance(self._policy.identities[at].selector, Anyone) for at in rule.callers)

    def _callers(self, rule: Rule) -> list[str]:
        identities = [self._policy.identities[at] for at in rule.callers]
        return [identity.name or selector_text(identity.selector) for identity in identities]

    def _caller(self, rule: Rule, kin: Kin) -> tuple[Condition, ...]:
        return () if kin.certain else (another_caller(self._callers(rule)),)

    def _request(self, rule: Rule, reach: Reach) -> tuple[Condition, ...]:
        if reach.covered:
            return ()
        return another_request(self._places.rules[rule.id]), *map(header_condition, sorted(reach.headers))

    def _route(self, rule: Rule) -> tuple[Condition, ...]:
        return () if rule.anywhere else (another_request(self._places.rules[rule.id]),)

    def _joined(self, rule: Rule) -> Iterable[Condition]:
        """Names that caller and route share; and what `engine.truth.joined` no longer compares."""
        if not rule.joins:
            return
        routes = [self._policy.routes[position] for position in rule.routes]
        of_callers = NO_NAMES.union(*(self._policy.identities[at].selector.may_bind for at in rule.callers))
        shared = of_callers & NO_NAMES.union(*(route.may_bind for route in routes))
        if shared:
            yield bound_condition(sorted(shared))
        ways = sum(len(route.alternatives) for route in routes)
        if len(rule.callers) * (MAX_SANS if rule.caller_binds else 1) * ways > MAX_JOINED_PAIRS:
            yield Condition(Kind.BOUND, f"at most {MAX_JOINED_PAIRS} ways to match have to be compared")

    def _add_conflicts(self) -> None:
        """Allow rules that may tell the upstream different things refuse the request together."""
        setting = {rule.id: dict(rule.set_headers) for rule in self._policy.rules_in(self._policy.setting)}
        for uses in self._own.values():
            told: dict[str, Use] = {}
            for use in [use for use in uses if use.effect is Effect.ALLOW and use.rule in setting]:
                for name, template in setting[use.rule].items():
                    first = told.setdefault(name, use)
                    same = setting[first.rule][name] == template and not template.captures
                    if first is not use and not same:
                        shadow = use.shadow or first.shadow
                        uses.append(Use(use.rule, Effect.DENY, shadow, (conflict_condition(first.rule, name),)))
