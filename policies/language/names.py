"""Names and ids: what authors call their identities, routes, zones, trust entries and rules."""

import re
from dataclasses import dataclass

from policies.language.codes import Code
from policies.language.node import Node, Scalar
from policies.language.problem import Problems
from policies.language.shape import refuse
from policies.language.wording import listed, quoted

#: The whole of a name or id.
NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
#: Names that the language itself defines.
RESERVED_NAMES = ("any", "anyone", "authenticated", "unauthenticated")
_NAME = re.compile(NAME_PATTERN)
_FORM = "letters, digits, `.`, `_` and `-`, the first one a letter or digit, 128 at most"


@dataclass(frozen=True, slots=True)
class Name:
    """A name. `defines`: it is given to something here, so it may not be one of the reserved ones.

    `otherwise`: the hint for an author who wrote something else than a name.
    """

    noun: str
    example: str
    defines: bool = False
    otherwise: str = f"a name has {_FORM}"

    def read(self, node: Node, label: str, problems: Problems) -> Scalar | None:
        """The scalar, or None if it is none or no name."""
        if not isinstance(node, Scalar) or not node.text:
            refuse(node, self, label, problems)
            return None
        if not _NAME.fullmatch(node.text):
            message = f"{quoted(node.text)} cannot be {self.noun}"
            problems.add(node.at, Code.NAME_INVALID, message, self.otherwise)
            return None
        if self.defines and node.text in RESERVED_NAMES:
            message = f"{quoted(node.text)} has a meaning of its own and cannot be {self.noun}"
            problems.add(node.at, Code.NAME_RESERVED, message, f"choose another than {listed(RESERVED_NAMES, 'and')}")
            return None
        return node
