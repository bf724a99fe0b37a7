"""`docs/reference.md` is what the tables say, and every key has an example that loads."""

import re
from pathlib import Path
from typing import Any

import pytest

from policies.authoring.suite_table import SUITE
from policies.language.policy_table import POLICY
from policies.language.problem import Problems
from policies.language.table import Field
from policies.language.yaml_text import node_from_bytes
from tests.docs.reference import PAGE, page, tables

FIELDS = [(fields.title, each) for shape in (POLICY, SUITE) for fields in tables(shape) for each in fields.fields]
#: Every block of docs/policy.md that its test loads, runs, or sees refused.
EXAMPLES = "\n".join(
    re.findall(
        r"^```yaml (?:policy|policy=base|test|refused=[a-z_]+)$\n(.*?)^```$",
        (Path(__file__).parents[2] / "docs" / "policy.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)


def test_the_page_is_made_from_the_tables_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(("title", "field"), FIELDS, ids=lambda value: getattr(value, "key", value))
def test_the_example_of_a_key_can_be_read(title: str, field: Field) -> None:
    problems = Problems()
    node = node_from_bytes("example.yaml", field.shape.example.encode(), problems)
    assert node is not None
    value: Any = field.shape.read(node, field.key, problems)
    assert problems.sorted() == (), title
    assert value is not None
    assert field.description.rstrip().endswith((".", ")"))


@pytest.mark.parametrize("key", sorted({field.key for _, field in FIELDS}))
def test_every_key_stands_in_a_block_that_is_run(key: str) -> None:
    assert re.search(rf"(?<![\w-]){key}:", EXAMPLES)
