"""What libyaml says about a syntax error, in words that help somebody who does not know YAML's grammar.

The left column of the table is the text of libyaml 0.2's scanner.c and parser.c; an error that is not in it is passed
on as libyaml words it.
"""

from dataclasses import dataclass

from yaml import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from policies.language.codes import Code
from policies.language.problem import Position, Problems
from policies.language.wording import quoted

_QUOTE = "put a value in quotes if it has { } [ ] or a comma in it, or starts with * & ! % @ or `"
_INDENT = "keys of one mapping start in the same column; values that belong to a key are indented with spaces"
_ESCAPE = "in double quotes a backslash starts an escape; use single quotes to keep it as it is"
_DOCUMENT = "a file is one YAML document"


@dataclass(frozen=True, slots=True)
class _Plain:
    """The message, which may name `{char}` and the `{start}` of what was read, and the hint."""

    message: str
    hint: str
    at_start: bool = False


_WORDS: dict[str, _Plain] = {
    "did not find expected ',' or ']'": _Plain("expected `,` or `]` in the list that starts {start}", _QUOTE),
    "did not find expected ',' or '}'": _Plain("expected `,` or `}}` in the mapping that starts {start}", _QUOTE),
    "did not find expected key": _Plain(
        "expected another key of the mapping that starts {start}, or its end", f"{_INDENT}; {_QUOTE}"
    ),
    "did not find expected '-' indicator": _Plain(
        "expected another `- ` item of the list that starts {start}, or its end", _INDENT
    ),
    "did not find expected node content": _Plain("expected a value, found {char}", _QUOTE),
    "could not find expected ':'": _Plain("this line has no `:` after its key", "write `key: value`", at_start=True),
    "mapping values are not allowed in this context": _Plain(
        "a second `: ` on one line, or a key that is indented wrongly", f"{_INDENT}; quote a value that holds `: `"
    ),
    "mapping keys are not allowed in this context": _Plain("`?` cannot stand here", _QUOTE),
    "block sequence entries are not allowed in this context": _Plain(
        "a `- ` item cannot start on this line", "write the list on its own lines, or as [one, two]"
    ),
    "found character that cannot start any token": _Plain("a value cannot start with {char}", _QUOTE),
    "did not find expected alphabetic or numeric character": _Plain(
        "a value that starts with `*` or `&` must be in quotes", 'for example "*.partner.example"', at_start=True
    ),
    "found unexpected end of stream": _Plain(
        "the quote that opens here is not closed", "put the same quote at the end of the value", at_start=True
    ),
    "found unexpected document indicator": _Plain(
        "the quote that opens here is not closed", "put the same quote at the end of the value", at_start=True
    ),
    "found unknown escape character": _Plain("an escape that YAML does not know", _ESCAPE),
    "did not find expected hexdecimal number": _Plain("an escape without its hexadecimal digits", _ESCAPE),
    "found invalid Unicode character escape code": _Plain("an escape that is no Unicode character", _ESCAPE),
    "found a tab character where an indentation space is expected": _Plain(
        "a tab stands where a line is indented", "indent with spaces"
    ),
    "found a tab character that violates indentation": _Plain(
        "a tab stands where a line is indented", "indent with spaces"
    ),
    "did not find expected <document start>": _Plain("text after the end of the document", _DOCUMENT),
    "found undefined tag handle": _Plain("a value that starts with `!` must be in quotes", _QUOTE),
}
_BRACKET = _Plain("{char} ends the value before it", f'{_QUOTE}, such as "/v1/{{id}}"')
_TAB = _Plain("a tab stands where a line is indented", "indent with spaces")
_CUT_OFF = _Plain("the file ends where a value belongs", "close every list with ] and every mapping with }")
_UNCLOSED = {
    "did not find expected ',' or ']'": _Plain("the list that opens here is not closed", "add `]`", at_start=True),
    "did not find expected ',' or '}'": _Plain("the mapping that opens here is not closed", "add `}}`", at_start=True),
}


def report_yaml_error(file: str, text: str, error: YAMLError, problems: Problems) -> None:
    """Turn a syntax error of libyaml in `text` into one problem."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        reason = error.reason if isinstance(error, ReaderError) else str(error)
        problems.add(Position(file, 0, 0), Code.YAML_SYNTAX, f"the file is not YAML: {reason}")
        return
    mark = error.problem_mark
    start = error.context_mark or mark
    char = text[mark.index : mark.index + 1]
    plain = _plain(error.problem or "", char)
    place = start if plain.at_start else mark
    message = plain.message.format(char=quoted(char), start=f"in line {start.line + 1}, column {start.column + 1}")
    problems.add(Position(file, place.line + 1, place.column + 1), Code.YAML_SYNTAX, message, plain.hint)


def _plain(problem: str, char: str) -> _Plain:
    if char == "\t" and problem == "found character that cannot start any token":
        return _TAB
    if not char and problem in _UNCLOSED:
        return _UNCLOSED[problem]
    if not char and problem == "did not find expected node content":
        return _CUT_OFF
    if char in {"{", "["} and problem in _UNCLOSED:
        return _BRACKET
    return _WORDS.get(problem) or _Plain(f"the file is not YAML from here on: {problem}".replace("{", "{{"), _QUOTE)
