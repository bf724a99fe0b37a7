"""Allows with exclusions ("every method but"), which peergate can only say by a deny beside them.

A deny is for everybody, whatever another rule allows. So it says the same as the exclusion only where no other rule
that allows reaches what it denies; otherwise the rule with the exclusion is not carried over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.operations import Exclusion, Route
from policies.authoring.istio.plan import Piece
from policies.language.node import Scalar
from policies.language.problem import Problem
from policies.language.wording import quoted


def with_exceptions(pieces: list[Piece]) -> list[Piece]:
    """The pieces, those that allow with an exclusion completed, or with the problem why that is not possible."""
    allowing = [
        route
        for piece in pieces
        if piece.policy.action == "ALLOW" and not piece.problems
        for route in piece.carried.routes
    ]
    return [_completed(piece, allowing) for piece in pieces]


def _completed(piece: Piece, allowing: list[Route]) -> Piece:
    routes = piece.carried.routes
    if not any(route.excluded for route in routes) or piece.problems:
        return piece
    problems: list[Problem] = []
    denied: dict[tuple[str, ...], dict[Exclusion, None]] = {}
    for route in routes:
        others = [other for other in allowing if set(other.hosts) & set(route.hosts)]
        for exclusion, word in route.excluded.items():
            if piece.policy.action == "DENY" or not all(other.leaves_out(exclusion) for other in others):
                problems.append(_problem(piece, word))
            denied.setdefault(route.hosts, {})[exclusion] = None
    exceptions = tuple(route for hosts, exclusions in denied.items() for route in _denied(hosts, exclusions))
    return replace(piece, problems=tuple(sorted(set(problems))), exceptions=exceptions)


def _denied(hosts: tuple[str, ...], exclusions: Iterable[Exclusion]) -> Iterator[Route]:
    methods = tuple(value for name, value in exclusions if name == "methods")
    paths = tuple(value for name, value in exclusions if name == "paths")
    if methods:
        yield Route(hosts, methods=methods)
    if paths:
        yield Route(hosts, paths=paths)


def _problem(piece: Piece, word: Scalar) -> Problem:
    said = f"{quoted(word.text)} is excluded here, and peergate has no words for everything but that"
    if piece.policy.action == "DENY":
        return Problem(word.at, ImportCode.INEXACT, said, "list the methods and paths that are denied")
    hint = "list the methods and paths that are allowed"
    message = f"{said}: a deny beside it would also hit what another rule allows on the same host"
    return Problem(word.at, ImportCode.INEXACT, message, hint)
