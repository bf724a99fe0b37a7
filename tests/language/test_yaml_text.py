"""Law 3: the text of a file, as far as YAML goes."""

import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.language import yaml_text
from policies.language.limits import MAX_DEPTH, MAX_FILE_BYTES, SCANNER_CHUNK_BYTES
from policies.language.node import Mapping, Refused, Scalar
from policies.language.problem import Position, Problems
from policies.language.yaml_text import node_from_bytes, nodes_from_bytes
from tests.language.texts import places, plain, tree_of
from tests.support.effort import within


@pytest.mark.parametrize(
    "word", ["no", "on", "1.10", "12:30", "0x1F", "1e3", "~", "null", "2026-12-01T00:00:00Z", "<<"]
)
def test_law_3_scalars_stay_text_as_written(word: str) -> None:
    node, problems = tree_of(f"a: {word}\n")
    assert (plain(node), problems) == ({"a": word}, ())


def test_a_value_that_is_not_written_is_the_empty_text() -> None:
    assert plain(tree_of("a:\nb: x\n")[0]) == {"a": "", "b": "x"}


def test_block_and_flow_style_give_the_same_tree() -> None:
    block = "a:\n  - b\n  - c: d\n"
    assert plain(tree_of(block)[0]) == plain(tree_of('{a: [b, {c: "d"}]}')[0]) == {"a": ["b", {"c": "d"}]}


def test_every_node_knows_its_line_and_column_from_one() -> None:
    node, _ = tree_of("# é\nab: x\ncd: [é, yy, {z: q}]\n")
    assert isinstance(node, Mapping)
    (ab, x), (cd, sequence) = node.entries
    assert [ab.at, cd.at, sequence.at] == [Position("p", 2, 1), Position("p", 3, 1), Position("p", 3, 5)]
    assert x == Scalar("x", "p", 2, 5)
    assert plain(sequence) == ["é", "yy", {"z": "q"}]


def test_columns_count_characters_not_bytes() -> None:
    node, _ = tree_of("{é: é, b: c}\n")
    assert isinstance(node, Mapping)
    assert node.entries[1][0].at == Position("p", 1, 8)


def test_positions_count_crlf_as_one_line_break() -> None:
    node, _ = tree_of("a: b\r\nc: d\r\n")
    assert isinstance(node, Mapping)
    assert node.entries[1][0].at == Position("p", 2, 1)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "   \n\t\n", "\r\n"])
def test_a_file_without_content_is_a_problem_of_the_whole_file(text: str) -> None:
    node, problems = tree_of(text)
    assert (node, places(problems)) == (None, [(0, 0, "file_empty")])


def test_a_document_start_mark_alone_is_allowed() -> None:
    assert tree_of("---\na: b\n...\n") == tree_of("---\na: b\n")
    assert tree_of("---\na: b\n...\n")[1] == ()


def test_a_document_that_holds_nothing_is_an_empty_text() -> None:
    assert plain(tree_of("---\n")[0]) == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b\n---\nc: d\n", 2),
        ("a: b\n...\n---\nc: d\n", 3),
        ("a: b\n---\n", 2),
        ("a: b\n...\n%YAML 1.1\n---\n", 3),
        ("a: b\n...\n\n# x\n%TAG ! x\n", 5),
    ],
)
def test_law_3_a_second_document_is_a_problem_at_its_start(text: str, line: int) -> None:
    node, problems = tree_of(text)
    assert (node, places(problems)) == (None, [(line, 1, "second_document")])


@pytest.mark.parametrize("directive", ["%YAML 1.1", "%YAML 9.9", "%TAG ! tag:x,2000:", "%WHAT"])
def test_law_3_directives_are_a_problem(directive: str) -> None:
    node, problems = tree_of(f"\n# c\n{directive}\n---\na: b\n")
    assert (node, places(problems)) == (None, [(3, 1, "directive")])


def test_law_3_an_anchor_is_a_problem_and_its_value_is_still_read() -> None:
    node, problems = tree_of("a: &x b\nc: &y [d]\ne: &z {f: g}\n")
    assert places(problems) == [(1, 4, "anchor"), (2, 4, "anchor"), (3, 4, "anchor")]
    assert plain(node) == {"a": "b", "c": ["d"], "e": {"f": "g"}}


def test_law_3_an_alias_is_a_problem_and_stands_for_nothing() -> None:
    node, problems = tree_of("a: *x\nb: c\n")
    assert places(problems) == [(1, 4, "alias")]
    assert plain(node) == {"a": Refused(Position("p", 1, 4)), "b": "c"}


def test_an_alias_as_a_key_is_reported_once() -> None:
    assert places(tree_of("*x : y\n")[1]) == [(1, 1, "alias")]


@pytest.mark.parametrize("tag", ["!", "!!str", "!!python/object:os.system", "!local", "!<tag:x,2000:y>"])
def test_law_3_a_tag_is_a_problem_and_its_value_is_still_read(tag: str) -> None:
    node, problems = tree_of(f"a: {tag} b\n")
    assert (plain(node), places(problems)) == ({"a": "b"}, [(1, 4, "tag")])


def test_law_3_a_key_that_stands_twice_is_a_problem_that_names_both_places() -> None:
    node, problems = tree_of("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n")
    assert places(problems) == [(2, 17, "key_duplicate"), (3, 1, "key_duplicate")]
    assert "line 2, column 5" in problems[0].message
    assert plain(node) == {"a": "1", "b": {"c": "1", "d": "2"}}


def test_keys_that_are_written_differently_are_equal_by_their_text() -> None:
    assert places(tree_of("a: 1\n'a': 2\n\"\\x61\": 3\n")[1]) == [(2, 1, "key_duplicate"), (3, 1, "key_duplicate")]


@pytest.mark.parametrize("key", ["[a]", "{a: b}", "[]"])
def test_law_3_a_key_that_is_no_text_is_a_problem(key: str) -> None:
    node, problems = tree_of(f"? {key}\n: x\nb: c\n")
    assert (plain(node), places(problems)) == ({"b": "c"}, [(1, 3, "key_not_text")])


def test_a_mapping_without_any_readable_key_is_not_called_empty() -> None:
    assert isinstance(tree_of("? [a]\n: x\n")[0], Refused)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def test_law_3_the_deepest_allowed_nesting_is_read() -> None:
    assert tree_of(nested(MAX_DEPTH))[1] == ()


@pytest.mark.parametrize("text", [nested(MAX_DEPTH + 1), "- " * (MAX_DEPTH + 1) + "x", "? " * (MAX_DEPTH + 1)])
def test_law_3_deeper_nesting_is_a_problem(text: str) -> None:
    node, problems = tree_of(text)
    assert node is None
    assert [problem.code for problem in problems] == ["too_deep"]


def test_law_3_more_bytes_than_allowed_are_a_problem() -> None:
    assert places(tree_of(b"a: b\n" + b"#" * MAX_FILE_BYTES)[1]) == [(0, 0, "file_too_large")]


def test_law_3_as_many_bytes_as_allowed_are_read() -> None:
    assert plain(tree_of(b"a: b\n" + b"#" * (MAX_FILE_BYTES - 5))[0]) == {"a": "b"}


def test_more_values_than_a_policy_can_need_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MAX_VALUES", 4)
    assert tree_of("[a, b, c]")[1] == ()
    assert places(tree_of("[a, b, c, d]")[1]) == [(1, 11, "too_many_values")]
    assert (1, 14, "too_many_values") in places(tree_of("[*a, *a, *a, *a]")[1])


@pytest.mark.parametrize("escape", ["\\0", "\\x01", "\\e", "\\r", "\\N", "\\L", "\\u202e", "\\ufeff", "\\x7f"])
def test_hidden_characters_are_a_problem_also_as_escapes(escape: str) -> None:
    assert places(tree_of(f'a: "x{escape}y"\n')[1]) == [(1, 4, "character_forbidden")]


def test_line_feeds_and_tabs_may_stand_in_a_value() -> None:
    node, problems = tree_of('a: |\n  one\n  two\nb: "x\\ty"\n')
    assert (plain(node), problems) == ({"a": "one\ntwo\n", "b": "x\ty"}, ())


def test_every_problem_of_a_text_is_reported_at_once() -> None:
    text = "a: &x 1\na: !t 2\nb: *x\nc: \u202e\nd: [\n"
    assert places(tree_of(text)[1]) == [
        (1, 4, "anchor"),
        (2, 1, "key_duplicate"),
        (2, 4, "tag"),
        (3, 4, "alias"),
        (4, 4, "character_forbidden"),
        (6, 1, "yaml_syntax"),
    ]


HOSTILE = {
    "flow lists": b"[" * 200_000,
    "flow mappings": b"{a: " * 100_000,
    "block lists": b"- " * 200_000,
    "explicit keys": b"? " * 200_000,
    "a billion laughs": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123)),
    "directives": b"%TAG !a! x\n" * 100_000 + b"---\na: b\n",
    "directives of a second document": b"a: b\n...\n" + b"%TAG !a! x\n" * 100_000,
    "a huge text": b'a: "' + b"x" * 2_000_000 + b'"',
    "a huge key": b'? "' + b"x" * 2_000_000 + b'"\n: y\n',
    "an open quote": b'a: "' + b"x\n" * 500_000,
    "escapes": b'a: "' + b"\\n" * 1_000_000 + b'"',
    "line breaks": b"\n" * 2_000_000,
    "blanks": b" " * 2_000_000,
    "tabs": b"\t" * 2_000_000,
    "carriage returns": b"\r" * 2_000_000,
    "NUL": b"\0" * 2_000_000,
    "0xFF": b"\xff" * 2_000_000,
    "line separators": "\u2028".encode() * 500_000,
    "lines with hidden characters": "\u202e\n".encode() * 200_000,
    "duplicate keys": b"a: b\n" * 50_000,
    "anchors": b"- &a b\n" * 50_000,
    "a comment": b"#" * 2_000_000,
    "UTF-16": "a: b\n".encode("utf-16"),
    "UTF-16 without mark": "a: b\n".encode("utf-16-le"),
    "UTF-32": "a: b\n".encode("utf-32"),
    "DER": bytes.fromhex("3082010a0282010100"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_in_problems_soon(name: str) -> None:
    problems = Problems()
    with within(5):
        node_from_bytes("p", HOSTILE[name], problems)
    assert len(problems) > 0 or name in {"a huge text", "a huge key", "escapes"}


@pytest.mark.parametrize("name", HOSTILE)
def test_problems_of_hostile_text_are_short_single_lines(name: str) -> None:
    for problem in tree_of(HOSTILE[name])[1]:
        assert str(problem).isprintable()
        assert len(str(problem)) < 500


YAML_PIECES = st.lists(
    st.sampled_from(
        [*"[]{},:?-&*!|>'\"%@`#~<\\=.\t \n\r", "a", "b: ", "- ", "---\n", "...\n", "  ", "\n  ", "é", "\x85"]
    ),
    max_size=40,
).map("".join)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), YAML_PIECES.map(str.encode), st.text(max_size=100).map(str.encode)))
def test_law_3_no_bytes_make_the_reader_raise(data: bytes) -> None:
    problems = Problems()
    node = node_from_bytes("p", data, problems)
    assert node is not None or len(problems) > 0


@settings(deadline=None)
@given(
    st.recursive(
        st.text(st.characters(min_codepoint=32, max_codepoint=126)),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100), inner)
        ),
        max_leaves=20,
    )
)
def test_what_is_written_as_flow_text_is_read_back(value: object) -> None:
    node, problems = tree_of(as_flow(value))
    assert (plain(node), problems) == (value, ())


def as_flow(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_flow(key)}: {as_flow(item)}" for key, item in value.items()) + "}"
    assert isinstance(value, list)
    return "[" + ", ".join(as_flow(item) for item in value) + "]"


def test_other_threads_run_while_one_huge_value_is_parsed() -> None:
    """libyaml reads a value in one call; it must come back to Python while it does."""
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.0001)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    thread = threading.Thread(target=tick)
    thread.start()
    before = ticks
    node_from_bytes("p", b'a: "' + b"x" * (MAX_FILE_BYTES - 8) + b'"', Problems())
    during = ticks - before
    done.set()
    thread.join()
    sys.setswitchinterval(interval)
    assert during >= 5


def test_the_scanner_is_fed_in_small_pieces() -> None:
    pieces = yaml_text._Pieces(b"x" * (SCANNER_CHUNK_BYTES + 1))
    assert [len(pieces.read(16384)), len(pieces.read(16384)), len(pieces.read(16384))] == [SCANNER_CHUNK_BYTES, 1, 0]


def test_a_file_of_other_programs_may_have_several_documents_with_their_own_lines() -> None:
    problems = Problems()
    nodes = nodes_from_bytes("p", b"a: b\n---\n---\n# none\n---\nc: d\n---\n", problems)
    assert [plain(node) for node in nodes] == [{"a": "b"}, {"c": "d"}]
    assert (nodes[1].at, problems.sorted()) == (Position("p", 6, 1), ())


def test_a_second_document_of_another_program_is_read_as_strictly_as_the_first() -> None:
    problems = Problems()
    nodes_from_bytes("p", b"a: b\n---\nc: &x d\nc: e\n", problems)
    assert places(problems.sorted()) == [(3, 4, "anchor"), (4, 1, "key_duplicate")]
