"""What a load leaves for the next one: what it read and compiled, by the content that it came from.

Law: a load that takes from it gives what it would give without. So only what depends on nothing but its content is
taken, and nothing that is taken changes. It is of the last load alone, however many there were.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from hashlib import sha256

from policies.engine.policy_set import PolicySet
from policies.language.compiler.parts import NO_PARTS, Part
from policies.language.document import PolicyDocument
from policies.language.problem import Problem
from policies.language.reading import document_from_bytes
from policies.language.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One policy file as it was read. `sha256`: of its content."""

    sha256: bytes
    document: PolicyDocument | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Rules without a problem: those of `policy`.

    They follow from `digests` (name of a policy file -> SHA-256 of its content), `domains` (SPIFFE trust domain ->
    entry) and `timezones`, and from nothing else. `parts`: the single ones.
    """

    digests: Mapping[str, bytes]
    domains: Mapping[str, str]
    timezones: Mapping[str, tzinfo]
    policy: PolicySet
    parts: Mapping[Hashable, Part]


@dataclass(frozen=True, slots=True)
class LoadMemory:
    """`files`: of the last load, by name. `rules`: the last that had no problem."""

    files: Mapping[str, ReadFile] = field(default_factory=dict)
    rules: CompiledRules | None = None

    @property
    def parts(self) -> Mapping[Hashable, Part]:
        """What single documents compiled to."""
        return NO_PARTS if self.rules is None else self.rules.parts

    def file(self, name: str, data: bytes) -> ReadFile:
        """The policy file `name` with this content: as it was read before, if it is known."""
        digest = sha256(data).digest()
        known = self.files.get(name)
        if known is not None and known.sha256 == digest:
            return known
        return ReadFile(digest, *document_from_bytes(name, data))

    def known_rules(
        self, digests: Mapping[str, bytes], domains: Mapping[str, str], surroundings: Surroundings
    ) -> CompiledRules | None:
        """The rules of files with these digests under these trust domains; None if they are to be compiled."""
        rules = self.rules
        if rules is None or rules.digests != digests or rules.domains != domains:
            return None
        try:
            same = all(surroundings.timezone(name) is zone for name, zone in rules.timezones.items())
        except KeyError:
            return None
        return rules if same else None


NOTHING_LOADED = LoadMemory()
