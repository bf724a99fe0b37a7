import re

import pytest

from policies.language.codes import Code


@pytest.mark.parametrize("code", Code)
def test_a_code_is_a_snake_case_word_with_a_meaning_in_one_sentence(code: Code) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code)
    assert code == code.name.lower()
    assert code.meaning.isprintable()
    assert code.meaning.endswith(".")


def test_a_code_reads_as_its_word() -> None:
    assert f"{Code.YAML_SYNTAX}" == "yaml_syntax"
