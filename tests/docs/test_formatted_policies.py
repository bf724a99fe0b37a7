"""Policies and tests that the documentation shows as whole files are in the one style, as people copy them."""

import re

import pytest

from policies.authoring.formatting.format import formatted
from tests.docs.test_blocks import PAGES, blocks

#: Whole files say their version; a block without it is a part of one.
WHOLE = [
    (page, content)
    for page in PAGES
    for words, content in blocks(page)
    if words.startswith("yaml") and re.search("^version:", content, re.MULTILINE)
]


@pytest.mark.parametrize(("page", "content"), WHOLE, ids=[page for page, _ in WHOLE])
def test_a_whole_policy_or_test_file_on_a_page_is_as_fmt_writes_it(page: str, content: str) -> None:
    assert formatted(page, content.encode()) == (content.encode(), ())


def test_the_pages_that_show_whole_files_are_looked_at() -> None:
    assert {"README.md", *(f"docs/{name}.md" for name in ("cookbook", "diff", "istio", "middleware", "policy"))} == {
        page for page, _ in WHOLE
    }
