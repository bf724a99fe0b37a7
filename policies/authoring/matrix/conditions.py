"""The conditions of a rule in words, as its author wrote them."""

from collections.abc import Iterable

from policies.authoring.matrix.cell import Condition, Kind
from policies.language.document import RouteDocument, RuleDocument, Texts, WhenDocument
from policies.language.wording import listed


def circumstances(document: RuleDocument) -> Iterable[Condition]:
    """What a rule asks beside caller and route: address, time, server name."""
    if document.from_:
        yield Condition(Kind.SOURCE, f"the connection comes from {_or(document.from_)}")
    if document.not_from:
        yield Condition(Kind.SOURCE, f"the connection does not come from {_or(document.not_from)}")
    if document.when is not None:
        yield from _when(document.when)


def _when(when: WhenDocument) -> Iterable[Condition]:
    if when.sni:
        yield Condition(Kind.SNI, f"the TLS server name is {_or(when.sni)}")
    if when.after is not None:
        yield Condition(Kind.TIME, f"it is {when.after.text} or later")
    if when.before is not None:
        yield Condition(Kind.TIME, f"it is before {when.before.text}")
    if when.days or when.hours:
        days = "/".join(day.text for day in when.days)
        hours = ", ".join(hours.text for hours in when.hours)
        zone = when.timezone.text if when.timezone is not None else "UTC"
        yield Condition(Kind.TIME, f"it is {' '.join(part for part in (days, hours) if part)} in {zone}")


def another_request(document: RuleDocument) -> Condition:
    """The request is on the route of the rule, too, which is narrower than the column or only crosses it."""
    names = [item.text for item in document.to if not isinstance(item, RouteDocument)]
    inline = len(names) < len(document.to)
    said = "on the route of the rule" if inline else f"on {listed(names, 'or')}"
    return Condition(Kind.REQUEST, f"the request is also {said}")


def another_caller(callers: Iterable[str]) -> Condition:
    """The caller is also one of these."""
    return Condition(Kind.CALLER, f"the caller is also {listed(callers, 'or')}")


def header_condition(name: str) -> Condition:
    """A header has one of the values that the route lists."""
    return Condition(Kind.HEADER, f"the header {name} has a value that the rule's route lists")


def bound_condition(names: Iterable[str]) -> Condition:
    """Names that both sides bind have one value."""
    return Condition(
        Kind.BOUND, f"{listed((f'{{{name}}}' for name in names), 'and')} is the same in identity and route"
    )


def conflict_condition(other: str, header: str) -> Condition:
    """Two rules that match tell the upstream different things."""
    return Condition(Kind.CONFLICT, f"rule {other} matches too and sets {header} to another value")


def _or(texts: Texts) -> str:
    return listed((text.text for text in texts), "or")
