from policies.language.codes import Code
from policies.language.limits import MAX_PROBLEMS
from policies.language.problem import Position, Problem, Problems


def test_a_problem_prints_as_compilers_print_it() -> None:
    problem = Problem(Position("a.yaml", 3, 7), Code.WRONG_TYPE, "no list", "write one")
    assert str(problem) == "a.yaml:3:7: wrong_type: no list (write one)"


def test_a_problem_without_a_hint_has_no_parentheses() -> None:
    assert str(Problem(Position("a.yaml", 0, 0), Code.FILE_EMPTY, "empty")) == "a.yaml:0:0: file_empty: empty"


def test_problems_are_sorted_by_file_line_and_column() -> None:
    problems = Problems()
    for file, line, column in (("b", 1, 1), ("a", 10, 1), ("a", 9, 2), ("a", 9, 1)):
        problems.add(Position(file, line, column), Code.TAG, "x")
    places = [(problem.at.file, problem.at.line, problem.at.column) for problem in problems.sorted()]
    assert places == [("a", 9, 1), ("a", 9, 2), ("a", 10, 1), ("b", 1, 1)]


def test_a_flood_of_problems_ends_with_one_that_says_so() -> None:
    problems = Problems()
    for line in range(2 * MAX_PROBLEMS):
        problems.add(Position("a", line, 1), Code.TAG, "x")
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems.sorted()[-1].code == Code.TOO_MANY_PROBLEMS


def test_a_problem_is_one_line_whatever_it_quotes() -> None:
    problem = Problem(Position("a\nb.yaml", 1, 1), "pattern_invalid", "found `{\n}` and `\u2028`\x1b[31m")
    assert str(problem) == "a\\nb.yaml:1:1: pattern_invalid: found `{\\n}` and `\\u2028`\\x1b[31m"
