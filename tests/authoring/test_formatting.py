"""One style: comments stay, what is said stays, and formatting twice is formatting once."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.authoring.formatting.format import formatted
from policies.authoring.formatting.source import comments_from_text
from policies.language.node import plain_from_node
from policies.language.problem import Problems
from policies.language.yaml_text import node_from_bytes
from tests.peergate.commands import LIBRARY


def style(text: str) -> str:
    data, problems = formatted("p.yaml", text.encode())
    assert data is not None, problems
    return data.decode()


def said(text: str) -> object:
    problems = Problems()
    node = node_from_bytes("p.yaml", text.encode(), problems)
    assert node is not None, problems.sorted()
    return plain_from_node(node)


LONG = ", ".join(f"/v1/collection-{number}" for number in range(8))
CASES = {
    "blanks and quotes": (
        "version:   1\nzones: { pci: [ 10.0.0.0/8,'fd00::/8' ] }   \n",
        'version: 1\nzones: {pci: [10.0.0.0/8, "fd00::/8"]}\n',
    ),
    "quotes that would need escapes": ("a: 'say \"x\"'\nb: 'it''s'\nc: '\\d'\n", None),
    "what was not quoted": ("version: 1\nstrict_sni: no\na: 12:30\nb: 2026-12-01T00:00:00Z\n", None),
    "lists are indented": (
        "rules:\n- id: a\n  allow: [b]\n-   id: c\n    to:\n    - d\n",
        "rules:\n  - id: a\n    allow: [b]\n  - id: c\n    to:\n      - d\n",
    ),
    "lists within lists": ('- "a"\n-\n\n -\n\n  - "12:30"\n', '- "a"\n\n- - - "12:30"\n'),
    "sections stand apart": (
        "version: 1\n# who\nidentities:\n  a: {dns: b}\n\n\nroutes:\n\n  c:\n    hosts: [d]\n\n\n  e: {hosts: [f]}\n\n",
        "version: 1\n\n# who\nidentities:\n  a: {dns: b}\n\nroutes:\n  c:\n    hosts: [d]\n\n  e: {hosts: [f]}\n",
    ),
    "comments behind values": (
        "a:    # of a\n    b: c   # of b\n    d: [e]# no comment\n".replace("]#", "] #"),
        "a:    # of a\n  b: c     # of b\n  d: [e]   # no comment\n",
    ),
    "a comment in its column": ("a: 1       # one\nbcd: 2     # two\n", None),
    "comments above, at the indentation of what follows": (
        "# top\na:\n# of b\n   b: c\n      # of d\n   d: e\n# end\n",
        "# top\na:\n  # of b\n  b: c\n  # of d\n  d: e\n# end\n",
    ),
    "a comment at the end of a block": (
        "a:\n    b: c\n    # - what was here\nd: e\n",
        "a:\n  b: c\n  # - what was here\nd: e\n",
    ),
    "a comment below a list that is not indented": (
        "rules:\n- a\n# - b\n\n# who\nidentities: c\n",
        "rules:\n  - a\n# - b\n\n# who\nidentities: c\n",
    ),
    "comments in brackets": (
        "a: [b, # of b\n  c] # of a\nd: {e: f\n# last\n}\n",
        "# of a\na:\n  - b  # of b\n  - c\n\nd:\n  e: f\n# last\n",
    ),
    "brackets that are too long": (
        f"rules:\n- {{id: a, to: {{paths: [{LONG}]}}}} # why\n",
        "rules:\n  # why\n  - id: a\n    to:\n      paths:\n"
        + "".join(f"        - {path}\n" for path in LONG.split(", ")),
    ),
    "a list in a list": ("- - a\n  -   b\n-\n    - c\n", "- - a\n  - b\n- - c\n"),
    "a comment behind a dash": ("-  # of a\n   a: b\n", "# of a\n- a: b\n"),
    "a value on the next line": ("a:\n  # of a\n  b\nc:   # of c\n  d\n", "# of a\na: b\nc: d # of c\n"),
    "texts of several lines": (
        "a: |\n      one\n        two\n\n      three\n\n\nb: >- # why\n  folded\n  text\nc: plain\n      text\n",
        "a: |\n  one\n    two\n\n  three\n\nb: >-  # why\n  folded\n  text\nc: plain\n  text\n",
    ),
    "texts at the end of a file": ("a: |\n  x\n  y", "a: |-\n  x\n  y\n"),
    "texts that begin with blank lines": ("a: |\n \n   x\n    y\n", "a: |\n\n  x\n   y\n"),
    "a text whose lines end with blanks": ("a: |\n    x \n    y\n", "a: |\n  x \n  y\n"),
    "a comment before a text of several lines": ("a:  # of a\n  |\n  x\n", "# of a\na: |\n  x\n"),
    "two comments for one line": ("a: # one\n  { # two\n  b: c}\n", "a: # one\n  # two\n  b: c\n"),
    "a comment in empty brackets": ("a: [ # none\n ]\nb: c\n", "a: [] # none\nb: c\n"),
    "nothing but a mark": ("---\n", '""\n'),
    "texts of unusual forms": ("a: |2\n   x\nb: |+\n  y\n\n", 'a: " x\\n"\nb: "y\\n\\n"\n'),
    "marks of documents": ("--- # top\na: b\n...\n# end\n", "# top\na: b\n# end\n"),
    "explicit keys": ("? a\n: b\n? 'c'\n: - d\n", 'a: b\n\n"c":\n  - d\n'),
    "CR LF": ("a: b # c\r\n\r\nd:\r\n- e\r\n", "a: b # c\n\nd:\n  - e\n"),
    "a text alone": ("  just text # why\n", "just text   # why\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_style(case: str) -> None:
    before, after = CASES[case]
    assert style(before) == (before if after is None else after)


@pytest.mark.parametrize("case", CASES)
def test_formatting_what_is_formatted_changes_nothing_and_nothing_is_lost(case: str) -> None:
    once = style(CASES[case][0])
    assert style(once) == once
    assert said(once) == said(CASES[case][0])


@pytest.mark.parametrize(
    "text", ["", "# only\n", "a: [\n", "a: &b c\n", "a: *b\n", "a: 1\na: 2\n", "%YAML 1.1\n---\na: b\n", "\0",
             "a\n---\nb"]
)  # fmt: skip
def test_what_is_no_text_of_the_language_is_refused_with_its_problems(text: str) -> None:
    data, problems = formatted("p.yaml", text.encode())
    assert data is None
    assert problems


@pytest.mark.parametrize("file", sorted(LIBRARY.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_policy_of_the_library_is_in_the_style(file: Path) -> None:
    assert formatted(str(file), file.read_bytes()) == (file.read_bytes(), ())


WORDS = st.sampled_from(
    ["a", "no", "12:30", "1.10", "~", "-x", "a b", "a#b", "x: y", "# no", "*.x", "{t}", "[", "it's", 'say "x"', "", " ",
     "é", "?", "a\\b", "a\nb", "a\n\n b\n", " lead", "trail ", "- a", "spiffe://td/sa/*", "tab\tx", "a" * 60]
)  # fmt: skip
KEYS = st.sampled_from(["id", "allow", "to", "a b", "x-y", "no", "12"])
TREES = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=14,
)


class Hand:
    """Writes a tree as an author with odd habits might."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._said = 0

    def file(self, tree: object) -> str:
        text = self.block(tree, "") if isinstance(tree, (dict, list)) and tree else f"{self.flow(tree)}\n"
        return self.remark("") + text + self.remark("")

    def remark(self, indent: str) -> str:
        """Blank lines and comments, or nothing."""
        kind = self._draw(st.sampled_from(["", "", "", "\n", "#", "\n\n#", "#\n"]))
        self._said += 1
        return kind.replace("#", f"{indent}# remark {self._said}: 'x' {{\n")

    def tail(self) -> str:
        self._said += 1
        return self._draw(st.sampled_from(["", "", " ", f" # tail {self._said}", f"      # tail {self._said}"]))

    def block(self, node: object, indent: str) -> str:
        if isinstance(node, dict):
            return "".join(
                f"{self.remark(indent)}{indent}{self.flow(key)}:{self.value(value, indent, dash=False)}"
                for key, value in node.items()
            )
        assert isinstance(node, list)
        return "".join(f"{self.remark(indent)}{indent}-{self.value(value, indent, dash=True)}" for value in node)

    def value(self, node: object, indent: str, *, dash: bool) -> str:
        step = self._draw(st.sampled_from([" ", "  ", "    "]))
        if isinstance(node, (dict, list)) and node and self._draw(st.booleans()):
            if isinstance(node, list) and not dash and self._draw(st.booleans()):
                step = ""
            return f"{self.tail()}\n{self.remark(indent)}{self.block(node, indent + step)}"
        if isinstance(node, str) and node.strip() == node and node and self._draw(st.booleans()):
            lines = "".join(f"{indent}{step}{line}\n" if line else "\n" for line in node.split("\n"))
            if not any(line.startswith(" ") for line in node.split("\n")):
                return f" |-{self.tail()}\n{lines}"
        if node in ("a b", 'say "x"') and self._draw(st.booleans()):
            first, second = str(node).split(" ")
            return f" {first}\n{indent}{step}   {second}{self.tail()}\n"
        return f" {self.flow(node)}{self.tail()}\n"

    def flow(self, node: object) -> str:
        gap = self._draw(st.sampled_from(["", "", " "]))
        if isinstance(node, dict):
            entries = [f"{self.flow(key)}: {self.flow(value)}" for key, value in node.items()]
            return f"{{{gap}{f', {gap}'.join(entries)}{gap}}}"
        if isinstance(node, list):
            return f"[{gap}{f' ,{gap}'.join(map(self.flow, node))}{gap}]"
        assert isinstance(node, str)
        if node.replace("-", "").isalnum() and not node.startswith("-") and self._draw(st.booleans()):
            return node
        if "\n" not in node and "\t" not in node and self._draw(st.booleans()):
            return "'" + node.replace("'", "''") + "'"
        return '"' + node.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_the_hand_nothing_that_is_said_or_remarked_is_lost(data: st.DataObject) -> None:
    tree = data.draw(TREES)
    text = data.draw(st.composite(lambda draw: Hand(draw).file(tree))())
    assert said(text) == tree
    once = style(text)
    assert said(once) == tree
    assert style(once) == once
    remarks = [sorted(comment.text for comment in comments_from_text(some)) for some in (text, once)]
    assert remarks[0] == remarks[1]
    assert not any(line != line.rstrip() or "\t" in line for line in once.split("\n") if "tab" not in line)
