"""What an Istio operation means, as a route of peergate on the hosts of the workloads.

peergate has no words for "every method but" and "every path but". A list of methods or literal paths is shortened by
what is excluded; elsewhere the exclusion is kept with the route, as an allow may be carried over with it
(`exceptions`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.authoring.istio.host_match import host_is_meant
from policies.authoring.istio.path_patterns import ANY_PATH, matches_path, may_meet, paths_from_value
from policies.authoring.istio.ports import port_is_meant
from policies.authoring.istio.resource import Fields, Texts
from policies.language.compiler.routes import method_from_text
from policies.language.node import Scalar
from policies.language.problem import Problems
from policies.language.wording import quoted

P = ParamSpec("P")
T = TypeVar("T")
#: A field of a route, and one value of it.
Exclusion = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A route on `hosts`, at least one. `methods` and `paths` are empty for any.

    `excluded`: requests of these methods or paths are on the route as it is written, and yet not meant; each comes with
    the word that says so.
    """

    hosts: tuple[str, ...]
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: Mapping[Exclusion, Scalar] = field(default_factory=dict)

    def leaves_out(self, exclusion: Exclusion) -> bool:
        """Whether no request of the excluded method or path is meant."""
        name, value = exclusion
        if exclusion in self.excluded:
            return True
        if name == "methods":
            return bool(self.methods) and value not in self.methods
        return bool(self.paths) and not any(may_meet(path, value) for path in self.paths)

    def written(self) -> dict[str, object]:
        """As a policy says it; `excluded` is not in it."""
        fields = {"hosts": list(self.hosts), "methods": list(self.methods), "paths": list(self.paths)}
        headers = {name: list(values) for name, values in self.headers.items()}
        return {name: value for name, value in {**fields, "headers": headers}.items() if value}


def route_from_operation(
    operation: Fields, hosts: tuple[str, ...], port: int | None, problems: Problems
) -> Route | None:
    """The route, or None if it could match no request, or if there were problems."""
    known = len(problems)
    wanted, unwanted = _pair(operation, "hosts")
    meant = [host for host in hosts if _tried(problems, host_is_meant, host, wanted, unwanted)]
    is_port = _tried(problems, port_is_meant, port, *_pair(operation, "ports"))
    methods = _methods(*_pair(operation, "methods"), problems)
    paths = _paths(*_pair(operation, "paths"), problems)
    if len(problems) > known or not meant or not is_port or methods is None or paths is None:
        return None
    return Route(tuple(meant), methods[0], paths[0], {}, {**methods[1], **paths[1]})


#: What is meant (empty: any), and what of it is excluded.
Found = tuple[tuple[str, ...], dict[Exclusion, Scalar]]


def _methods(values: Texts, not_values: Texts, problems: Problems) -> Found | None:
    """The methods; None if none is left."""
    meant = [method for value in values if (method := _tried(problems, _method, value))]
    excluded = {("methods", method): value for value in not_values if (method := _tried(problems, _method, value))}
    if ("methods", "*") in excluded:
        return None
    if "*" in meant or not values:
        return (), excluded
    left = tuple(dict.fromkeys(method for method in meant if ("methods", method) not in excluded))
    return (left, {}) if left else None


def _method(value: Scalar) -> str:
    """A method, or `*`. Raises NotCarriedError."""
    if value.text == "*":
        return "*"
    if "*" in value.text:
        message = f"peergate compares whole methods, not {quoted(value.text)}"
        raise NotCarriedError(value, ImportCode.INEXACT, message, "list the methods")
    try:
        return method_from_text(value.text)
    except ValueError as error:
        raise NotCarriedError(value, ImportCode.INEXACT, str(error), "") from None


def _paths(values: Texts, not_values: Texts, problems: Problems) -> Found | None:
    """The paths; None if none is left."""
    excluded: dict[Exclusion, Scalar] = {}
    for value in not_values:
        paths = _tried(problems, paths_from_value, value)
        if paths == ANY_PATH:
            return None
        excluded |= {("paths", path): value for path in paths or ()}
    meant = [_tried(problems, paths_from_value, value) or () for value in values]
    listed = tuple(dict.fromkeys(path for paths in meant for path in paths))
    if ANY_PATH in meant or not values:
        return (), excluded
    if not all(paths == (value.text,) for value, paths in zip(values, meant, strict=True)):
        return listed, excluded
    left = tuple(path for path in listed if not any(matches_path(value.text, path) for value in not_values))
    return (left, {}) if left else None


def _pair(operation: Fields, name: str) -> tuple[Texts, Texts]:
    return operation.get(name, ()), operation.get(f"not{name.capitalize()}", ())


def _tried(problems: Problems, made: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    try:
        return made(*args, **kwargs)
    except NotCarriedError as error:
        problems.add(error.word.at, error.code, error.message, error.hint)
        return None
