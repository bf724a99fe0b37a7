"""Shadow rules are turned on in the text: nothing else changes, and what cannot be changed so is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.authoring.promotion import PromotionError, promotion_from_files

HEAD = "# the policy\nversion: 1\n"
FLOW = HEAD + "rules:\n  - {id: a, deny: anyone, to: any, mode: shadow}  # why\n  - {id: b, deny: anyone, to: any}\n"
BLOCK = HEAD + "rules:\n- id: a # first\n  deny: anyone\n\n  to:   any\n  mode:   'shadow'   # for now\n"
WHOLE = HEAD + (
    'mode: "shadow" # all of it\nrules:\n  - {id: a, deny: anyone, to: any}\n  - id: b  # second\n    deny: anyone\n'
    "    to: any\n  -   deny: anyone\n      to: any\n      id: c\n  - {deny: anyone, to: any, mode: shadow, id: d}\n"
)


def promoted(text: str, *ids: str) -> str:
    promotion = promotion_from_files({"p.yaml": text.encode()}, ids or None)
    assert set(promotion.files) <= {"p.yaml"}
    return promotion.files.get("p.yaml", text.encode()).decode()


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (FLOW, "mode: shadow", "mode: enforce"),
        (BLOCK, "'shadow'", "'enforce'"),
        (WHOLE, '"shadow" # all', '"enforce" # all'),
    ],
    ids=["flow", "block", "file"],
)
def test_only_the_word_changes(text: str, before: str, after: str, line_break: str) -> None:
    text = text.replace("\n", line_break)
    expected = text.replace(before, after).replace("mode: shadow, id: d", "mode: enforce, id: d")
    assert promoted(text) == expected


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("a", "{id: a, deny", "{id: a, mode: enforce, deny"),
        ("b", "- id: b  # second\n", "- id: b  # second\n    mode: enforce\n"),
        ("c", "      id: c\n", "      id: c\n      mode: enforce\n"),
        ("d", "mode: shadow, id: d", "mode: enforce, id: d"),
    ],
)
def test_one_rule_of_a_file_in_shadow_mode_says_its_own_mode(
    rule: str, before: str, after: str, line_break: str
) -> None:
    text, before, after = (part.replace("\n", line_break) for part in (WHOLE, before, after))
    assert promoted(text, rule) == text.replace(before, after)


def test_a_last_line_without_an_end_gets_its_mode_below() -> None:
    text = "version: 1\nmode: shadow\nrules:\n- deny: anyone\n  to: any\n  id: a"
    assert promoted(text, "a") == f"{text}\n  mode: enforce"


def test_rules_that_are_enforced_or_not_named_stay_as_they_are() -> None:
    assert promoted(FLOW, "b") == FLOW
    assert promoted(FLOW.replace("shadow", "enforce")) == FLOW.replace("shadow", "enforce")
    assert promotion_from_files({"p.yaml": FLOW.encode()}, None).ids == ("a",)


def test_the_rules_of_several_files_are_turned_on_together() -> None:
    other = FLOW.replace("id: a", "id: c").replace("id: b", "id: d")
    promotion = promotion_from_files({"p.yaml": FLOW.encode(), "q.yaml": other.encode()}, None)
    assert (promotion.ids, set(promotion.files)) == (("a", "c"), {"p.yaml", "q.yaml"})
    assert promotion_from_files({"p.yaml": FLOW.encode(), "q.yaml": other.encode()}, {"c"}).files.keys() == {"q.yaml"}


@pytest.mark.parametrize("mode", ["|-\n    shadow", '"sh\\x61dow"', "!!str shadow"])
def test_a_mode_that_is_not_simply_written_is_refused_with_its_place(mode: str) -> None:
    text = f"version: 1\nrules:\n- id: b\n  deny: anyone\n  to: any\n  mode: {mode}\n"
    with pytest.raises(PromotionError, match=r"^p\.yaml:6:9: the mode is not simply written as `shadow`"):
        promoted(text)


@pytest.mark.parametrize("rule_id", ['"\\x61"', "|-\n    a"])
def test_an_id_that_is_not_simply_written_is_refused_with_its_place(rule_id: str) -> None:
    text = f"version: 1\nmode: shadow\nrules:\n- id: {rule_id}\n  deny: anyone\n  to: any\n"
    with pytest.raises(PromotionError, match=r"^p\.yaml:4:7: the id is written in an unusual way"):
        promoted(text, "a")


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,6}", fullmatch=True)
LAYOUTS = (
    "- {{id: {q}{id}{q}, deny: anyone, to: any{mode}}}\n",
    "- {{ deny: anyone , to: any{mode} , id: {q}{id}{q} }} # {id} shadow\n",
    "# mode: shadow\n- id: {q}{id}{q}   # mode: shadow\n  deny: anyone\n  to: any\n{line}",
    "-   deny: anyone\n    description: 'mode: shadow'\n    to: any\n    {line}id: {q}{id}{q}\n",
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.sampled_from(LAYOUTS), st.sampled_from(["", "shadow", "enforce"]),
                       st.sampled_from(["", "'", '"'])), min_size=1, max_size=5, unique_by=lambda item: item[0]),
    st.booleans(),
    st.data(),
)  # fmt: skip
def test_whatever_the_layout_the_lines_of_other_rules_stay(
    rules: list[tuple[str, str, str, str]], in_file: bool, data: st.DataObject
) -> None:
    text = "version: 1\n" + ("mode: shadow\n" if in_file else "") + "rules:\n"
    for name, layout, mode, quote in rules:
        line = f"  mode: {mode}\n" if mode else ""
        if layout.startswith("-  "):
            line = f"mode: {mode}\n    " if mode else ""
        text += layout.format(id=name, q=quote, mode=f", mode: {mode}" if mode else "", line=line)
    shadowed = [name for name, _, mode, _ in rules if mode == "shadow" or (in_file and not mode)]
    ids = data.draw(st.sets(st.sampled_from(shadowed), min_size=1)) if shadowed else {"nobody"}
    after = promoted(text, *ids)
    others = [line for line in text.splitlines() if not any(name in line for name in ids) and "mode" not in line]
    assert [line for line in others if line not in after.splitlines()] == []
    assert promotion_from_files({"p.yaml": after.encode()}, None).ids == tuple(sorted(set(shadowed) - ids))
