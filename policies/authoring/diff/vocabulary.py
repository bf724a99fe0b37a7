"""The words that two policies mention, and new ones that neither does."""

import re
from collections.abc import Callable, Iterable

from policies.authoring.diff.literal import CallerIs, Condition, SniIn
from policies.authoring.diff.parts import PolicyParts
from policies.authoring.diff.words import labels_pattern
from policies.engine.pattern import SegmentPattern, Wild
from policies.engine.selector import DigestIn, DnsIs, NameHas, NameIs, SerialIn, UriIs

_UNFIT = re.compile("[^a-z0-9]+")


class Vocabulary:
    """What both policies speak of. Depths count segments; `conditions` are all kinds of conditions that occur."""

    def __init__(self, both: Iterable[PolicyParts]) -> None:
        self.words: set[str] = set()
        self.host_depth = self.path_depth = self.uri_depth = 1
        self.kinds: set[object] = set()
        #: Whether a URI pattern outside of the SPIFFE trust domains ends in `**`.
        self.has_open_uris = False
        self._seen: set[object] = set()
        for policy in both:
            for rule in policy.rules.values():
                for place in rule.places:
                    self.host_depth = max(self.host_depth, self._read(place.labels))
                    self.path_depth = max(self.path_depth, self._read(place.path))
                    self._read_all(literal.condition for literal in place.literals)
                for caller in rule.callers:
                    self._read_all(literal.condition for literal in caller)

    def fresh(self) -> Callable[[str], str]:
        """Makes a new word for something named so, distinct at every call: lower-case letters and digits."""
        counts: dict[str, int] = {}
        used: set[str] = set()

        def word(name: str) -> str:
            base = _UNFIT.sub("", name.lower()) or "x"
            base = base if base[0].isalpha() else f"x{base}"
            while True:
                counts[base] = counts.get(base, 0) + 1
                found = f"{base}{counts[base]}"
                if found not in self.words and found not in used:
                    used.add(found)
                    return found

        return word

    def _read_all(self, conditions: Iterable[Condition]) -> None:
        for condition in conditions:
            if condition in self._seen:
                continue
            self._seen.add(condition)
            self.kinds.add(kind_of(condition))
            if isinstance(condition, SniIn):
                depths = [self._read(labels_pattern(pattern)) for pattern in condition.patterns]
                self.host_depth = max(self.host_depth, *depths)
            elif isinstance(condition, CallerIs) and isinstance(condition.selector, UriIs):
                pattern = condition.selector.pattern
                self.uri_depth = max(self.uri_depth, self._read(pattern))
                self.has_open_uris = self.has_open_uris or (pattern.rest and condition.selector.trust is None)
            elif isinstance(condition, CallerIs) and isinstance(condition.selector, DnsIs):
                self._read(labels_pattern(condition.selector.pattern))

    def _read(self, pattern: SegmentPattern | None) -> int:
        """Note the words of `pattern`; its depth."""
        if pattern is None:
            return 0
        if pattern not in self._seen:
            self._seen.add(pattern)
            self.words.update(part for part in pattern.segments if not isinstance(part, Wild))
        return len(pattern.segments)


def kind_of(condition: Condition) -> object:
    """Which fact of a request or a caller `condition` is about; facts that can be unknown are kept apart."""
    if not isinstance(condition, CallerIs):
        return type(condition)
    selector = condition.selector
    if isinstance(selector, NameHas | NameIs):
        return "issuer" if selector.of_issuer else "subject"
    if isinstance(selector, DigestIn):
        return "pins" if selector.of_spki else "fingerprint"
    return "serial" if isinstance(selector, SerialIn) else type(selector)
