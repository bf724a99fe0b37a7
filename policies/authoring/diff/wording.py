"""Callers, places and rules in words, as their authors wrote them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from policies.authoring.diff.literal import (
    Admitted,
    CallerIs,
    ClockIn,
    GrpcContent,
    HeaderHas,
    Literal,
    Literals,
    MethodIn,
    NotBefore,
    SniIn,
    SourceIn,
)
from policies.authoring.diff.parts import Place
from policies.authoring.selector_words import field_text
from policies.engine.pattern import SegmentPattern
from policies.engine.selector import (
    Selector,
    TrustIs,
    Unauthenticated,
)
from policies.language.compiler.values import DAYS

#: Conditions of one caller that are spelled out.
_MOST = 4
_DIGITS = 16


def caller_text(literals: Literals, entries: Mapping[str, str]) -> str:
    """The caller alternative; `entries`: the name in both policies -> a name that people know."""
    told = sorted(
        (not literal.is_positive, text)
        for literal in literals
        if (text := _caller_literal(literal, entries)) and not _goes_without_saying(literal, literals)
    )
    texts = [text for _, text in told]
    if len(texts) > _MOST:
        texts = [*texts[:_MOST], f"{len(texts) - _MOST} more conditions"]
    return " and ".join(texts) or "anyone"


def place_texts(places: Iterable[Place]) -> tuple[str, ...]:
    """`GET, PUT host/path, host/other with header … from …`: one text for all that differ in method or target only."""
    methods: dict[tuple[str, tuple[str, ...], bool], set[str]] = {}
    for place in places:
        grpc = any(isinstance(literal.condition, GrpcContent) for literal in place.literals)
        found = methods.setdefault((_target(place), tuple(conditions(place)), grpc), set())
        found.update(_methods(place))
    targets: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (target, asked, grpc), named in methods.items():
        verb = "gRPC" if grpc else ", ".join(sorted(named)) or "any method"
        targets.setdefault((verb, asked), []).append(target)
    return tuple(" ".join([verb, ", ".join(found), *asked]) for (verb, asked), found in targets.items())


def _target(place: Place) -> str:
    path = path_text(place.path)
    if place.host is None:
        return f"*{path}" if path else "everything"
    return f"{place.host}{path or '/**'}"


def path_text(pattern: SegmentPattern | None) -> str:
    """A path pattern as a policy writes it; empty for any path."""
    return "" if pattern is None else f"/{pattern}"


def conditions(place: Place) -> list[str]:
    """What a place asks beside method, host and path."""
    return sorted(filter(None, map(_condition, place.literals)))


def _methods(place: Place) -> Iterable[str]:
    for literal in place.literals:
        if isinstance(literal.condition, MethodIn):
            yield from literal.condition.methods


def _condition(literal: Literal) -> str:
    condition = literal.condition
    match condition:
        case HeaderHas(header):
            return f"with {header.name}: {' or '.join(sorted(header.values))}"
        case SourceIn(networks):
            return f"{'' if literal.is_positive else 'not '}from {', '.join(sorted(map(str, networks)))}"
        case SniIn(patterns):
            return f"when the server name is {' or '.join(map(str, patterns))}"
        case NotBefore(moment):
            return f"{'after' if literal.is_positive else 'before'} {moment_text(moment)}"
        case ClockIn():
            return _clock(condition)
    return ""


def moment_text(moment: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def _clock(clock: ClockIn) -> str:
    days = ", ".join(DAYS[day] for day in sorted(clock.days))
    hours = ", ".join(
        f"{window.start // 60:02}:{window.start % 60:02}-{window.end // 60:02}:{window.end % 60:02}"
        for window in clock.hours
    )
    return f"on {' '.join(filter(None, (days or 'any day', hours)))} {clock.timezone}"


def _goes_without_saying(literal: Literal, literals: Literals) -> bool:
    """An entry that is only there because every caller has one."""
    return isinstance(literal.condition, Admitted) and len(literals) > 1


def _caller_literal(literal: Literal, entries: Mapping[str, str]) -> str:
    condition = literal.condition
    if isinstance(condition, Admitted):
        return "anyone" if literal.is_positive else f"no caller of {_entries(condition.entries, entries)}"
    text = _selector(condition.selector, entries) if isinstance(condition, CallerIs) else ""
    return text if literal.is_positive else f"not {text}"


def _selector(selector: Selector, entries: Mapping[str, str]) -> str:
    match selector:
        case TrustIs(names):
            return f"a certificate of {_entries(names, entries)}"
        case Unauthenticated():
            return "anyone without a certificate"
    return field_text(selector)


def _entries(keys: Iterable[str], names: Mapping[str, str]) -> str:
    return " or ".join(sorted(names[key] for key in keys))
