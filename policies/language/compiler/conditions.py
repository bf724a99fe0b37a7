"""Zones, `from`, `not_from` and `when`."""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from policies.engine.condition import Networks, Origin, When
from policies.engine.host import HostPattern
from policies.engine.pattern import PatternError
from policies.language.codes import Code
from policies.language.compiler.findings import Findings
from policies.language.compiler.values import DAYS, epoch_from_moment, hours_from_text, network_from_text
from policies.language.document import Texts, WhenDocument, ZoneDocument
from policies.language.node import Scalar
from policies.language.suggestion import Vocabulary
from policies.language.surroundings import Surroundings
from policies.language.wording import listed, quoted

T = TypeVar("T")


class Conditions:
    """Compiles what a rule asks of connection and time."""

    def __init__(self, zones: Mapping[str, ZoneDocument], surroundings: Surroundings, findings: Findings) -> None:
        self._findings = findings
        self._surroundings = surroundings
        self._zones = {name: self._networks_of(zone) for name, zone in zones.items()}
        self._zone_names = Vocabulary(zones)

    def origin(self, inside: Texts, outside: Texts) -> Origin | None:
        """`from` and `not_from`; None if neither is given."""
        if not inside and not outside:
            return None
        return Origin(self._networks(inside), self._networks(outside))

    def when(self, document: WhenDocument | None) -> When | None:
        """`when`; None if it is not given."""
        if document is None:
            return None
        after = self._read_one(document.after, epoch_from_moment)
        before = self._read_one(document.before, epoch_from_moment)
        if after is not None and before is not None and after >= before:
            message = "the window is empty: `after` is not earlier than `before`"
            self._findings.add(document.at, Code.WINDOW_EMPTY, message, "put the earlier moment into `after`")
        return When(
            tuple(self._read(document.sni, _sni, Code.PATTERN_INVALID)),
            after,
            before,
            frozenset(self._read(document.days, _day)),
            tuple(self._read(document.hours, hours_from_text)),
            self._timezone(document.timezone),
        )

    def _networks_of(self, zone: ZoneDocument) -> list[IPv4Network | IPv6Network]:
        try:
            network_from_text(zone.name.text)
        except ValueError:
            pass
        else:
            message = f"the zone {quoted(zone.name.text)} is named like an address, so `from` could mean either"
            self._findings.add(zone.name, Code.NAME_INVALID, message)
        return self._read(zone.networks, network_from_text, Code.NETWORK_INVALID)

    def _networks(self, items: Texts) -> Networks | None:
        if not items:
            return None
        found: list[IPv4Network | IPv6Network] = []
        for item in items:
            if item.text in self._zones:
                found += self._zones[item.text]
            elif "/" in item.text or ":" in item.text or item.text.replace(".", "").isdigit():
                found += self._read((item,), network_from_text, Code.NETWORK_INVALID)
            else:
                self._findings.unknown_name(item, "zone", self._zone_names)
        return Networks(found)

    def _timezone(self, name: Scalar | None) -> tzinfo:
        if name is None:
            return UTC
        try:
            return self._surroundings.timezone(name.text)
        except KeyError:
            message = f"{quoted(name.text)} is not an IANA time zone; write one such as Europe/Berlin"
            self._findings.add(name, Code.VALUE_INVALID, message)
            return UTC

    def _read_one(self, text: Scalar | None, value: Callable[[str], T]) -> T | None:
        found = self._read((text,), value) if text is not None else []
        return found[0] if found else None

    def _read(self, texts: Texts, value: Callable[[str], T], code: Code = Code.VALUE_INVALID) -> list[T]:
        found: list[T] = []
        for text in texts:
            try:
                found.append(value(text.text))
            except ValueError as error:
                self._findings.add(text, code, str(error))
        return found


def _sni(text: str) -> HostPattern:
    pattern = HostPattern.parse(text)
    if pattern.capture is not None:
        raise PatternError(f"{quoted(text)}: `sni` binds nothing; write `*` for the label")
    return pattern


def _day(text: str) -> int:
    if text not in DAYS:
        raise ValueError(f"{quoted(text)} is not a day; write one of {listed(DAYS, 'or')}")
    return DAYS.index(text)
