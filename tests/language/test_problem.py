"""How problems are shown."""

from policies.language.problem import Position, Problem


def test_a_problem_is_printed_as_compilers_print_it() -> None:
    problem = Problem(Position("p.yaml", 3, 7), "name_unknown", "there is no route `x`", "did you mean `y`?")
    assert str(problem) == "p.yaml:3:7: name_unknown: there is no route `x` (did you mean `y`?)"


def test_a_problem_is_one_line_whatever_it_quotes() -> None:
    problem = Problem(Position("a\nb.yaml", 1, 1), "pattern_invalid", "found `{\n}` and `\u2028`\x1b[31m")
    assert str(problem) == "a\\nb.yaml:1:1: pattern_invalid: found `{\\n}` and `\\u2028`\\x1b[31m"
