"""Collects the problems of one compilation, so that an author sees all of them at once."""

from policies.language.codes import Code
from policies.language.node import Scalar
from policies.language.problem import Position, Problem, Problems
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.wording import quoted

#: Where a kind of name is defined.
_SECTIONS = {"identity": "identities", "route": "routes", "trust entry": "trust", "zone": "zones"}


class Findings:
    """Problems found so far.

    `complete`: whether every file could be read. If not, a name that is not defined may be defined in the file that
    could not, and is not reported. `whole`: whether nothing was left out of the files that were read; if something was,
    what seems to be missing is not reported.
    """

    def __init__(self, *, complete: bool, whole: bool) -> None:
        self._complete = complete
        self._whole = whole
        self._problems = Problems()

    def add(self, at: Position | Scalar, code: Code, message: str, hint: str = "") -> None:
        """Note one problem."""
        self._problems.add(at.at if isinstance(at, Scalar) else at, code, message, hint)

    def missing(self, at: Position | Scalar, code: Code, message: str, hint: str) -> None:
        """Note that something is not there, unless it may have been left out as unreadable."""
        if self._complete and self._whole:
            self.add(at, code, message, hint)

    def unknown_name(self, name: Scalar, what: str, known: Vocabulary) -> None:
        """Note that `name` is no `what`, with the nearest one that is."""
        if self._complete:
            hint = did_you_mean(name.text, known) or f"define it under `{_SECTIONS[what]}`"
            self.add(name, Code.NAME_UNKNOWN, f"there is no {what} named {quoted(name.text)}", hint)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, sorted."""
        return self._problems.sorted()
