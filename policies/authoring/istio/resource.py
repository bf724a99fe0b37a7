"""AuthorizationPolicies as they were written: which words stand where, nothing of what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.language.node import Scalar
from policies.language.problem import Position, Problem

Texts = tuple[Scalar, ...]
#: The fields of a source or an operation that were written, by their name; no list is empty.
Fields = Mapping[str, Texts]


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `when`."""

    key: Scalar
    values: Texts
    not_values: Texts


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `sources` and `operations` are empty where `from` and `to` are not written, which means any.

    `problems`: what could not be read; such a rule says less than its author meant.
    """

    at: Position
    sources: tuple[Fields, ...]
    operations: tuple[Fields, ...]
    conditions: tuple[Condition, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class AuthorizationPolicy:
    """One resource. `action` is one of Istio's words; `labels` is what `selector.matchLabels` asks for.

    `dry_run`: the annotation `istio.io/dry-run` says that Istio does not enforce it.
    """

    at: Position
    namespace: str
    name: str
    action: str
    labels: Mapping[str, str]
    dry_run: bool
    rules: tuple[Rule, ...]

    @property
    def title(self) -> str:
        """`NAMESPACE/NAME`."""
        return f"{self.namespace}/{self.name}"
