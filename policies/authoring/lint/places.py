"""Where the rules and names of a policy stand in its files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.language.document import PolicyDocument, RuleDocument
from policies.language.problem import Position
from policies.language.reading import document_from_bytes


@dataclass(frozen=True, slots=True)
class Places:
    """The authored side of a policy that was loaded."""

    documents: tuple[PolicyDocument, ...]
    rules: Mapping[str, RuleDocument]

    def rule(self, rule_id: str) -> Position:
        """Where the id of a rule stands."""
        return self.rules[rule_id].id.at


def places_from_files(files: Mapping[str, bytes]) -> Places:
    """Read the files of a policy once more, for their places."""
    documents = tuple(_documents(files))
    return Places(documents, {rule.id.text: rule for document in documents for rule in document.rules})


def _documents(files: Mapping[str, bytes]) -> Iterable[PolicyDocument]:
    for name in sorted(files):
        document, _ = document_from_bytes(name, files[name])
        if document is not None:
            yield document
