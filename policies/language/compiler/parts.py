"""Single identities, routes and rules that were compiled before, for documents that are the very same now."""

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar, cast

T = TypeVar("T")


class Part(NamedTuple):
    """What a document was compiled to. `context`: all else that it depends on."""

    document: object
    context: object
    compiled: object


class Parts:
    """What documents compile to, each for itself. `known`: of a load without problems; `found`: of this one.

    Documents are told apart as objects, which `known` keeps alive: the same file was not read again.
    """

    def __init__(self, known: Mapping[Hashable, Part]) -> None:
        self._known = known
        self.found: dict[Hashable, Part] = {}

    def of(self, kind: Hashable, document: object, context: object, make: Callable[[], T]) -> T:
        """What `make` makes of `document` and `context`, and of nothing else; made before, if they are the same."""
        key = kind, id(document)
        part = self._known.get(key)
        if part is None or part.document is not document or part.context != context:
            part = Part(document, context, make())
        self.found[key] = part
        return cast("T", part.compiled)


NO_PARTS: Mapping[Hashable, Part] = {}
